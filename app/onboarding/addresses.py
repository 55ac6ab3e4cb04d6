"""Our own addresses as an EHR must know them: where a launch goes, where it comes back, where our keys are."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.tenants.directory import Tenants
from app.tenants.registrations import Tenant


@dataclass(frozen=True)
class Addresses:
    """The addresses of one tenant. An EHR compares the redirect URI letter by letter."""

    app_origin: str
    launch_url: str
    redirect_uri: str
    jwks_url: str

    @property
    def app_host(self) -> str:
        """The host that users' browsers reach us under."""
        return urlsplit(self.app_origin).netloc


def addresses_of(tenant: Tenant, public_url: str, tenants: Tenants) -> Addresses:
    """The tenant's addresses. Where several tenants share one FHIR base, the launch URL names the tenant (A38)."""
    shares_base = sum(one.base_address == tenant.base_address for one in tenants) > 1
    return Addresses(
        app_origin=public_url,
        launch_url=f"{public_url}/launch/{tenant.id}" if shares_base else f"{public_url}/launch",
        redirect_uri=f"{public_url}/callback/{tenant.id}",
        jwks_url=f"{public_url}/.well-known/jwks/{tenant.id}.json",
    )
