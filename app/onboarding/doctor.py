"""The launch doctor: looks at one tenant's registration, its EHR, us and recent launches, and says what to change.

Nothing is changed by it, neither at the EHR nor here.
"""

from app.clock import Clock
from app.db import Database
from app.errors import Misconfigured
from app.ids import TenantId
from app.onboarding.addresses import Addresses, addresses_of
from app.onboarding.case import Case
from app.onboarding.diagnosis import diagnose, in_order
from app.onboarding.finding import Check, Finding, untold, wrong
from app.onboarding.history import history_of
from app.onboarding.probes import Probes
from app.onboarding.report import Report
from app.tenants.directory import Tenants
from app.tenants.ehr import EHRs
from app.tenants.launch_ports import LaunchRegistrations
from app.tenants.registrations import Tenant
from launch.client_authentication import method_of
from launch.registration import PrivateKeyJWT, Registration

NOT_LOOKED_AT = "Not looked at: the registration has to be put right first."


class LaunchDoctor:
    """Diagnoses the tenants of this installation."""

    def __init__(
        self,
        tenants: Tenants,
        ehrs: EHRs,
        registrations: LaunchRegistrations,
        database: Database,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._tenants = tenants
        self._ehrs = ehrs
        self._registrations = registrations
        self._database = database
        self._clock = clock
        self._public_url = public_url

    def diagnosis(self, tenant_id: str) -> Report:
        """Ask and judge. Raises `Misconfigured` for an unknown tenant, and nothing for what the EHR answers."""
        tenant, ran_at = self._tenants.require(tenant_id), self._clock()
        try:
            registration = self._registrations.by_tenant(tenant_id)
        except (Misconfigured, ValueError) as error:
            return self._report(tenant, None, _unusable(error, self._kept_in(tenant)))
        if registration is None:
            raise Misconfigured(f"The tenant {tenant_id} is retired; it takes no launches.")
        addresses = self._addresses(tenant)
        observed = Probes(registration, self._ehrs.session(tenant), addresses, self._clock).run()
        with self._database.read() as tx:
            history = history_of(tx, tenant, ran_at)
        profile = self._ehrs.adapter(TenantId(tenant_id)).profile
        case = Case(tenant, profile, registration, addresses, observed, history, self._kept_in(tenant))
        return self._report(tenant, registration, diagnose(case))

    def _report(self, tenant: Tenant, registration: Registration | None, findings: tuple[Finding, ...]) -> Report:
        support = self._ehrs.adapter(TenantId(tenant.id)).profile.onboarding.support.says
        facts = _facts(tenant, registration, self._addresses(tenant))
        return Report(tenant.id, tenant.organization, self._clock(), findings, facts, support)

    def _addresses(self, tenant: Tenant) -> Addresses:
        return addresses_of(tenant, self._public_url, self._tenants)

    def _kept_in(self, tenant: Tenant) -> str:
        if self._tenants.origin(tenant.id) == "file":
            return f"smart-config/tenants/{tenant.id}.yaml"
        return f"/admin/tenants/{tenant.id}"


def _unusable(error: Exception, kept_in: str) -> tuple[Finding, ...]:
    """The one finding of a registration that cannot be used; everything else waits for it."""
    found = error.what_happened if isinstance(error, Misconfigured) else str(error)
    first = wrong(
        Check.REGISTRATION,
        found if found.endswith(".") else f"{found}.",
        expected="A registration that agrees with itself, and a secret that can be read where it refers to",
        change="Put the secret where the registration looks for it, or correct the field.",
        where=f"Registration here ({kept_in}); this installation: the environment",
    )
    rest = [untold(check, NOT_LOOKED_AT) for check in Check if check is not Check.REGISTRATION]
    return in_order([first, *rest])


def _facts(tenant: Tenant, registration: Registration | None, addresses: Addresses) -> tuple[tuple[str, str], ...]:
    facts = [
        ("FHIR base (iss, aud)", tenant.fhir_base),
        ("Environment", tenant.environment),
        ("Client id", tenant.client_id),
        ("Launch URL", addresses.launch_url),
        ("Redirect URI", addresses.redirect_uri),
    ]
    if registration is not None:
        facts.append(("Client authentication", method_of(registration.authentication)))
        if isinstance(signer := registration.authentication, PrivateKeyJWT):
            facts += [("JWKS URL", addresses.jwks_url), ("Key id", signer.key_id), ("Algorithm", signer.algorithm)]
    return tuple(facts)
