"""Does a tenant's EHR keep our identifier? Where it was lost once, nothing that is not found counts as absent (F25).

From then on a write whose answer was lost is looked for by listing and comparing at once, and is never sent again by
itself: a search for what the EHR does not keep says nothing. The flag stays; a new EHR is a new tenant.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from app.tenants.events import TenantIdentifierLost
from app.tenants.tables import lost_identifiers as table
from app.tenants.tenant_log import OURSELVES, record


@dataclass(frozen=True)
class Loss:
    """The first write that was read back without our identifier."""

    resource_type: str
    writeback_id: str
    seen_at: datetime


def lost_at(tx: Connection, tenant_id: str) -> Loss | None:
    """When and where the tenant's EHR dropped our identifier; None where it never did."""
    row = tx.execute(select(table).where(table.c.tenant_id == tenant_id)).one_or_none()
    return Loss(row.resource_type, row.writeback_id, row.seen_at) if row else None


def are_kept(tx: Connection, tenant_id: str) -> bool:
    """Whether nothing of ours was ever read back without its identifier."""
    return lost_at(tx, tenant_id) is None


def note_loss(tx: Connection, tenant_id: str, loss: Loss) -> None:
    """Flag the tenant, once; in a transaction that holds the tenant's log, so that two never do it at a time."""
    if not are_kept(tx, tenant_id):
        return
    event = TenantIdentifierLost(resource_type=loss.resource_type, writeback_id=loss.writeback_id)
    record(tx, tenant_id, event, actor=OURSELVES, now=loss.seen_at)
    row = {"resource_type": loss.resource_type, "writeback_id": loss.writeback_id, "seen_at": loss.seen_at}
    tx.execute(insert(table).values(tenant_id=tenant_id, **row))
