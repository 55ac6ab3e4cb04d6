"""The launch and the authorization request (SMART App Launch 2.2, steps 1 to 4; conformance A08 to A18)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from launch.discovery import ServerMetadata
from launch.errors import AmbiguousIssuer, MalformedRequest, NoOrganisationNamed, UnknownIssuer, UnknownTenant
from launch.parameters import single_parameters
from launch.registration import Registration, Registrations
from launch.scopes import scopes_to_request, standalone_scopes
from launch.transaction import TIME_LIMIT, AskedLaunch, LaunchTransaction, cookie_name, digest, new_secret

# A `launch` value is an identifier, or a signed one: two or three thousand characters at the longest that are known.
# Whatever is taken here is kept for ten minutes for anybody who asks (A09).
LONGEST_PARAMETER = 4 * 1024
# Beyond this, proxies and servers begin to cut or refuse addresses.
LONGEST_ADDRESS = 2_000


@dataclass(frozen=True)
class AuthorizationRequest:
    """Where the browser goes to sign in, and what it takes along."""

    endpoint: str
    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    may_be_posted: bool

    @property
    def url(self) -> str:
        """The request as one address."""
        return str(prepare_grant_uri(self.endpoint, **dict(self.parameters)))

    @property
    def method(self) -> Literal["GET", "POST"]:
        """POST where the server says that it takes it and the address would be too long (A13)."""
        return "POST" if self.may_be_posted and len(self.url) > LONGEST_ADDRESS else "GET"


@dataclass(frozen=True)
class StartedLaunch:
    """A transaction to store, a cookie to set, and the request to send the browser with."""

    transaction: LaunchTransaction
    cookie_name: str
    browser_secret: str = field(repr=False)
    request: AuthorizationRequest


def read_launch(query: bytes) -> AskedLaunch:
    """`iss` and `launch` from the launch URL's query. Raises `MalformedRequest` unless each is there once."""
    parameters = single_parameters(query, ("iss", "launch"), longest=LONGEST_PARAMETER)
    for name in ("iss", "launch"):
        if name not in parameters:
            raise MalformedRequest(f"{name} is missing")
    return AskedLaunch(parameters["iss"], parameters["launch"])


def read_standalone(query: bytes, registrations: Registrations) -> tuple[AskedLaunch, Registration]:
    """The launch that a link without a chart asks for, by `tenant`, by `iss`, or by both (conformance A12).

    Raises `NoOrganisationNamed` without either, and what the two look-ups raise. Nothing is listed.
    """
    named = single_parameters(query, ("iss", "tenant"), longest=LONGEST_PARAMETER)
    if "tenant" in named:
        issuer = named.get("iss")
        registration = registered_as(named["tenant"], issuer, registrations)
        return AskedLaunch(issuer or registration.fhir_base, None), registration
    if "iss" not in named:
        raise NoOrganisationNamed("neither iss nor tenant")
    return AskedLaunch(named["iss"], None), registered_for(named["iss"], registrations)


def registered_for(issuer: str, registrations: Registrations) -> Registration:
    """Return the one registration that an `iss` belongs to; no request is made.

    A trailing slash more or less is the one difference forgiven: EHR configurations vary in it, and the
    address is the same. Raises `UnknownIssuer`, and `AmbiguousIssuer` where several organisations share the base.
    """
    found = (*registrations.by_issuer(issuer), *registrations.by_issuer(_other_slash(issuer)))
    if not found:
        raise UnknownIssuer("iss is not registered")
    if len(found) > 1:
        raise AmbiguousIssuer(f"iss is shared by {len(found)} tenants")
    return found[0]


def registered_as(tenant_id: str, issuer: str | None, registrations: Registrations) -> Registration:
    """Return the registration of a tenant that was named, and whose FHIR base `iss` must be, if there is one.

    Raises `UnknownTenant` or `UnknownIssuer`; no request is made.
    """
    registration = registrations.by_tenant(tenant_id)
    if registration is None:
        raise UnknownTenant("no registration under this address")
    if issuer is not None and registration.fhir_base not in (issuer, _other_slash(issuer)):
        raise UnknownIssuer("iss is not the FHIR base of the tenant that the address names")
    return registration


def start_launch(
    asked: AskedLaunch, registration: Registration, metadata: ServerMetadata, now: datetime, *, is_framed: bool = False
) -> StartedLaunch:
    """Return a fresh transaction and its authorization request; no earlier session is ever reused (A14).

    `aud` is the launch's `iss`, the same string, because servers compare it letter by letter (A11).
    """
    state, browser_secret = new_secret(), new_secret()
    registered = registration.scopes if asked.launch is not None else standalone_scopes(registration.scopes)
    transaction = LaunchTransaction(
        state_digest=digest(state),
        browser_digest=digest(browser_secret),
        tenant_id=registration.tenant_id,
        issuer=asked.issuer,
        redirect_uri=registration.redirect_uri,
        code_verifier=new_secret(),
        nonce=new_secret(),
        response_issuer=metadata.issuer,
        response_issuer_required=metadata.response_issuer_required,
        expires_at=now + TIME_LIMIT,
        fhir_base=registration.fhir_base,
        client_id=registration.client_id,
        token_endpoint=metadata.token_endpoint,
        kind=asked.kind,
        is_framed=is_framed,
        requested_scopes=scopes_to_request(registered, metadata.capabilities),
    )
    request = _request(asked, registration, metadata, transaction, state)
    return StartedLaunch(transaction, cookie_name(transaction.state_digest), browser_secret, request)


def _request(
    asked: AskedLaunch,
    registration: Registration,
    metadata: ServerMetadata,
    transaction: LaunchTransaction,
    state: str,
) -> AuthorizationRequest:
    parameters = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": transaction.redirect_uri,
        "scope": " ".join(transaction.requested_scopes),
        "state": state,
        "launch": asked.launch,
        "aud": asked.issuer,
        "nonce": transaction.nonce,
        "code_challenge": create_s256_code_challenge(transaction.code_verifier),
        "code_challenge_method": "S256",
    }
    given = tuple((name, str(value)) for name, value in parameters.items() if value is not None)
    return AuthorizationRequest(metadata.authorization_endpoint, given, "authorize-post" in metadata.capabilities)


def _other_slash(issuer: str) -> str:
    return issuer[:-1] if issuer.endswith("/") else f"{issuer}/"
