"""Verifies an exported log, or the proof of one event, with nothing but Python 3.9 or newer.

To be called as `python3 verify.py [DIRECTORY] [KEY ...]`.

It imports nothing of Countersign, so that whoever doubts us can read it, or write it again from these rules:

1. Each line of events.jsonl is one event. Its `hash` is SHA-256 over the hash before (64 zeros at first), a line feed,
   the canonical JSON of nine fields (sorted keys, no white space, UTF-8), a line feed, and the payload.
2. Sequence numbers begin at 1 and have no gaps.
3. The hashes are the leaves of a Merkle tree as in RFC 6962, section 2.1.
4. checkpoints.txt holds signed notes (c2sp.org/signed-note, Ed25519): a name, a number of events, the tree's root.
   Take the keys from where you kept them, not from this export: give them as arguments.
5. proof.json, where there is one, holds a single event instead of all, a checkpoint, and the hashes beside the way from
   the event's leaf to the checkpoint's root, the nearest first (RFC 6962, section 2.1.1).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Point = tuple[int, int, int, int]

COVERED = ("tenant_id", "sequence", "stream", "version", "tag", "schema_version", "actor", "causation", "recorded_at")
NOTE = re.compile(r"((?:[^\n—][^\n]*\n)+)\n— (\S+) (\S+)\n")
# Ed25519 as RFC 8032, section 6, writes it; for verifying only.
P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
BASE = (4 * pow(5, P - 2, P) % P).to_bytes(32, "little")
ORDER = 2**252 + 27742317777372353535851937790883648493


def main(arguments: list[str]) -> int:
    """Print one JSON object; the exit code is 0 only when everything fits together."""
    where = Path(arguments[0]) if arguments else Path(__file__).parent
    checked = proven if (where / "proof.json").exists() else exported
    report = checked(where, arguments[1:])
    print(json.dumps(report))  # noqa: T201 - this file is a program of its own
    return 0 if report["ok"] else 1


def exported(where: Path, given: list[str]) -> dict[str, Any]:
    """Return what an export comes to."""
    lines = (where / "events.jsonl").read_text(encoding="utf-8").splitlines()
    keys = given or (where / "keys.txt").read_text(encoding="utf-8").split()
    roots, problems = chain([json.loads(line) for line in lines])
    checked, more = checkpoints((where / "checkpoints.txt").read_text(encoding="utf-8"), roots, keys)
    problems += more
    return {"ok": not problems, "events": len(lines), "checkpoints": checked, "problems": problems}


def proven(where: Path, given: list[str]) -> dict[str, Any]:
    """Return what the proof of a single event comes to."""
    proof = json.loads((where / "proof.json").read_text(encoding="utf-8"))
    keys = given or (where / "keys.txt").read_text(encoding="utf-8").split()
    event, problems = proof["event"], []
    body, name, signature = (NOTE.findall(proof["checkpoint"]) or [("\n0\n\n", "", "")])[0]
    origin, size, claimed = body.split("\n")[:3]
    if event["hash"] != hash_of(event):
        problems.append("the event was changed after it was recorded")
    if not any(signed(body, name, base64.b64decode(signature), key) for key in keys):
        problems.append("the checkpoint is not signed by a key that you trust")
    if origin != f"countersign/{event['tenant_id']}":
        problems.append("the checkpoint is that of another log")
    path = [base64.b64decode(one) for one in proof["path"]]
    if climbed(event["hash"].encode(), event["sequence"] - 1, int(size), path) != base64.b64decode(claimed):
        problems.append("the event does not stand in the log that the checkpoint was signed for")
    return {"ok": not problems, "event": event["sequence"], "of": int(size), "problems": problems}


def climbed(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that a leaf and the hashes beside its way come to; nothing where they do not fit the tree."""
    found, last, rest = hashlib.sha256(b"\x00" + leaf).digest(), size - 1, list(path)
    while 0 <= index <= last and last:
        if index & 1 and rest:
            found = hashlib.sha256(b"\x01" + rest.pop(0) + found).digest()
        elif index < last and rest:
            found = hashlib.sha256(b"\x01" + found + rest.pop(0)).digest()
        elif index & 1 or index < last:
            return b""
        index, last = index >> 1, last >> 1
    return b"" if rest or index or last else found


def chain(events: list[Event]) -> tuple[list[bytes], list[str]]:
    """Return the tree's root after each number of events, and what is wrong with the chain."""
    previous, roots = "0" * 64, [hashlib.sha256(b"").digest()]
    edge: list[bytes] = []
    problems: list[str] = []
    for number, event in enumerate(events, start=1):
        if event["sequence"] != number:
            problems.append(f"event {number}: its number is {event['sequence']}")
        if event["previous_hash"] != previous:
            problems.append(f"event {number}: the link to the one before is broken")
        if event["hash"] != hash_of(event):
            problems.append(f"event {number}: it was changed after it was recorded")
        previous = event["hash"]
        edge = grown(edge, number - 1, previous.encode())
        roots.append(root(edge))
    return roots, problems


def hash_of(event: Event) -> str:
    """Return the hash that an event should have."""
    covered = {name: event[name] for name in COVERED}
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    payload = event["payload"].encode("utf-8", "surrogateescape")
    return hashlib.sha256(event["previous_hash"].encode() + b"\n" + canonical + b"\n" + payload).hexdigest()


def grown(edge: list[bytes], size: int, leaf: bytes) -> list[bytes]:
    """Return the roots of the complete subtrees with one leaf more."""
    new, edge = hashlib.sha256(b"\x00" + leaf).digest(), list(edge)
    while size & 1:
        new, size = hashlib.sha256(b"\x01" + edge.pop() + new).digest(), size >> 1
    return [*edge, new]


def root(edge: list[bytes]) -> bytes:
    """Return the tree's root."""
    *rest, found = edge
    for subtree in reversed(rest):
        found = hashlib.sha256(b"\x01" + subtree + found).digest()
    return found


def checkpoints(text: str, roots: list[bytes], keys: list[str]) -> tuple[int, list[str]]:
    """Return how many checkpoints are signed by one of the keys, and which of them the events do not bear out."""
    checked, problems = 0, []
    for body, name, signature in NOTE.findall(text):
        size, claimed = int(body.split("\n")[1]), base64.b64decode(body.split("\n")[2])
        if not any(signed(body, name, base64.b64decode(signature), key) for key in keys):
            problems.append(f"the checkpoint of {size} events is not signed by a key that you trust")
        elif size >= len(roots):
            problems.append(f"the log ends after {len(roots) - 1} events; a checkpoint was signed for {size}")
        elif roots[size] != claimed:
            problems.append(f"the first {size} events are not those that a checkpoint was signed for")
        else:
            checked += 1
    return checked, problems


def signed(body: str, name: str, signature: bytes, key: str) -> bool:
    """Return whether this key (name+id+base64) signed the body."""
    known, key_id, public = key.split("+", 2)
    if known != name or signature[:4].hex() != key_id:
        return False
    return verified(base64.b64decode(public)[1:], body.encode(), signature[4:])


def verified(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the Ed25519 signature is the key's; RFC 8032, section 5.1.7."""
    if len(public) != 32 or len(signature) != 64:
        return False
    point, first = decompressed(public), decompressed(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or first is None or scalar >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    base = decompressed(BASE)
    assert base is not None  # noqa: S101 - a constant of the curve
    return same(times(scalar, base), added(first, times(challenge, point)))


def added(one: Point, other: Point) -> Point:
    """Return the sum of two points in extended coordinates."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(scalar: int, point: Point) -> Point:
    """Return the multiple of a point."""
    total: Point = (0, 1, 1, 0)
    while scalar:
        total = added(total, point) if scalar & 1 else total
        point, scalar = added(point, point), scalar >> 1
    return total


def same(one: Point, other: Point) -> bool:
    """Return whether two points are the same."""
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


def decompressed(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes stand for, or None."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * ROOT_OF_MINUS_ONE % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return (x, y, 1, x * y % P)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
