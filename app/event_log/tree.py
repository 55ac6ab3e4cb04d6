"""The Merkle tree over a tenant's events, as RFC 6962 section 2.1 defines it; a leaf is an event's own chain hash.

Only the right edge is kept: one hash for each complete subtree, so that adding an event costs no second look at those
before it, and a checkpoint can carry all that the next one needs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

LEAF, NODE = b"\x00", b"\x01"
EMPTY = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class Tree:
    """How many events there are, and the roots of the complete subtrees that they make, the largest first."""

    size: int = 0
    edge: tuple[bytes, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether so many events make so many complete subtrees."""
        return self.size >= 0 and self.size.bit_count() == len(self.edge)

    def grown(self, leaf: bytes) -> "Tree":
        """The tree with one event more."""
        new, edge = hashlib.sha256(LEAF + leaf).digest(), list(self.edge)
        complete = self.size
        while complete & 1:
            new = _node(edge.pop(), new)
            complete >>= 1
        return Tree(self.size + 1, (*edge, new))

    def root(self) -> bytes:
        """The one hash that stands for all events in their order."""
        if not self.edge:
            return EMPTY
        *rest, root = self.edge
        for subtree in reversed(rest):
            root = _node(subtree, root)
        return root


def beside(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes beside the way from one leaf up to the root, the nearest first (RFC 6962, section 2.1.1)."""
    found, row = list[bytes](), [hashlib.sha256(LEAF + leaf).digest() for leaf in leaves]
    while len(row) > 1:
        if index ^ 1 < len(row):
            found.append(row[index ^ 1])
        alone = row[-1:] if len(row) % 2 else []  # the last one of an odd row goes up as it is
        row = [_node(left, right) for left, right in zip(row[::2], row[1::2], strict=False)] + alone
        index >>= 1
    return found


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE + left + right).digest()
