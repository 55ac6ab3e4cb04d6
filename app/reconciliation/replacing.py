"""A write stands in the chart that changes an earlier one: what becomes of that one."""

from datetime import datetime

from sqlalchemy import Connection

from app.ids import TenantId, WritebackId
from app.reconciliation import followed
from app.writebacks.commands import SupersedeWrite
from app.writebacks.events import WritebackQueued
from app.writebacks.handlers import WritebackCommands


def take_its_place(
    tx: Connection,
    writebacks: WritebackCommands,
    tenant_id: TenantId,
    writeback_id: WritebackId,
    order: WritebackQueued,
    now: datetime,
) -> None:
    """Say so of the earlier one too, in the transaction that knows that this one stands there.

    Whether the EHR shows it so is looked at soon. Nothing happens to what does not stand in the chart, nor twice.
    """
    if order.supersedes:
        original = WritebackId(order.follows)
        writebacks.supersede(tx, tenant_id, original, SupersedeWrite(writeback_id, order.supersedes), now)
        followed.look_soon(tx, original, now)
