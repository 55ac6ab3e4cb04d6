"""Clinical content kept for the record: the AI draft, each edit, the signed snapshot, the payload, the reply.

Content is sealed before it is stored. The event log refers to it by id and by the digest of the ciphertext, so the
log commits to the exact bytes without holding any clinical text, and erasing a key erases the meaning only.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from app.artifacts.tables import artifact_keys, artifacts
from app.errors import Corrupt
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.event_log.verify import Problem
from app.ids import new_artifact_id
from app.sealing import Keyring, Sealed

NOT_AS_LOGGED = "A kept artifact is missing or is not what the log says it was."
_KEEP, _KEEP_KEY = insert(artifacts), insert(artifact_keys)  # made once: each signature keeps several
_STORED = select(
    artifacts.c.artifact_id, artifacts.c.ciphertext, artifact_keys.c.wrapped_key, artifact_keys.c.key_id
).join(artifact_keys, artifact_keys.c.artifact_id == artifacts.c.artifact_id)
_ONE_STORED = _STORED.where(artifacts.c.artifact_id == bindparam("which"), artifacts.c.tenant_id == bindparam("whose"))


class ArtifactKind(StrEnum):
    """What an artifact is; every kind is shown by name on the record page."""

    DRAFT = "draft"
    EDIT = "edit"
    SNAPSHOT = "snapshot"
    PAYLOAD = "payload"
    REPLY = "reply"
    STORED = "stored"
    PROVENANCE = "provenance"


SealedRows = tuple[dict[str, object], dict[str, object]]


def reference_to(rows: SealedRows) -> ArtifactRef:
    """The reference that an event should carry to what these rows keep."""
    row, _ = rows
    return ArtifactRef(artifact_id=str(row["artifact_id"]), digest=str(row["digest"]))


def store(tx: Connection, sealed: Sequence[SealedRows]) -> None:
    """Store what was sealed, with one statement for each of the two tables."""
    if sealed:
        tx.execute(_KEEP, [row for row, _ in sealed])
        tx.execute(_KEEP_KEY, [key for _, key in sealed])


class ArtifactStore:
    """Seals, keeps and opens artifacts under one keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def keep(self, tx: Connection, tenant_id: str, kind: ArtifactKind, content: bytes, now: datetime) -> ArtifactRef:
        """Seal and store `content`; returns the reference that an event should carry."""
        rows = self.sealed(tenant_id, kind, content, now)
        store(tx, [rows])
        return reference_to(rows)

    def sealed(self, tenant_id: str, kind: ArtifactKind, content: bytes, now: datetime) -> SealedRows:
        """The rows of `artifacts` and `artifact_keys` that keep `content`, for whoever stores many at once."""
        artifact_id = new_artifact_id()
        sealed = self._keyring.seal(content, _context(tenant_id, artifact_id))
        row = {
            "artifact_id": artifact_id,
            "tenant_id": tenant_id,
            "kind": kind,
            "ciphertext": sealed.ciphertext,
            "digest": digest(sealed.ciphertext),
            "created_at": now,
        }
        return row, {"artifact_id": artifact_id, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}

    def open(self, tx: Connection, tenant_id: str, ref: ArtifactRef) -> bytes:
        """The content behind `ref`. Raises `Corrupt` when it is missing or not the bytes that the log committed to."""
        row = tx.execute(_ONE_STORED, {"which": ref.artifact_id, "whose": tenant_id}).one_or_none()
        if row is None:
            raise Corrupt(NOT_AS_LOGGED)
        return self._opened(tenant_id, ref, row)

    def open_all(self, tx: Connection, tenant_id: str, refs: Iterable[ArtifactRef]) -> dict[str, bytes]:
        """The contents by artifact id, read with one query; what is missing or not as the log says is left out."""
        wanted = {ref.artifact_id: ref for ref in refs}
        query = _STORED.where(artifacts.c.artifact_id.in_(wanted), artifacts.c.tenant_id == tenant_id)
        contents = {}
        for row in tx.execute(query):
            with suppress(Corrupt):
                contents[row.artifact_id] = self._opened(tenant_id, wanted[row.artifact_id], row)
        return contents

    def _opened(self, tenant_id: str, ref: ArtifactRef, row: Any) -> bytes:
        if digest(row.ciphertext) != ref.digest:
            raise Corrupt(NOT_AS_LOGGED)
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        return self._keyring.open(sealed, _context(tenant_id, ref.artifact_id))


@dataclass(frozen=True)
class Referred:
    """An event of a tenant's log that refers to an artifact."""

    tenant_id: str
    sequence: int
    ref: ArtifactRef


def verify_artifacts(tx: Connection, referred: Sequence[Referred]) -> Iterator[Problem]:
    """What is wrong with the artifacts that these events refer to, if anything; read with one query, without a key."""
    wanted = {one.ref.artifact_id for one in referred}
    query = select(artifacts.c.artifact_id, artifacts.c.tenant_id, artifacts.c.ciphertext)
    rows = tx.execute(query.where(artifacts.c.artifact_id.in_(wanted)))
    kept = {(row.tenant_id, row.artifact_id): digest(row.ciphertext) for row in rows}
    for one in referred:
        found = kept.get((one.tenant_id, one.ref.artifact_id))
        if found is None:
            yield Problem(one.tenant_id, one.sequence, f"artifact {one.ref.artifact_id} is missing")
        elif found != one.ref.digest:
            what = f"artifact {one.ref.artifact_id} was changed after it was recorded"
            yield Problem(one.tenant_id, one.sequence, what)


def _context(tenant_id: str, artifact_id: str) -> str:
    return f"artifact/{tenant_id}/{artifact_id}"
