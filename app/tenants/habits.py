"""What a tenant's EHR was seen to do that makes its silence no proof. Once is enough, and it is never forgotten.

One that drops our identifier is not found by a search for it (F25): a write whose answer was lost is looked for by
listing and comparing at once. One that accepts for later (202) files when it likes (F17), whatever its profile says of
its longest execution. At both, nothing that is not found counts as absent, and no write is sent again by itself. A new
EHR is a new tenant.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from app.tenants.events import TenantAcceptedForLater, TenantIdentifierLost
from app.tenants.tables import ehr_habits as table
from app.tenants.tenant_log import OURSELVES, hold, record


class Habit(StrEnum):
    """What an EHR does."""

    DROPS_IDENTIFIERS = "drops_identifiers"
    FILES_LATER = "files_later"


SAID_BY: dict[Habit, type[TenantIdentifierLost | TenantAcceptedForLater]] = {
    Habit.DROPS_IDENTIFIERS: TenantIdentifierLost,
    Habit.FILES_LATER: TenantAcceptedForLater,
}
if missing := set(Habit) - SAID_BY.keys():
    raise TypeError(f"these habits of an EHR have no event: {sorted(missing)}")


@dataclass(frozen=True)
class Seen:
    """The first write that showed a habit."""

    resource_type: str
    writeback_id: str
    at: datetime


def seen(tx: Connection, tenant_id: str) -> dict[Habit, Seen]:
    """The habits of the tenant's EHR, each with the write that showed it first."""
    rows = tx.execute(select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.habit))
    return {Habit(row.habit): Seen(row.resource_type, row.writeback_id, row.seen_at) for row in rows}


def absence_proves(tx: Connection, tenant_id: str) -> bool:
    """Whether the EHR was never seen to do what makes its silence no proof."""
    return not seen(tx, tenant_id)


def note(tx: Connection, tenant_id: str, habit: Habit, first: Seen) -> None:
    """Remember a habit, once. The log is held, so that two never do it at a time, nor while an attempt begins."""
    hold(tx, tenant_id)
    if habit in seen(tx, tenant_id):
        return
    event = SAID_BY[habit](resource_type=first.resource_type, writeback_id=first.writeback_id)
    record(tx, tenant_id, event, actor=OURSELVES, now=first.at)
    row = {"resource_type": first.resource_type, "writeback_id": first.writeback_id, "seen_at": first.at}
    tx.execute(insert(table).values(tenant_id=tenant_id, habit=habit, **row))
