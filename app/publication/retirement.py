"""A tenant leaves: no launch and no send any more, and the tokens that its launches were given go back (A53)."""

from app.ids import TenantId
from app.publication.giving_back import GivingBack, TenantEnded
from app.tenants.registering import Registering


def retire_tenant(registering: Registering, giving_back: GivingBack, tenant_id: TenantId, actor: str) -> TenantEnded:
    """Retire the registration first, so that no launch begins meanwhile; then end its launches.

    Notes that were signed and not yet sent stay here. What the EHR may already hold is still asked about.
    Raises `NotFound` and `Refused` as `Registering.retire` does.
    """
    registering.retire(tenant_id, actor)
    return giving_back.end_tenant(tenant_id, actor=actor)
