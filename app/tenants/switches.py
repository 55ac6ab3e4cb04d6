"""Kill switches: writing to an EHR, off for a tenant, one of its workflows or one kind of resource.

At signing a switch that is off leads to copying; the worker asks again before each send and lets the write wait.
Reading is never switched off: what may already stand in the chart must still be found.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, or_, select

from app.clock import Clock
from app.db import Database
from app.errors import BadInput
from app.tenants.events import TenantSwitchTurned
from app.tenants.registrations import Tenant
from app.tenants.tables import switches as table
from app.tenants.tenant_log import record
from vendors.entry_values import RESOURCE_OF

# What we write, and so what can be switched off by kind.
RESOURCES = ("DocumentReference", "Provenance", *RESOURCE_OF.values())
LONGEST_REASON = 500
# The switches that are off for this kind of resource in this workflow, whichever way they cover it.
COVERING = (
    select(table.c.tenant_id)
    .where(table.c.tenant_id == bindparam("tenant"))
    .where(or_(table.c.workflow == "", table.c.workflow == bindparam("for_workflow")))
    .where(or_(table.c.resource == "", table.c.resource == bindparam("for_resource")))
)


@dataclass(frozen=True)
class Switch:
    """A switch that is off; an empty workflow or resource means all of them."""

    tenant_id: str
    workflow: str
    resource: str
    off_since: datetime
    turned_by: str
    reason: str


def turned_off(tx: Connection, tenant_id: str | None = None) -> tuple[Switch, ...]:
    """Every switch that is off, of one tenant or of all."""
    query = select(table).order_by(table.c.tenant_id, table.c.workflow, table.c.resource)
    rows = tx.execute(query if tenant_id is None else query.where(table.c.tenant_id == tenant_id))
    return tuple(Switch(**row) for row in rows.mappings())


class Switches:
    """Turns writing off and on."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def turn_off(self, tenant: Tenant, workflow: str, resource: str, reason: str, actor: str) -> None:
        """Stop writing: for one workflow and one resource, or for all where these are empty. Raises `BadInput`.

        Off already: only the reason and who turned it are renewed.
        """
        self._turn(tenant, workflow, resource, reason, actor, off=True)

    def turn_on(self, tenant: Tenant, workflow: str, resource: str, reason: str, actor: str) -> bool:
        """Take exactly this switch away; others may still cover it. False: it was not off. Raises `BadInput`.

        What waited for it goes on with the next sweep.
        """
        return self._turn(tenant, workflow, resource, reason, actor, off=False)

    def _turn(self, tenant: Tenant, workflow: str, resource: str, reason: str, actor: str, *, off: bool) -> bool:
        _check(tenant, workflow, resource, reason)
        row = {"tenant_id": tenant.id, "workflow": workflow, "resource": resource}
        with self._database.write() as tx:
            now = self._clock()
            was_off = tx.execute(select(table.c.off_since).where(_same(row)).with_for_update()).scalar_one_or_none()
            if not (was_off or off):
                return False
            event = TenantSwitchTurned(workflow=workflow, resource=resource, off=off, reason=reason)
            record(tx, tenant.id, event, actor=actor, now=now)
            tx.execute(delete(table).where(_same(row)))
            if off:
                tx.execute(insert(table).values(**row, off_since=was_off or now, turned_by=actor, reason=reason))
        return True


def _check(tenant: Tenant, workflow: str, resource: str, reason: str) -> None:
    workflows = [one.id for one in tenant.workflows]
    if workflow and workflow not in workflows:
        raise BadInput(f"{tenant.id} has no workflow {workflow}.", f"Write one of {', '.join(workflows)}.")
    if resource and resource not in RESOURCES:
        raise BadInput("Countersign writes no such resource.", f"Write one of {', '.join(RESOURCES)}.")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise BadInput(f"A reason is 1 to {LONGEST_REASON} characters.", "Say why, for those who look later.")


def _same(row: dict[str, str]) -> ColumnElement[bool]:
    mine = (table.c.tenant_id == row["tenant_id"]) & (table.c.workflow == row["workflow"])
    return mine & (table.c.resource == row["resource"])
