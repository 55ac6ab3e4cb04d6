"""The administrators' identity provider: a generic OpenID Connect client, by Authlib over our guarded HTTP session.

Code flow with PKCE S256, state and nonce. Whatever the provider's discovery document names must be on the issuer's own
origin or one that `COUNTERSIGN_ADMIN_OIDC_ORIGINS` lists. The id_token is verified by the very code that verifies
clinicians'. Source: OpenID Connect Core 3.1, Discovery 4.3, RFC 9207, RFC 9700 section 2.1; conformance E11, E15, E17.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote_plus

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session

from app.administrators.roles import RoleMapping
from app.clock import Clock
from app.errors import Misconfigured, SignInRefused
from app.settings import Settings
from launch.discovery import ServerMetadata
from launch.endpoints import EndpointRefused, origin_of, pinned_endpoint
from launch.errors import LaunchError
from launch.id_token import IDTokens
from launch.registration import IDENTITY_SCOPES, PublicClient, Registration
from launch.signing_keys import SigningKeys
from launch.wire import NoAnswer, fetch
from vendors.egress import EgressPolicy, guarded_session

SCOPES = "openid profile email"
FRESH_FOR = timedelta(hours=1)
SECONDS = 10


@dataclass(frozen=True)
class Asked:
    """What a sign-in must be answered with: kept sealed between its two requests."""

    state: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True)
class _Provider:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_authentication: str
    names_itself: bool
    fetched_at: datetime


class IdentityProvider:
    """Our registration with the provider, and the three exchanges with it."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.issuer = settings.admin_oidc_issuer
        self.mapping = RoleMapping(settings.admin_oidc_roles_claim, settings.admin_oidc_roles)
        self._secret = settings.admin_oidc_client_secret
        self._clock = clock
        # Plain HTTP only where the whole product runs on one machine.
        local = settings.public_url.startswith("http://")
        self._registration = _registration(settings, allow_loopback=local)
        self._origins = self._registration.pinned_origins
        self._guarded = guarded_session(EgressPolicy(self._origins, allow_loopback=local))
        self._id_tokens = IDTokens(SigningKeys(lambda _: self._guarded, clock), clock)
        self._known: _Provider | None = None
        self._lock = Lock()

    def sign_in_url(self, asked: Asked) -> str:
        """Where to send the browser. Raises `SignInRefused` when the provider cannot be asked where that is."""
        provider = self._provider()
        url, _ = self._session(self._registration.client_id, "").create_authorization_url(
            provider.authorization_endpoint, asked.state, asked.code_verifier, nonce=asked.nonce
        )
        return str(url)

    def claims(self, answer: Mapping[str, str], asked: Asked) -> dict[str, Any]:
        """The verified claims of whoever signed in. Raises `SignInRefused` for every answer but a good one."""
        provider = self._provider()
        given_issuer = answer.get("iss", "")
        if given_issuer != self.issuer if given_issuer or provider.names_itself else False:
            raise _refused("issuer_mismatch")
        if "error" in answer or not answer.get("code"):
            raise _refused("provider_refused", "Your organisation's sign-in did not let you in.")
        token = self._token(provider, answer["code"], asked)
        try:
            metadata = self._metadata(provider)
            return dict(self._id_tokens.verify(token.get("id_token"), self._registration, metadata, asked.nonce))
        except LaunchError as error:
            raise _refused("id_token_refused") from error

    def _token(self, provider: _Provider, code: str, asked: Asked) -> dict[str, Any]:
        session = self._session(self._registration.client_id, provider.token_authentication)
        try:
            answered = session.fetch_token(
                provider.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=asked.code_verifier,
                redirect_uri=self._registration.redirect_uri,
                timeout=SECONDS,
            )
        except (requests.RequestException, AuthlibBaseError, ValueError, TypeError, AttributeError) as error:
            # The library reads whatever comes as a token response; what is none of it fails in many ways.
            raise _refused("token_refused") from error
        return dict(answered)

    def _session(self, client_id: str, authentication: str) -> OAuth2Session:
        """Authlib's client, on the guarded session's adapter: same origins, same limits, no redirects."""
        secret = self._secret
        if authentication == "client_secret_basic":
            # RFC 6749 2.3.1: form-encoded first, which the library leaves out.
            client_id, secret = quote_plus(client_id), quote_plus(secret)
        session = _NoRedirects(
            client_id,
            secret or None,
            token_endpoint_auth_method=authentication or None,
            scope=SCOPES,
            redirect_uri=self._registration.redirect_uri,
            code_challenge_method="S256",
        )
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(scheme, self._guarded.get_adapter(scheme))
        return session

    def _provider(self) -> _Provider:
        """What the provider says about itself, for an hour at a time."""
        known = self._known
        if known is None or self._clock() - known.fetched_at >= FRESH_FOR:
            known = self._discover()
            with self._lock:
                self._known = known
        return known

    def _discover(self) -> _Provider:
        try:
            url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            document = fetch(self._guarded, url, {}, seconds=SECONDS).document
        except NoAnswer as error:
            raise _refused("provider_silent", "Your organisation's sign-in does not answer.") from error
        if document is None or document.get("issuer") != self.issuer:
            raise _refused("issuer_mismatch")
        try:
            return _Provider(
                authorization_endpoint=self._endpoint(document, "authorization_endpoint"),
                token_endpoint=self._endpoint(document, "token_endpoint"),
                jwks_uri=self._endpoint(document, "jwks_uri"),
                token_authentication=self._authentication(document),
                names_itself=document.get("authorization_response_iss_parameter_supported") is True,
                fetched_at=self._clock(),
            )
        except EndpointRefused as error:
            raise _refused("endpoint_refused") from error

    def _endpoint(self, document: Mapping[str, Any], member: str) -> str:
        loopback = self._registration.allow_loopback
        return pinned_endpoint(document.get(member), self.issuer, self._origins, allow_loopback=loopback)

    def _authentication(self, document: Mapping[str, Any]) -> str:
        if not self._secret:
            return "none"
        # OpenID Connect Discovery 3: basic where the document says nothing.
        offered = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"

    def _metadata(self, provider: _Provider) -> ServerMetadata:
        return ServerMetadata(
            issuer=self.issuer,
            authorization_endpoint=provider.authorization_endpoint,
            token_endpoint=provider.token_endpoint,
            jwks_uri=provider.jwks_uri,
            capabilities=frozenset(),
            response_issuer_required=provider.names_itself,
        )


class _NoRedirects(OAuth2Session):  # type: ignore[misc]
    """A session in which a redirect is an answer, not an instruction: no code or secret follows one."""

    def get_redirect_target(self, _resp: requests.Response) -> None:
        return None


def _registration(settings: Settings, *, allow_loopback: bool) -> Registration:
    """Who we are to the provider, as the launch room's id_token verification takes it; it reads no scopes.

    Raises `Misconfigured` naming the setting at fault.
    """
    if not settings.admin_oidc_client_id:
        raise Misconfigured("COUNTERSIGN_ADMIN_OIDC_ISSUER is set; COUNTERSIGN_ADMIN_OIDC_CLIENT_ID is missing.")
    try:
        listed = [one.strip() for one in settings.admin_oidc_origins.split(",") if one.strip()]
        return Registration(
            tenant_id="console",
            fhir_base=settings.admin_oidc_issuer,
            client_id=settings.admin_oidc_client_id,
            redirect_uri=f"{settings.public_url}/admin/sign-in/answer",
            authentication=PublicClient(),
            scopes=tuple(IDENTITY_SCOPES),
            endpoint_origins=frozenset(origin_of(one, allow_loopback=allow_loopback) for one in listed),
            allow_loopback=allow_loopback,
        )
    except ValueError as error:
        raise Misconfigured(f"COUNTERSIGN_ADMIN_OIDC_ISSUER or _ORIGINS: an address {error}.") from error


def _refused(
    reason: str, happened: str = "Your organisation's sign-in gave an answer that cannot be trusted."
) -> SignInRefused:
    again = "If it happens again, an IT administrator finds the reason in the log, under the code below."
    return SignInRefused(reason, happened, "Go back to the sign-in page and try again.", again)
