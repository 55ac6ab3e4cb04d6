"""The idempotency ledger's two entries: a mutation was ordered; the EHR holds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from app.db import insert_those_absent
from app.errors import Conflict, Corrupt
from app.event_log.canonical import canonical_json, digest
from app.ids import TenantId, WritebackId
from app.writebacks.tables import ledger

# Made once: each filed write goes through it.
_CLOSE = update(ledger).where(ledger.c.writeback_id == bindparam("which"), ledger.c.filed_as.is_(None))


def idempotency_key(
    tenant_id: str, note_id: str, note_version: int, resource_type: str, mutation: str, proposal_id: str = ""
) -> str:
    """The same logical mutation always gives the same key: SHA-256, so that it says nothing by itself.

    Of several entries beside one note each is a mutation of its own, named by its proposal.
    """
    parts = [tenant_id, note_id, note_version, resource_type, mutation]
    return digest(canonical_json([*parts, proposal_id] if proposal_id else parts))


@dataclass(frozen=True)
class Mutation:
    """One logical mutation, the write-back that is to execute it, and the digest of what it sends."""

    idempotency_key: str
    tenant_id: TenantId
    writeback_id: WritebackId
    payload_digest: str
    created_at: datetime


def order(tx: Connection, mutations: Sequence[Mutation]) -> None:
    """Enter mutations, each for the first time. The caller's transaction must end when one was entered before.

    Raises `Conflict` when its key was used for another payload, and `Corrupt` when it was used at all: a note is signed
    once.
    """
    if mutations and insert_those_absent(tx, ledger, [vars(one) for one in mutations]) != len(mutations):
        for one in mutations:
            _require_first(tx, one)


def _require_first(tx: Connection, mutation: Mutation) -> None:
    known = tx.execute(select(ledger).where(ledger.c.idempotency_key == mutation.idempotency_key)).one()
    if known.payload_digest != mutation.payload_digest:
        raise Conflict("The same write was ordered before with another content.", "Reload the page and read its state.")
    if known.writeback_id != mutation.writeback_id:
        raise Corrupt("This write was ordered before, by another signature.")


def close(tx: Connection, writeback_id: WritebackId, filed_as: str, now: datetime) -> None:
    """Enter that the EHR holds the mutation as `filed_as`. Never overwrites an earlier entry."""
    tx.execute(_CLOSE, {"which": writeback_id, "filed_as": filed_as, "filed_at": now})
