"""Clinical content kept for the record: the AI draft, each edit, the signed snapshot, the payload, the reply.

Content is sealed before it is stored. The event log refers to it by id and by the digest of the ciphertext, so the
log commits to the exact bytes without holding any clinical text, and erasing a key erases the meaning only.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from app.artifacts.tables import artifact_keys, artifacts
from app.errors import Corrupt
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.event_log.verify import Problem
from app.ids import new_artifact_id
from app.sealing import Keyring, Sealed


class ArtifactKind(StrEnum):
    """What an artifact is; every kind is shown by name on the record page."""

    DRAFT = "draft"
    EDIT = "edit"
    SNAPSHOT = "snapshot"
    PAYLOAD = "payload"
    REPLY = "reply"
    STORED = "stored"
    PROVENANCE = "provenance"


class ArtifactStore:
    """Seals, keeps and opens artifacts under one keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def keep(self, tx: Connection, tenant_id: str, kind: ArtifactKind, content: bytes, now: datetime) -> ArtifactRef:
        """Seal and store `content`; returns the reference that an event should carry."""
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
        key = {"artifact_id": artifact_id, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}
        tx.execute(insert(artifacts).values(**row))
        tx.execute(insert(artifact_keys).values(**key))
        return ArtifactRef(artifact_id=artifact_id, digest=row["digest"])

    def open(self, tx: Connection, tenant_id: str, ref: ArtifactRef) -> bytes:
        """The content behind `ref`. Raises `Corrupt` when it is missing or not the bytes that the log committed to."""
        query = (
            select(artifacts.c.ciphertext, artifact_keys.c.wrapped_key, artifact_keys.c.key_id)
            .join(artifact_keys, artifact_keys.c.artifact_id == artifacts.c.artifact_id)
            .where(artifacts.c.artifact_id == ref.artifact_id, artifacts.c.tenant_id == tenant_id)
        )
        row = tx.execute(query).one_or_none()
        if row is None or digest(row.ciphertext) != ref.digest:
            raise Corrupt("A kept artifact is missing or is not what the log says it was.")
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        return self._keyring.open(sealed, _context(tenant_id, ref.artifact_id))


def verify_artifact(tx: Connection, tenant_id: str, sequence: int, ref: ArtifactRef) -> Iterator[Problem]:
    """What is wrong with the artifact that event `sequence` refers to, if anything; needs no key."""
    query = select(artifacts.c.ciphertext).where(
        artifacts.c.artifact_id == ref.artifact_id, artifacts.c.tenant_id == tenant_id
    )
    ciphertext = tx.execute(query).scalar_one_or_none()
    if ciphertext is None:
        yield Problem(tenant_id, sequence, f"artifact {ref.artifact_id} is missing")
    elif digest(ciphertext) != ref.digest:
        yield Problem(tenant_id, sequence, f"artifact {ref.artifact_id} was changed after it was recorded")


def _context(tenant_id: str, artifact_id: str) -> str:
    return f"artifact/{tenant_id}/{artifact_id}"
