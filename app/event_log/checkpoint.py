"""A checkpoint: how many events a log has and their tree's root, signed, as a note that others' tools can read.

The form is that of c2sp.org/tlog-checkpoint in a c2sp.org/signed-note with Ed25519. Two kinds of extension lines follow
the root: the moment, and the tree's right edge, which lets the next checkpoint go on from here.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.event_log.tree import Tree

ED25519 = b"\x01"
KEY_ID_BYTES = 4
NOTE = re.compile(r"(?P<body>(?:[^\n—][^\n]*\n)+)\n— (?P<name>\S+) (?P<signature>\S+)\n")


@dataclass(frozen=True)
class Checkpoint:
    """What stood in the log named `origin` at `moment`."""

    origin: str
    tree: Tree
    moment: datetime

    def body(self) -> str:
        """The lines that are signed."""
        edge = "".join(f"edge {_text(one)}\n" for one in self.tree.edge)
        moment = self.moment.isoformat(timespec="seconds")
        return f"{self.origin}\n{self.tree.size}\n{_text(self.tree.root())}\nat {moment}\n{edge}"


@dataclass(frozen=True)
class Signer:
    """One key of ours with the name under which it signs."""

    name: str
    key: Ed25519PrivateKey

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> "Signer":
        """The signer whose key these 32 secret bytes are."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def verifier(self) -> str:
        """The public half, as one line to keep somewhere else: name, key id, key."""
        public = ED25519 + self.key.public_key().public_bytes_raw()
        return f"{self.name}+{_key_id(self.name, public).hex()}+{_text(public)}"

    def signed(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a signed note, with an empty line after it."""
        body = checkpoint.body()
        public = ED25519 + self.key.public_key().public_bytes_raw()
        signature = _key_id(self.name, public) + self.key.sign(body.encode())
        return f"{body}\n— {self.name} {_text(signature)}\n\n"


class Verifiers:
    """The public keys that a checkpoint may be signed with."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises `ValueError` for a line that names no key."""
        self._keys: dict[tuple[str, bytes], Ed25519PublicKey] = {}
        for line in lines:
            name, key_id, key = line.strip().split("+", 2)
            public = base64.b64decode(key, validate=True)
            if public[:1] != ED25519 or _key_id(name, public).hex() != key_id:
                raise ValueError(f"{name} is not an Ed25519 verifier key.")
            self._keys[name, bytes.fromhex(key_id)] = Ed25519PublicKey.from_public_bytes(public[1:])

    def opened(self, note: str) -> Checkpoint | None:
        """The checkpoint that one note holds; None when it is not signed by one of these keys, or is none."""
        parts = NOTE.fullmatch(note)
        signature = _bytes(parts["signature"]) if parts else b""
        key = self._keys.get((parts["name"], signature[:KEY_ID_BYTES])) if parts else None
        if parts is None or key is None:
            return None
        try:
            key.verify(signature[KEY_ID_BYTES:], parts["body"].encode())
        except InvalidSignature:
            return None
        return _parsed(parts["body"])


def notes_in(text: str) -> Iterator[str]:
    """The notes of a file that holds one after the other. Whatever else stands there comes as a note that opens not."""
    at = 0
    for found in NOTE.finditer(text):
        if text[at : found.start()].strip():
            yield text[at : found.start()]
        yield found[0]
        at = found.end()
    if text[at:].strip():
        yield text[at:]


def _parsed(body: str) -> Checkpoint | None:
    origin, size, root, *rest = [*body.splitlines(), "", ""][: body.count("\n")]
    moment = next((line.removeprefix("at ") for line in rest if line.startswith("at ")), "")
    edge = tuple(_bytes(line.removeprefix("edge ")) for line in rest if line.startswith("edge "))
    try:
        tree = Tree(int(size), edge)
        found = Checkpoint(origin, tree, datetime.fromisoformat(moment))
    except ValueError:
        return None
    return found if tree.is_possible and tree.root() == _bytes(root) else None


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + public).digest()[:KEY_ID_BYTES]


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b""
