"""Dead letters: writes that nobody works on any more, because each step on them ended in an error of ours (F46).

One stays in its row, for its signer and for operations to see, until an administrator wakes it or a person ends it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.ids import TenantId, WritebackId
from app.outbox import rows
from app.outbox.rows import Partition
from app.outbox.tables import outbox


@dataclass(frozen=True)
class DeadLetter:
    """One of them: since when, and the error's class."""

    writeback_id: WritebackId
    tenant_id: TenantId
    since: datetime
    why: str


def dead_letters(tx: Connection) -> list[DeadLetter]:
    """Every dead letter, the oldest first."""
    query = select(outbox).where(outbox.c.dead_since.isnot(None)).order_by(outbox.c.dead_since)
    return [DeadLetter(row.writeback_id, row.tenant_id, row.dead_since, row.dead_for) for row in tx.execute(query)]


def put_aside(tx: Connection, writeback_ids: Collection[WritebackId]) -> dict[WritebackId, str]:
    """Those of these write-backs that are dead letters, each with the error's class."""
    query = select(outbox.c.writeback_id, outbox.c.dead_for).where(outbox.c.dead_since.isnot(None))
    found = tx.execute(query.where(outbox.c.writeback_id.in_(list(writeback_ids))))
    return {row.writeback_id: row.dead_for for row in found}


def revive(tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, now: datetime) -> Partition | None:
    """Have a dead letter worked on again from the stage where it stands; None where it is none, or another tenant's."""
    mine = (outbox.c.writeback_id == writeback_id) & (outbox.c.tenant_id == tenant_id)
    row = tx.execute(select(outbox.c.workflow).where(mine, outbox.c.dead_since.isnot(None)).with_for_update()).first()
    if row is None:
        return None
    rows.wake(tx, writeback_id, now)
    return Partition(tenant_id, row.workflow)
