"""Checkpoints outside of the database: what was there cannot be taken back by whoever owns the database.

One file for each tenant in `COUNTERSIGN_CHECKPOINTS`, only ever added to. A chain shows any change inside it; that its
tail was cut off, or that all of it was written anew, only somebody outside can tell (conformance E40).
"""

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType
from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.event_log.checkpoint import Checkpoint, Signer, Verifiers, notes_in
from app.event_log.read import ends
from app.event_log.tables import events
from app.event_log.tree import Tree
from app.event_log.verify import Problem, undecodable_text_allowed
from app.sealing import Keyring

SUFFIX = ".checkpoints"
# The name of our keys and of our logs; which installation it was, the key says.
NAME = "countersign"
PURPOSE = "checkpoints"
READ_AT_ONCE = 1000

log = get_logger()


def signers(keyring: Keyring) -> list[Signer]:
    """Our signers, the one in use first: one for each sealing key, so that nothing more has to be kept secret."""
    return [Signer.from_seed(NAME, seed) for seed in keyring.seeds(PURPOSE)]


class Checkpoints:
    """Writes a signed checkpoint of each tenant's log, when there is something new and the last one is old enough."""

    def __init__(
        self, database: Database, keyring: Keyring, directory: Path | None, every: timedelta, clock: Clock
    ) -> None:
        """None for a directory: nothing is written."""
        self._database = database
        self._directory = directory
        self._signers = signers(keyring)
        self._verifiers = Verifiers(signer.verifier for signer in self._signers)
        self._every = every
        self._clock = clock
        self._last: dict[str, Checkpoint] = {}

    def sweep(self) -> int:
        """Add the checkpoints that are due; returns how many."""
        if self._directory is None:
            return 0
        with self._database.read() as tx:
            return sum(self._add(tx, self._directory, tenant_id, size) for tenant_id, size in ends(tx).items() if size)

    def _add(self, tx: Connection, directory: Path, tenant_id: str, size: int) -> bool:
        last = self._last.get(tenant_id) or self._newest(directory, tenant_id)
        self._last[tenant_id] = last
        if size < last.tree.size:
            log.critical("log_shorter_than_checkpoint", tenant=tenant_id)
            return False
        now = self._clock()
        if size == last.tree.size or (last.tree.size and now < last.moment + self._every):
            return False
        tree = last.tree
        for leaf in leaves(tx, tenant_id, after=tree.size):
            tree = tree.grown(leaf)
        new = Checkpoint(last.origin, tree, now)
        append_note(file_of(directory, tenant_id), self._signers[0].signed(new))
        self._last[tenant_id] = new
        return True

    def _newest(self, directory: Path, tenant_id: str) -> Checkpoint:
        """The last one that we signed, as it stands in the file; before there is any, that of an empty log."""
        origin = origin_of(tenant_id)
        kept = [self._verifiers.opened(note) for note in notes_in(read(file_of(directory, tenant_id)))]
        ours = [one for one in kept if one is not None and one.origin == origin]
        return max(ours, key=lambda one: one.tree.size, default=Checkpoint(origin, Tree(), self._clock()))


def verify_checkpoints(tx: Connection, directory: Path, verifiers: Verifiers) -> tuple[int, tuple[Problem, ...]]:
    """How many checkpoints were held against the log, and what they show. Trusts stored hashes; `verify` does not."""
    checked, problems = 0, list[Problem]()
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        tenant_id = path.name.removesuffix(SUFFIX)
        kept = [verifiers.opened(note) for note in notes_in(read(path))]
        ours = [one for one in kept if one is not None and one.origin == origin_of(tenant_id)]
        if len(ours) < len(kept):
            problems.append(Problem(tenant_id, 0, f"{len(kept) - len(ours)} checkpoints are not signed by us"))
        with undecodable_text_allowed(tx):
            problems += _against(tx, tenant_id, ours)
        checked += len(ours)
    return checked, tuple(problems)


def _against(tx: Connection, tenant_id: str, checkpoints: list[Checkpoint]) -> Iterator[Problem]:
    tree, coming = Tree(), sorted(checkpoints, key=lambda one: one.tree.size)
    with closing(leaves(tx, tenant_id, after=0)) as coming_leaves:
        for checkpoint in coming:
            while tree.size < checkpoint.tree.size and (leaf := next(coming_leaves, None)) is not None:
                tree = tree.grown(leaf)
            if tree.size < checkpoint.tree.size:
                what = f"the log ends here, and had {checkpoint.tree.size} events on {checkpoint.moment.isoformat()}"
                yield Problem(tenant_id, tree.size, what)
                return
            if tree.root() != checkpoint.tree.root():
                what = f"the log up to here is not the one that was there on {checkpoint.moment.isoformat()}"
                yield Problem(tenant_id, tree.size, what)
                return


def leaves(tx: Connection, tenant_id: str, *, after: int) -> Generator[bytes, None, None]:
    """The chain hashes of a tenant's events in their order, as they are stored."""
    stored = type_coerce(events.c.hash, NullType()).label("hash")
    query = select(stored).where(events.c.tenant_id == tenant_id, events.c.sequence > after)
    with tx.execute(query.order_by(events.c.sequence).execution_options(yield_per=READ_AT_ONCE)) as rows:
        for row in rows:
            yield str(row.hash).encode()


def file_of(directory: Path, tenant_id: str) -> Path:
    """Where a tenant's checkpoints are kept."""
    return directory / f"{tenant_id}{SUFFIX}"


def read(path: Path) -> str:
    """The file's text; empty where there is none. A part that is no text opens as no note."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def origin_of(tenant_id: str) -> str:
    """The name of a tenant's log in its checkpoints."""
    return f"{NAME}/{tenant_id}"


def append_note(path: Path, note: str) -> None:
    """Add a note and wait until it is on disk; what a crash left half written before it stays a note of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 2))
        torn = length > 0 and file.read() != b"\n\n"
        file.write((b"\n\n" if torn else b"") + note.encode())
        file.flush()
        os.fsync(file.fileno())
