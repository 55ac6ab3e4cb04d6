"""One EHR's registration: who may launch us and how we prove ourselves; and the ports the blueprint needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import requests
from flask.typing import ResponseReturnValue
from joserfc.jwk import ECKey, RSAKey

from launch.completed import CompletedLaunch
from launch.endpoints import origin_of
from launch.handles import WaitingLaunch
from launch.transaction import LaunchTransaction

IDENTITY_SCOPES = frozenset({"openid", "fhirUser"})
# Words that stand in the place of a tenant's id in an address of ours.
RESERVED_TENANT_IDS = frozenset({"check", "continue", "standalone"})


@dataclass(frozen=True)
class PublicClient:
    """No client authentication; PKCE alone. For sandboxes that register us so; never for production."""


@dataclass(frozen=True)
class SecretBasic:
    """`client_secret_basic` (SMART App Launch 2.2, client-confidential-symmetric)."""

    secret: str = field(repr=False)


@dataclass(frozen=True)
class PrivateKeyJWT:
    """`private_key_jwt` (SMART App Launch 2.2, client-confidential-asymmetric).

    The audience of the assertion is the token endpoint, or `audience` for servers that want their issuer
    there.
    """

    key_id: str
    key: RSAKey | ECKey = field(repr=False)
    algorithm: Literal["RS384", "ES384"]
    audience: str | None = None

    def __post_init__(self) -> None:
        fits = isinstance(self.key, RSAKey) if self.algorithm == "RS384" else _is_p384(self.key)
        # The library would refuse a key that names another algorithm too, but only at the first launch.
        if not fits or not self.key.is_private or self.key.alg not in (None, self.algorithm):
            raise ValueError(f"key {self.key_id}: {self.algorithm} needs a private key of that kind")


ClientAuthentication = PublicClient | SecretBasic | PrivateKeyJWT


@dataclass(frozen=True)
class Registration:
    """One tenant's registration with one EHR. `fhir_base` is the `iss` that its launches carry.

    `required_scopes` are those without which a chart cannot open; whatever else was asked and not granted
    narrows what can be done. `expected_context` names members of the token response that must have a given
    value, for EHRs that serve several organisations under one base. `sign_in` says whether the EHR's sign-in
    lets itself be framed; where it does not, the launch goes on in a window of its own. Raises `ValueError` when the
    registration contradicts itself.
    """

    tenant_id: str
    fhir_base: str
    client_id: str
    redirect_uri: str
    authentication: ClientAuthentication
    scopes: tuple[str, ...]
    required_scopes: tuple[str, ...] = ()
    discovery_headers: Mapping[str, str] = field(default_factory=dict)
    endpoint_origins: frozenset[str] = frozenset()
    encounter_required: bool = True
    nonce_may_be_missing: bool = False
    allow_loopback: bool = False
    oauth_issuer: str | None = None
    expected_context: Mapping[str, str] = field(default_factory=dict)
    sign_in: Literal["in_frame", "top_window"] = "in_frame"

    def __post_init__(self) -> None:
        for url in (self.fhir_base, self.redirect_uri, *self.endpoint_origins):
            origin_of(url, allow_loopback=self.allow_loopback)
        if self.tenant_id in RESERVED_TENANT_IDS:
            raise ValueError(f"no tenant can be called {self.tenant_id}: an address of ours has that name")
        if not IDENTITY_SCOPES.issubset(self.scopes):
            raise ValueError("scopes must hold openid and fhirUser: without them nobody can sign")
        if any("*" in scope or scope.startswith("system/") for scope in self.scopes):
            raise ValueError("scopes must hold neither wildcards nor system scopes: ask for what is used")

    @property
    def pinned_origins(self) -> frozenset[str]:
        """The origins that any endpoint of this EHR must be on: the FHIR base's own, and those listed."""
        urls = (self.fhir_base, *self.endpoint_origins)
        return frozenset(origin_of(url, allow_loopback=self.allow_loopback) for url in urls)


class Registrations(Protocol):
    """Where registrations come from. Both look-ups compare exactly and make no request."""

    def by_issuer(self, issuer: str) -> tuple[Registration, ...]:
        """Return every registration whose FHIR base is this string; several organisations may share one."""

    def by_tenant(self, tenant_id: str) -> Registration | None:
        """Return the registration of this tenant."""


class Transactions(Protocol):
    """Where launches wait for their callback; shared by all web processes."""

    def put(self, transaction: LaunchTransaction) -> None:
        """Store a launch that was begun."""

    def take(self, state_digest: str) -> LaunchTransaction | None:
        """Remove and return the launch: of several callers at once, one gets it and the others get None."""


class WaitingLaunches(Protocol):
    """Where launches wait for their browser; shared by all web processes."""

    def put(self, waiting: WaitingLaunch) -> None:
        """Store a launch under the digest of its handle."""

    def take(self, handle_digest: str) -> WaitingLaunch | None:
        """Remove and return the launch: of several callers at once, one gets it and the others get None."""


Sessions = Callable[[Registration], requests.Session]
"""The guarded HTTP session for one registration: time limits, pinned addresses, no stored cookies."""

OnLaunched = Callable[[CompletedLaunch], ResponseReturnValue]
"""What the app does with a completed launch; its answer, a 303 to a clean URL, goes to the browser."""


def _is_p384(key: RSAKey | ECKey) -> bool:
    return isinstance(key, ECKey) and key.curve_name == "P-384"
