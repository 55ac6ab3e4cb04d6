"""The writes that change an earlier one and have not come to their end."""

from sqlalchemy import Connection, select

from app.ids import TenantId, WritebackId
from app.outbox.tables import outbox
from app.writebacks.handlers import load
from app.writebacks.state import Stage

BEFORE_THE_END = frozenset({Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED, Stage.PARKED})
# What is under way at one tenant at a time; beyond so many the answer is yes, and it is asked again later.
MOST = 500


def are_under_way(tx: Connection, tenant_id: TenantId, writeback_id: WritebackId) -> bool:
    """Whether a write that follows this one may have reached the chart without our knowing its end."""
    query = select(outbox.c.writeback_id).where(outbox.c.tenant_id == tenant_id, outbox.c.due_at.isnot(None))
    working = tx.execute(query.limit(MOST)).scalars().all()
    states = (load(tx, tenant_id, WritebackId(one)) for one in working)
    return len(working) == MOST or any(
        state.stage is not Stage.QUEUED and state.queued.follows == writeback_id for state in states
    )


def wait(tx: Connection, tenant_id: TenantId, note_id: str, writeback_id: WritebackId) -> bool:
    """Whether a write of this note that follows this one was ordered and has neither been filed nor been ended."""
    query = select(outbox.c.writeback_id).where(outbox.c.tenant_id == tenant_id, outbox.c.note_id == note_id)
    states = (load(tx, tenant_id, WritebackId(one)) for one in tx.execute(query).scalars().all())
    return any(state.stage in BEFORE_THE_END and state.queued.follows == writeback_id for state in states)
