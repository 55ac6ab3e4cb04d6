"""The door to a tenant's EHR: a FHIR transport that carries one launch's own token, and nobody else's."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import requests
from sqlalchemy import Connection

from app.db import Database
from app.errors import AddressChanged, Corrupt, NeedsSignIn, TryAgain
from app.ids import LaunchId, TenantId
from app.tenants import habits, launches, moved_bases
from app.tenants.directory import Tenants
from app.tenants.habits import Habit
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from app.tenants.renewal import Renewal
from launch.scopes import GrantedScopes
from vendors.bearer import NotRenewedNow, Renew
from vendors.contract import VendorAdapter
from vendors.transport import FHIRTransport, SignersTransport

Sessions = Callable[[Tenant], requests.Session]


@dataclass(frozen=True)
class Signer:
    """Who signed, in whose chart, at which EHR: what a launch must match before a note leaves under its grant."""

    issuer: str
    subject: str
    fhir_user: str
    patient: str
    fhir_base: str

    def is_of(self, launch: Launch) -> bool:
        """Whether the launch is this person's own, in this chart; whether the EHR is the same, `EHRs` asks."""
        theirs = (launch.issuer, launch.subject, launch.fhir_user, launch.patient)
        return theirs == (self.issuer, self.subject, self.fhir_user, self.patient)


class EHRs:
    """Every tenant's EHR, by tenant and launch."""

    def __init__(
        self,
        tenants: Tenants,
        adapters: dict[str, VendorAdapter],
        renewal: Renewal,
        sessions: Sessions,
        database: Database,
    ) -> None:
        self._tenants = tenants
        self._adapters = adapters
        self._renewal = renewal
        self._sessions = sessions
        self._database = database

    def tenant(self, tenant_id: TenantId) -> Tenant:
        """The registration. Raises `Misconfigured` when it was removed while work for it was left."""
        return self._tenants.require(tenant_id)

    def steady(self) -> AbstractContextManager[None]:
        """Within it this thread has the registrations as they are now (`Tenants.steady`)."""
        return self._tenants.steady()

    def session(self, tenant: Tenant) -> requests.Session:
        """The guarded HTTP session of this tenant, kept for the life of the process."""
        return self._sessions(tenant)

    def adapter(self, tenant_id: TenantId) -> VendorAdapter:
        """What this tenant's EHR can do."""
        return self._adapters[self.tenant(tenant_id).vendor]

    def seeker(self, tx: Connection, tenant_id: TenantId) -> VendorAdapter:
        """The adapter for finding again what was sent; one whose EHR drops our identifier never trusts a search for it.

        Raises `Misconfigured` as `tenant` does.
        """
        adapter = self.adapter(tenant_id)
        return adapter.without_identifiers() if Habit.DROPS_IDENTIFIERS in habits.seen(tx, tenant_id) else adapter

    def require_same_ehr(self, tenant_id: TenantId, fhir_base: str) -> None:
        """Raises `AddressChanged` where the tenant left this address and nobody said that it is the same EHR (F45)."""
        if self.has_left(tenant_id, fhir_base):
            with self._database.read() as tx:
                _require_same_ehr(tx, self.tenant(tenant_id), fhir_base)

    def has_left(self, tenant_id: TenantId, fhir_base: str) -> bool:
        """Whether the tenant has another address now."""
        return self.tenant(tenant_id).fhir_base != fhir_base

    def under_grant_of(self, tenant_id: TenantId, launch_id: LaunchId, correlation_id: str = "") -> FHIRTransport:
        """A transport that carries this launch's own token to the address that it was granted for, for reading.

        The token is renewed when it is about to end, and once more when the EHR refuses it. Raises `NeedsSignIn` when
        it has ended, `AddressChanged` when the tenant has another address now, and `TryAgain` when it could not be
        renewed just now.
        """
        tenant = self.tenant(tenant_id)
        token = self._renewal.usable(tenant, launch_id).access_token
        renew = self._renew(tenant, launch_id)
        return FHIRTransport(tenant.fhir_base, self.session(tenant), token, tenant.vendor, correlation_id, renew)

    def under_signers_grant(
        self, tenant_id: TenantId, launch_id: LaunchId, signer: Signer, correlation_id: str = ""
    ) -> SignersTransport:
        """The only door through which a note leaves: the launch must be the signer's own (A63).

        Raises `Corrupt` when it is not, or when its grant reaches beyond its user; what `under_grant_of` raises, and
        `AddressChanged` too where it was signed for an address of which nobody said that it is the same EHR.
        """
        tenant = self.tenant(tenant_id)
        with self._database.read() as tx:
            launch = launches.find(tx, launch_id)
            if launch.tenant_id != tenant_id or not signer.is_of(launch):
                raise Corrupt("The launch whose access would send this note is not its signer's own.")
            if GrantedScopes(launch.scopes).reaches_beyond_the_user:
                raise Corrupt("The access that would send this note is not its signer's alone.")
            _require_same_ehr(tx, tenant, signer.fhir_base)
            stored = self._renewal.of(tx, tenant, launch_id)
        token = self._renewal.fresh(tenant, stored).access_token
        renew = self._renew(tenant, launch_id)
        return SignersTransport(tenant.fhir_base, self.session(tenant), token, tenant.vendor, correlation_id, renew)

    def under_reading_grant(self, tenant: Tenant, token: str, correlation_id: str = "") -> FHIRTransport:
        """A transport that carries the tenant's read-only token; it is no signer's, so nothing is ever sent with it."""
        return FHIRTransport(tenant.fhir_base, self.session(tenant), token, tenant.vendor, correlation_id)

    def _renew(self, tenant: Tenant, launch_id: LaunchId) -> Renew:
        def renew(refused: str) -> str | None:
            try:
                return self._renewal.after_refusal(tenant, launch_id, refused).access_token
            except NeedsSignIn:
                return None
            except TryAgain as not_now:
                raise NotRenewedNow from not_now

        return renew


def _require_same_ehr(tx: Connection, tenant: Tenant, fhir_base: str) -> None:
    if not moved_bases.is_same_ehr(tx, tenant, fhir_base):
        raise AddressChanged("The EHR has another address now than when this was signed.")
