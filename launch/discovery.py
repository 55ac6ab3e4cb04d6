"""Where an EHR signs users in: `.well-known/smart-configuration`, checked, pinned and cached.

The CapabilityStatement is never asked (conformance A02). Nothing here takes a URL from a browser: the
address is built from the registration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from launch.endpoints import EndpointRefused, pinned_endpoint
from launch.errors import DiscoveryFailed, DiscoveryRefused
from launch.registration import Registration, Sessions
from launch.wire import Answer, NoAnswer, fetch

FETCH_SECONDS = 5
FRESH_FOR = timedelta(minutes=15)
USABLE_FOR = timedelta(hours=24)
# During an outage each launch would wait for the timeout before falling back on the stale copy; one a
# minute does.
RETRY_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class ServerMetadata:
    """What the SMART configuration says, with every endpoint absolute and pinned.

    `assertion_algorithms` and `authentication_methods` are None where the server does not say how clients may prove
    themselves; the last two where it neither revokes nor speaks about tokens.
    """

    issuer: str | None
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str | None
    capabilities: frozenset[str]
    response_issuer_required: bool
    assertion_algorithms: frozenset[str] | None = None
    authentication_methods: frozenset[str] | None = None
    revocation_endpoint: str | None = None
    introspection_endpoint: str | None = None


@dataclass(frozen=True)
class _Cached:
    registration: Registration
    metadata: ServerMetadata
    fresh_until: datetime
    usable_until: datetime


class Discovery:
    """Server metadata per registration: fresh for 15 minutes, and through an outage for a day."""

    def __init__(self, session_for: Sessions, now: Callable[[], datetime]) -> None:
        self._session_for = session_for
        self._now = now
        self._cache: dict[str, _Cached] = {}
        self._lock = Lock()

    def metadata(self, registration: Registration) -> ServerMetadata:
        """Return the metadata of this registration's server.

        Raises `DiscoveryFailed` when it cannot be had, `DiscoveryRefused` when it breaks a rule or a pin; a
        refused document is never papered over with a stale one.
        """
        cached = self._cached(registration)
        if cached and self._now() < cached.fresh_until:
            return cached.metadata
        try:
            metadata = self._fetch(registration)
        except DiscoveryFailed:
            if cached is None:
                raise
            self._keep(registration, cached.metadata, RETRY_AFTER, cached.usable_until)
            return cached.metadata
        self._keep(registration, metadata, FRESH_FOR, self._now() + USABLE_FOR)
        return metadata

    def _cached(self, registration: Registration) -> _Cached | None:
        with self._lock:
            cached = self._cache.get(registration.tenant_id)
        # A changed registration may have changed its pins, so what was checked against the old ones is void.
        if cached and cached.registration == registration and self._now() < cached.usable_until:
            return cached
        return None

    def _fetch(self, registration: Registration) -> ServerMetadata:
        try:
            answer = fetch(
                self._session_for(registration),
                configuration_url(registration.fhir_base),
                registration.discovery_headers,
                seconds=FETCH_SECONDS,
            )
        except NoAnswer as error:
            raise DiscoveryFailed(f"SMART configuration: {error}") from error
        return read_metadata(_document(answer), registration)

    def _keep(
        self,
        registration: Registration,
        metadata: ServerMetadata,
        fresh_for: timedelta,
        usable_until: datetime,
    ) -> None:
        kept = _Cached(registration, metadata, self._now() + fresh_for, usable_until)
        with self._lock:
            self._cache[registration.tenant_id] = kept


def configuration_url(fhir_base: str) -> str:
    """Return `{fhir-base}/.well-known/smart-configuration` with one slash between, for any base (A01)."""
    return f"{fhir_base.rstrip('/')}/.well-known/smart-configuration"


def read_metadata(document: Mapping[str, Any], registration: Registration) -> ServerMetadata:
    """Check a SMART configuration against the specification and the tenant's pins (A03, A04, A06).

    Raises `DiscoveryRefused` naming the member at fault. `scopes_supported` is not consulted: it need not be
    exhaustive (A05).
    """
    capabilities = _strings(document, "capabilities")
    _strings(document, "grant_types_supported", must_hold="authorization_code")
    _strings(document, "code_challenge_methods_supported", must_hold="S256")
    speaks_openid = "sso-openid-connect" in capabilities
    return ServerMetadata(
        issuer=_issuer(document, registration, required=speaks_openid),
        authorization_endpoint=endpoint_in(document, "authorization_endpoint", registration),
        token_endpoint=endpoint_in(document, "token_endpoint", registration),
        jwks_uri=endpoint_in(document, "jwks_uri", registration) if speaks_openid or "jwks_uri" in document else None,
        capabilities=capabilities,
        response_issuer_required=document.get("authorization_response_iss_parameter_supported") is True,
        assertion_algorithms=_listed(document, "token_endpoint_auth_signing_alg_values_supported"),
        authentication_methods=_listed(document, "token_endpoint_auth_methods_supported"),
        revocation_endpoint=_optional_endpoint(document, "revocation_endpoint", registration),
        introspection_endpoint=_optional_endpoint(document, "introspection_endpoint", registration),
    )


def endpoint_in(document: Mapping[str, Any], member: str, registration: Registration) -> str:
    """Return an endpoint of a discovery document, absolute and pinned. Raises `DiscoveryRefused`."""
    if member not in document:
        raise DiscoveryRefused(f"{member} is missing")
    try:
        return pinned_endpoint(
            document[member],
            registration.fhir_base,
            registration.pinned_origins,
            allow_loopback=registration.allow_loopback,
        )
    except EndpointRefused as error:
        raise DiscoveryRefused(f"{member} {error}") from error


def _optional_endpoint(document: Mapping[str, Any], member: str, registration: Registration) -> str | None:
    return endpoint_in(document, member, registration) if document.get(member) is not None else None


def _document(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise DiscoveryFailed(f"SMART configuration: answered with status {answer.status}", answer.status)
    if answer.document is None:
        raise DiscoveryFailed("SMART configuration: the answer is not a JSON object", answer.status)
    return answer.document


def _strings(document: Mapping[str, Any], member: str, *, must_hold: str = "") -> frozenset[str]:
    value = document.get(member)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DiscoveryRefused(f"{member} is missing or not a list of strings")
    if must_hold and must_hold not in value:
        raise DiscoveryRefused(f"{member} does not hold {must_hold}")
    return frozenset(value)


def _listed(document: Mapping[str, Any], member: str) -> frozenset[str] | None:
    # Optional members: what cannot be read says nothing, and a launch does not fail for it.
    value = document.get(member)
    return (frozenset(item for item in value if isinstance(item, str)) or None) if isinstance(value, list) else None


def _issuer(document: Mapping[str, Any], registration: Registration, *, required: bool) -> str | None:
    issuer = document.get("issuer")
    if issuer is None and not required:
        return None
    if not isinstance(issuer, str) or not issuer.isprintable():
        raise DiscoveryRefused("issuer is missing")
    if registration.oauth_issuer not in (None, issuer):
        raise DiscoveryRefused("issuer is not the registered one")
    return issuer
