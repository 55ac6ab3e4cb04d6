"""The idempotency ledger's two entries: a mutation was ordered; the EHR holds it."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from app.db import insert_if_absent
from app.errors import Conflict
from app.event_log.canonical import canonical_json, digest
from app.ids import WritebackId
from app.writebacks.tables import ledger


def idempotency_key(
    tenant_id: str, note_id: str, note_version: int, resource_type: str, mutation: str, proposal_id: str = ""
) -> str:
    """The same logical mutation always gives the same key: SHA-256, so that it says nothing by itself.

    Of several entries beside one note each is a mutation of its own, named by its proposal.
    """
    parts = [tenant_id, note_id, note_version, resource_type, mutation]
    return digest(canonical_json([*parts, proposal_id] if proposal_id else parts))


def order(
    tx: Connection, key: str, tenant_id: str, writeback_id: WritebackId, payload_digest: str, now: datetime
) -> WritebackId:
    """Enter the mutation; returns the write-back that executes it, which is the first one ever ordered under `key`.

    Raises `Conflict` when the key was used for another payload.
    """
    row = {"idempotency_key": key, "tenant_id": tenant_id, "writeback_id": writeback_id}
    if insert_if_absent(tx, ledger, row | {"payload_digest": payload_digest, "created_at": now}):
        return writeback_id
    known = tx.execute(select(ledger).where(ledger.c.idempotency_key == key)).one()
    if known.payload_digest != payload_digest:
        raise Conflict("The same write was ordered before with another content.", "Reload the page and read its state.")
    return WritebackId(known.writeback_id)


def close(tx: Connection, writeback_id: WritebackId, filed_as: str, now: datetime) -> None:
    """Enter that the EHR holds the mutation as `filed_as`. Never overwrites an earlier entry."""
    row = ledger.c.writeback_id == writeback_id
    tx.execute(update(ledger).where(row, ledger.c.filed_as.is_(None)).values(filed_as=filed_as, filed_at=now))
