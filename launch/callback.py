"""The authorization response (RFC 6749 4.1.2; RFC 9207; conformance A17 to A22, A65).

The order is fixed: the state is consumed and checked before anything else in the answer is believed, errors
included, and nothing leaves this machine until all of it has passed.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from launch.discovery import ServerMetadata
from launch.errors import (
    AuthorizationDenied,
    BrowserMismatch,
    IssuerMismatch,
    LaunchExpired,
    MalformedRequest,
    StateRefused,
)
from launch.parameters import single_parameters
from launch.registration import Registration
from launch.transaction import LaunchTransaction, cookie_name, digest

LONGEST_PARAMETER = 16 * 1024
AUTHORIZATION_CODE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True)
class AuthorizationResponse:
    """What the browser brought back. The server's `error_description` is untrusted text and never read."""

    state_digest: str
    code: str | None = field(repr=False)
    error: str | None = field(repr=False)
    issuer: str | None = field(repr=False)


def read_response(query: bytes) -> AuthorizationResponse:
    """Return the response in a callback's query. Raises `MalformedRequest` if a parameter repeats."""
    found = single_parameters(query, ("state", "code", "error", "iss"), longest=LONGEST_PARAMETER)
    if "state" not in found:
        raise MalformedRequest("state is missing")
    return AuthorizationResponse(digest(found["state"]), found.get("code"), found.get("error"), found.get("iss"))


def require_bound(
    transaction: LaunchTransaction | None,
    registration: Registration,
    cookies: Mapping[str, str],
    now: datetime,
) -> LaunchTransaction:
    """Return the consumed transaction, if it belongs to this tenant, redirect URI, browser and moment.

    The FHIR base and the client id must be those that it was begun with; they are compared before any request.
    Raises `StateRefused`, `BrowserMismatch` or `LaunchExpired`. The transaction is spent either way.
    """
    if transaction is None:
        raise StateRefused("unknown or already used")
    if (transaction.tenant_id, transaction.redirect_uri) != (
        registration.tenant_id,
        registration.redirect_uri,
    ):
        raise StateRefused("begun for another tenant or redirect URI")
    if transaction.fhir_base != registration.fhir_base:
        raise StateRefused("the FHIR base was changed since the launch began")
    if transaction.client_id != registration.client_id:
        raise StateRefused("the client id was changed since the launch began")
    secret = cookies.get(cookie_name(transaction.state_digest), "")
    if not hmac.compare_digest(digest(secret), transaction.browser_digest):
        raise BrowserMismatch("no cookie" if not secret else "another browser's cookie")
    if now >= transaction.expires_at:
        raise LaunchExpired("over the time limit")
    return transaction


def require_same_server(transaction: LaunchTransaction, metadata: ServerMetadata) -> None:
    """Raise `StateRefused` unless the token endpoint is the one that the launch was begun with (RFC 9700 4.4)."""
    if transaction.token_endpoint != metadata.token_endpoint:
        raise StateRefused("the token endpoint was changed since the launch began")


def require_code(response: AuthorizationResponse, transaction: LaunchTransaction) -> str:
    """Return the authorization code, once the response proved to come from the server that was asked.

    Raises `IssuerMismatch` (RFC 9207 2.4), `AuthorizationDenied` for an error response, `MalformedRequest`
    for one that is neither or both.
    """
    _require_issuer(response, transaction)
    if response.error is not None and response.code is None:
        raise _denied(response.error)
    if response.error is not None or response.code is None or not AUTHORIZATION_CODE.fullmatch(response.code):
        raise MalformedRequest("the response holds neither a code nor an error, or both")
    return response.code


def _require_issuer(response: AuthorizationResponse, transaction: LaunchTransaction) -> None:
    # This is the OAuth issuer, not the FHIR base that the launch calls iss.
    if response.issuer is None:
        if transaction.response_issuer_required:
            raise IssuerMismatch("iss is missing from the authorization response")
    elif transaction.response_issuer is not None and response.issuer != transaction.response_issuer:
        raise IssuerMismatch("iss of the authorization response is not the server's issuer")


def _denied(error: str) -> AuthorizationDenied:
    known = error if error in REFUSALS else "unrecognised"
    return AuthorizationDenied(known, *REFUSALS.get(known, UNRECOGNISED))


TRY_AGAIN = "Wait a minute, then start Countersign again from the patient's chart."
CHECK_REGISTRATION = "Give the code below to your administrator; trying again will not help."
UNRECOGNISED = ("The EHR ended the sign-in with a reason that Countersign does not know.", TRY_AGAIN)
# RFC 6749 4.1.2.1 and OpenID Connect Core 3.1.2.6: what happened, what to do.
REFUSALS: Mapping[str, tuple[str, str]] = {
    "access_denied": (
        "The EHR, or you on its page, said no to Countersign.",
        "Start again from the chart and allow access. If it never asked, your account may lack the right.",
    ),
    "invalid_request": ("The EHR could not use Countersign's sign-in request.", CHECK_REGISTRATION),
    "unauthorized_client": ("This EHR does not let Countersign sign users in this way.", CHECK_REGISTRATION),
    "unsupported_response_type": (
        "This EHR does not let Countersign sign users in this way.",
        CHECK_REGISTRATION,
    ),
    "invalid_scope": (
        "Countersign asked for access that it is not registered for in this EHR.",
        "Ask your administrator to compare the scopes in the EHR with the registration sheet.",
    ),
    "server_error": ("The EHR had a problem of its own during sign-in.", TRY_AGAIN),
    "temporarily_unavailable": ("The EHR is too busy or under maintenance.", TRY_AGAIN),
    "interaction_required": ("The EHR needed to ask you something and could not.", TRY_AGAIN),
    "login_required": (
        "You are no longer signed in to the EHR.",
        "Sign in to the EHR and start again from the chart.",
    ),
    "consent_required": ("The EHR needed your consent and could not ask for it.", TRY_AGAIN),
}
