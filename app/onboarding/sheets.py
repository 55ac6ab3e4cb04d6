"""The registration sheets of this installation's tenants."""

from app.ids import TenantId
from app.onboarding.addresses import addresses_of
from app.onboarding.sheet import Sheet, make_sheet
from app.tenants.directory import Tenants
from app.tenants.ehr import EHRs
from app.tenants.launch_ports import BACKGROUND


class Sheets:
    """Makes a tenant's sheet from its registration and its vendor's profile; asks nobody."""

    def __init__(self, tenants: Tenants, ehrs: EHRs, public_url: str) -> None:
        self._tenants = tenants
        self._ehrs = ehrs
        self._public_url = public_url

    def of(self, tenant_id: str) -> Sheet:
        """The sheet. Raises `Misconfigured` for an unknown tenant."""
        tenant = self._tenants.require(tenant_id)
        profile = self._ehrs.adapter(TenantId(tenant_id)).profile
        addresses = addresses_of(tenant, self._public_url, self._tenants)
        scopes = (*profile.scope_strings(v2=True), *BACKGROUND[tenant.background_access])
        return make_sheet(tenant, profile, addresses, scopes)
