"""What a workflow may do now: its tenant's life, its rollout phase and the kill switches, as one answer."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, exists, select

from app.tenants import rollout, switches
from app.tenants.directory import Tenants
from app.tenants.registrations import Phase

SWITCHED_OFF = "switched_off"
# Made once, and one question for both: asked before every send.
_STANDING = select(exists(switches.COVERING).label("is_off"), rollout.SET_TO.scalar_subquery().label("phase"))


@dataclass(frozen=True)
class Standing:
    """The phase of a workflow, and whether writing notes is switched off; a retired tenant's always is."""

    phase: Phase = Phase.FULL
    switched_off: bool = False


def standing_of(
    tx: Connection, tenants: Tenants, tenant_id: str, workflow: str, resource: str = "DocumentReference"
) -> Standing:
    """How a workflow stands for notes or another resource. Raises `Misconfigured` for a tenant that is nowhere."""
    standing = _by_administrators(tx, tenants, tenant_id, workflow, resource)
    return replace(standing, switched_off=True) if tenants.is_retired(tenant_id) else standing


def may_send(
    tx: Connection, tenants: Tenants, tenant_id: str, workflow: str, resource: str, needed: Phase = Phase.LOW_RISK
) -> bool:
    """Whether a write that was signed at the phase `needed` may leave now; asked before every send.

    Raises `Misconfigured` for a tenant that is nowhere.
    """
    if not tenants.is_live(tx, tenant_id):
        return False
    standing = _by_administrators(tx, tenants, tenant_id, workflow, resource)
    return not standing.switched_off and standing.phase.allows(needed)


def _by_administrators(tx: Connection, tenants: Tenants, tenant_id: str, workflow: str, resource: str) -> Standing:
    asked = {"tenant": tenant_id, "for_workflow": workflow, "for_resource": resource}
    row = tx.execute(_STANDING, asked).one()
    return Standing(rollout.in_force(tenants.require(tenant_id), workflow, row.phase), row.is_off)
