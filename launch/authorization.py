"""The launch and the authorization request (SMART App Launch 2.2, steps 1 to 4; conformance A08 to A18)."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from launch.discovery import ServerMetadata
from launch.errors import MalformedRequest, UnknownIssuer
from launch.parameters import single_parameters
from launch.registration import Registration, Registrations
from launch.scopes import scopes_to_request
from launch.transaction import LaunchTransaction, cookie_name, digest

LONGEST_PARAMETER = 16 * 1024
TIME_LIMIT = timedelta(minutes=10)
# 32 random bytes each: ASVS 11.5.1 asks for 128 bits and does not take UUIDs.
SECRET_BYTES = 32


@dataclass(frozen=True)
class EHRLaunch:
    """What the EHR sent to /launch. `launch` is opaque: echoed, never decoded, logged or shown."""

    issuer: str
    launch: str = field(repr=False)


@dataclass(frozen=True)
class StartedLaunch:
    """A transaction to store, a cookie to set, and the address to send the browser to."""

    transaction: LaunchTransaction
    cookie_name: str
    browser_secret: str = field(repr=False)
    authorization_url: str = field(repr=False)


def read_launch(query: bytes) -> EHRLaunch:
    """`iss` and `launch` from the launch URL's query. Raises `MalformedRequest` unless each is there once."""
    parameters = single_parameters(query, ("iss", "launch"), longest=LONGEST_PARAMETER)
    for name in ("iss", "launch"):
        if name not in parameters:
            raise MalformedRequest(f"{name} is missing")
    return EHRLaunch(parameters["iss"], parameters["launch"])


def registered_for(issuer: str, registrations: Registrations) -> Registration:
    """Return the registration that an `iss` belongs to; no request is made. Raises `UnknownIssuer`.

    A trailing slash more or less is the one difference forgiven: EHR configurations vary in it, and the
    address is the same.
    """
    other = issuer[:-1] if issuer.endswith("/") else f"{issuer}/"
    registration = registrations.by_issuer(issuer) or registrations.by_issuer(other)
    if registration is None:
        raise UnknownIssuer("iss is not registered")
    return registration


def start_launch(
    launch: EHRLaunch, registration: Registration, metadata: ServerMetadata, now: datetime
) -> StartedLaunch:
    """Return a fresh transaction and its authorization request; no earlier session is ever reused (A14).

    `aud` is the launch's `iss`, the same string, because servers compare it letter by letter (A11).
    """
    state, browser_secret = _secret(), _secret()
    transaction = LaunchTransaction(
        state_digest=digest(state),
        browser_digest=digest(browser_secret),
        tenant_id=registration.tenant_id,
        issuer=launch.issuer,
        redirect_uri=registration.redirect_uri,
        code_verifier=_secret(),
        nonce=_secret(),
        response_issuer=metadata.issuer,
        response_issuer_required=metadata.response_issuer_required,
        expires_at=now + TIME_LIMIT,
    )
    return StartedLaunch(
        transaction,
        cookie_name(transaction.state_digest),
        browser_secret,
        _authorization_url(launch, registration, metadata, transaction, state),
    )


def _authorization_url(
    launch: EHRLaunch,
    registration: Registration,
    metadata: ServerMetadata,
    transaction: LaunchTransaction,
    state: str,
) -> str:
    url = prepare_grant_uri(
        metadata.authorization_endpoint,
        client_id=registration.client_id,
        response_type="code",
        redirect_uri=transaction.redirect_uri,
        scope=scopes_to_request(registration.scopes, metadata.capabilities),
        state=state,
        launch=launch.launch,
        aud=launch.issuer,
        nonce=transaction.nonce,
        code_challenge=create_s256_code_challenge(transaction.code_verifier),
        code_challenge_method="S256",
    )
    return str(url)


def _secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)
