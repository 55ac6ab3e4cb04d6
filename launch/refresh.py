"""A new access token for an old refresh token (RFC 6749 6; SMART App Launch 2.2 step 7; OIDC Core 12; A48 to A52).

A refresh token may be used up by one request, so each failure is named by whether it can have been: only then does a
second try risk anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import requests

from launch.context import launch_context
from launch.discovery import ServerMetadata
from launch.errors import ContextMissing, IdentityUnverified, TenantMismatch, TokenExchangeFailed
from launch.grant import Grant, read_grant
from launch.id_token import IDTokens
from launch.registration import Registration
from launch.scopes import GrantedScopes, parse_resource_scope
from launch.token_endpoint import UNRECOGNISED, oauth_error, post_as_client
from launch.wire import Answer, NoAnswer

REFRESH_SECONDS = 10
# Errors that are about our registration and not about this grant: every other grant of the tenant meets them too.
OURS = frozenset({"invalid_client"})
# A refusal, though not in the words of the specification: some servers send an OperationOutcome or a page (A66).
REFUSALS = frozenset({400, 401, 403})


class RefreshFailed(Exception):
    """No new pair. The text holds words of ours only.

    |- GrantEnded       the server will not refresh this grant again; its user signs in anew
    |- ClientRefused    the server does not accept us; an operator looks at it
    |- NotNow           the server is away; ask again later
    `- AnswerLost       the server may have used the token up and its answer did not arrive
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GrantEnded(RefreshFailed):
    """`reason` is the OAuth error code, or what of the new grant is not as it was."""


class ClientRefused(RefreshFailed):
    """`invalid_client`: our key or secret is not the registered one (A51)."""


class NotNow(RefreshFailed):
    """No connection, or an answer that is neither a pair nor a refusal, such as 429, 502 and 503.

    Where the token was used up all the same, the next try meets `invalid_grant`, and nothing is worse for it.
    """


class AnswerLost(RefreshFailed):
    """A timeout, a connection that broke, or a success that cannot be read (A51)."""


@dataclass(frozen=True)
class Held:
    """What the launch holds that is to be renewed: its refresh token, scopes as granted, whose it is and about whom.

    `issuer` and `subject` are the user's, of the id_token that the launch was opened with.
    """

    grant: Grant
    issuer: str
    subject: str
    patient: str
    encounter: str | None


@dataclass(frozen=True)
class Refreshed:
    """The new pair. `ended_for` says why it must not be used: the grant is not any more what it was (A52)."""

    grant: Grant
    ended_for: str = ""


def refresh(
    session: requests.Session,
    *,
    registration: Registration,
    metadata: ServerMetadata,
    id_tokens: IDTokens,
    held: Held,
    now: datetime,
) -> Refreshed:
    """Trade the refresh token once. The request names no scope, so all that was granted is asked for (A49).

    Where no new refresh token comes back, the old one stays in force (A50). Where an id_token does, it must be good
    and name the launch's user (OIDC Core 12.2). Raises the leaves of `RefreshFailed`.
    """
    form = {"grant_type": "refresh_token", "refresh_token": held.grant.refresh_token or ""}
    try:
        answer = post_as_client(
            session,
            metadata.token_endpoint,
            form,
            registration=registration,
            token_endpoint=metadata.token_endpoint,
            now=now,
            seconds=REFRESH_SECONDS,
        )
    except NoAnswer as error:
        raise (NotNow if error.unsent else AnswerLost)(f"token endpoint: {error}") from error
    response = _response(answer)
    grant = _renewed(response, held, now)
    changed = _no_longer_as_it_was(response, registration, held, grant.scopes)
    return Refreshed(grant, changed or _not_the_user(response.get("id_token"), registration, metadata, id_tokens, held))


def _response(answer: Answer) -> Mapping[str, Any]:
    error = oauth_error(answer)
    if error:
        raise (ClientRefused if error in OURS else GrantEnded)(error)
    if answer.status in REFUSALS:
        raise GrantEnded(UNRECOGNISED)
    if answer.status != 200:
        raise NotNow(f"token endpoint: status {answer.status}")
    if answer.document is None:
        raise AnswerLost("token endpoint: status 200 without a token response")
    return answer.document


def _renewed(response: Mapping[str, Any], held: Held, now: datetime) -> Grant:
    # RFC 6749 5.1: a response without `scope` grants what was asked for, and that was what we hold.
    complete = {"scope": held.grant.scopes.text, **response}
    if GrantedScopes(str(complete["scope"])).reaches_beyond_the_user:
        raise GrantEnded("system_scope")
    try:
        grant = read_grant(complete, now)
    except TokenExchangeFailed as error:
        raise AnswerLost(error.detail) from error
    return replace(grant, refresh_token=grant.refresh_token or held.grant.refresh_token)


def _no_longer_as_it_was(
    response: Mapping[str, Any], registration: Registration, held: Held, scopes: GrantedScopes
) -> str:
    """Why the new grant is not the launch's any more, empty where it is. What the server leaves out is unchanged."""
    if scopes.missing(scope for scope in held.grant.scopes.text.split() if parse_resource_scope(scope)):
        return "scope_narrowed"
    expected = {name: value for name, value in registration.expected_context.items() if name in response}
    launched_with = {"patient": held.patient, "encounter": held.encounter}
    try:
        context = launch_context({**launched_with, **response}, encounter_required=False, expected=expected)
    except (ContextMissing, TenantMismatch) as error:
        return error.code
    if context.patient != held.patient:
        return "patient_changed"
    return "" if held.encounter in (None, context.encounter) else "encounter_changed"


def _not_the_user(
    id_token: object, registration: Registration, metadata: ServerMetadata, id_tokens: IDTokens, held: Held
) -> str:
    """Why the id_token of the answer is not about the launch's user, empty where it is or there is none."""
    if id_token is None:
        return ""
    try:
        claims = id_tokens.verify(id_token, registration, metadata, nonce=None)
    except IdentityUnverified as error:
        return error.code
    return "" if (claims["iss"], claims["sub"]) == (held.issuer, held.subject) else "user_changed"
