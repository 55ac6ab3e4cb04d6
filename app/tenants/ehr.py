"""The door to a tenant's EHR: a FHIR transport that carries one launch's own token, and nobody else's."""

from collections.abc import Callable

import requests

from app.clock import Clock
from app.db import Database
from app.errors import AddressChanged
from app.ids import LaunchId, TenantId
from app.tenants.grants import Grants
from app.tenants.registrations import Tenant, Tenants
from vendors.contract import VendorAdapter
from vendors.transport import FHIRTransport

Sessions = Callable[[Tenant], requests.Session]


class EHRs:
    """Every tenant's EHR, by tenant and launch."""

    def __init__(
        self,
        tenants: Tenants,
        adapters: dict[str, VendorAdapter],
        grants: Grants,
        sessions: Sessions,
        database: Database,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._adapters = adapters
        self._grants = grants
        self._sessions = sessions
        self._database = database
        self._clock = clock

    def tenant(self, tenant_id: TenantId) -> Tenant:
        """The registration. Raises `Misconfigured` when it was removed while work for it was left."""
        return self._tenants.require(tenant_id)

    def session(self, tenant: Tenant) -> requests.Session:
        """The guarded HTTP session of this tenant, kept for the life of the process."""
        return self._sessions(tenant)

    def adapter(self, tenant_id: TenantId) -> VendorAdapter:
        """What this tenant's EHR can do."""
        return self._adapters[self.tenant(tenant_id).vendor]

    def under_grant_of(self, tenant_id: TenantId, launch_id: LaunchId, correlation_id: str = "") -> FHIRTransport:
        """A transport that carries this launch's own token to the address that it was granted for.

        Raises `NeedsSignIn` when that token has ended, and `AddressChanged` when the tenant has another address now.
        """
        tenant = self.tenant(tenant_id)
        with self._database.read() as tx:
            grant = self._grants.open(tx, tenant_id, launch_id, self._clock())
        if grant.fhir_base != tenant.fhir_base:
            raise AddressChanged("The EHR has another address now than when this chart was opened.")
        return FHIRTransport(tenant.fhir_base, self.session(tenant), grant.access_token, tenant.vendor, correlation_id)
