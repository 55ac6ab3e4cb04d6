"""How far a workflow may go: what an administrator set, else what the registration says."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from app.clock import Clock
from app.db import Database
from app.errors import BadInput
from app.tenants.events import TenantPhaseChanged
from app.tenants.registrations import Phase, Tenant
from app.tenants.tables import rollout_phases as table
from app.tenants.tenant_log import record

# What an administrator set; the name of its parameters is also that of `switches.COVERING`.
SET_TO = select(table.c.phase).where(
    table.c.tenant_id == bindparam("tenant"), table.c.workflow == bindparam("for_workflow")
)


def phase_in_force(tx: Connection, tenant: Tenant, workflow: str) -> Phase:
    """The phase of a workflow now."""
    set_to = tx.execute(SET_TO, {"tenant": tenant.id, "for_workflow": workflow}).scalar_one_or_none()
    return in_force(tenant, workflow, set_to)


def in_force(tenant: Tenant, workflow: str, set_to: str | None) -> Phase:
    """What an administrator set, else what the registration says."""
    return Phase(set_to) if set_to else tenant.registered_phase(workflow)


def phases(tx: Connection, tenant: Tenant) -> dict[str, Phase]:
    """The phase of each of the tenant's workflows now, by the workflow's id."""
    rows = tx.execute(select(table.c.workflow, table.c.phase).where(table.c.tenant_id == tenant.id))
    set_to = {row.workflow: Phase(row.phase) for row in rows}
    return {one.id: set_to.get(one.id) or tenant.registered_phase(one.id) for one in tenant.workflows}


class Rollout:
    """Changes phases."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def change(self, tenant: Tenant, workflow: str, phase: str, actor: str) -> Phase:
        """Set a workflow's phase; returns the one before. Writes that wait for it go on with the next sweep.

        Raises `BadInput` for a workflow or a phase that does not exist.
        """
        if workflow not in {one.id for one in tenant.workflows}:
            known = ", ".join(one.id for one in tenant.workflows)
            raise BadInput(f"{tenant.id} has no workflow {workflow}.", f"Write one of {known}.")
        if phase not in set(Phase):
            raise BadInput("There is no such phase.", f"Write one of {', '.join(Phase)}.")
        with self._database.write() as tx:
            now = self._clock()
            before = phase_in_force(tx, tenant, workflow)
            event = TenantPhaseChanged(workflow=workflow, before=before, phase=phase)
            record(tx, tenant.id, event, actor=actor, now=now)
            self._set(tx, tenant.id, workflow, phase, actor, now)
        return before

    def _set(self, tx: Connection, tenant_id: str, workflow: str, phase: str, actor: str, now: datetime) -> None:
        tx.execute(delete(table).where(table.c.tenant_id == tenant_id, table.c.workflow == workflow))
        row = {"tenant_id": tenant_id, "workflow": workflow, "phase": phase}
        tx.execute(insert(table).values(**row, changed_at=now, changed_by=actor))
