"""What a workflow may do now: its tenant's life, its rollout phase and the kill switches, as one answer."""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.tenants.directory import Tenants
from app.tenants.registrations import Phase
from app.tenants.rollout import phase_in_force
from app.tenants.switches import is_off

SWITCHED_OFF = "switched_off"


@dataclass(frozen=True)
class Standing:
    """The phase of a workflow, and whether writing notes is switched off; a retired tenant's always is."""

    phase: Phase = Phase.FULL
    switched_off: bool = False


def standing_of(
    tx: Connection, tenants: Tenants, tenant_id: str, workflow: str, resource: str = "DocumentReference"
) -> Standing:
    """How a workflow stands for notes or another resource. Raises `Misconfigured` for a tenant that is nowhere."""
    off = tenants.is_retired(tenant_id) or is_off(tx, tenant_id, workflow, resource)
    return Standing(phase_in_force(tx, tenants.require(tenant_id), workflow), off)


def may_send(
    tx: Connection, tenants: Tenants, tenant_id: str, workflow: str, resource: str, needed: Phase = Phase.LOW_RISK
) -> bool:
    """Whether a write that was signed at the phase `needed` may leave now; asked before every send.

    Raises `Misconfigured` for a tenant that is nowhere.
    """
    if not tenants.is_live(tx, tenant_id) or is_off(tx, tenant_id, workflow, resource):
        return False
    return phase_in_force(tx, tenants.require(tenant_id), workflow).allows(needed)
