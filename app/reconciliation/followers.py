"""The writes that change an earlier one and are still on their way."""

from sqlalchemy import Connection, select

from app.ids import TenantId, WritebackId
from app.outbox.tables import outbox
from app.writebacks.handlers import load
from app.writebacks.state import Stage

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
