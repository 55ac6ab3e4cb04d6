"""What the server says of a token (RFC 7662; SMART App Launch 2.2, token introspection; conformance A64).

It is advice. "Inactive" means that a request with the token is not worth sending. "Active" says nothing about the next
write, which the server decides when it comes; so nothing here is a permission, and nothing is sent because of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from launch.registration import Registration
from launch.scopes import GrantedScopes
from launch.token_endpoint import oauth_error, post_as_client
from launch.wire import NoAnswer

INTROSPECT_SECONDS = 10


class IntrospectionFailed(Exception):
    """The server gave no answer that conforms; nothing is known about the token."""


@dataclass(frozen=True)
class Inactive:
    """Stop: the token is expired, revoked, unknown or not ours."""


@dataclass(frozen=True)
class SaidActive:
    """The server calls the token active, for this client, with these scopes, until then. Proves nothing."""

    scopes: GrantedScopes
    client_id: str
    expires_at: datetime
    patient: str | None
    encounter: str | None


def introspect(
    session: requests.Session,
    *,
    registration: Registration,
    token_endpoint: str,
    introspection_endpoint: str,
    token: str,
    now: datetime,
) -> Inactive | SaidActive:
    """Ask about one access token. Raises `IntrospectionFailed`, also for an active body without its members."""
    try:
        answer = post_as_client(
            session,
            introspection_endpoint,
            {"token": token, "token_type_hint": "access_token"},
            registration=registration,
            token_endpoint=token_endpoint,
            now=now,
            seconds=INTROSPECT_SECONDS,
        )
    except NoAnswer as failure:
        raise IntrospectionFailed(f"introspection endpoint: {failure}") from failure
    error, document = oauth_error(answer), answer.document
    if error or answer.status != 200 or document is None:
        raise IntrospectionFailed(f"introspection endpoint: {f'error {error}' if error else f'status {answer.status}'}")
    match document.get("active"):
        case True:
            return _said_active(document)
        case False:
            return Inactive()
        case _:
            raise IntrospectionFailed("introspection endpoint: active is neither true nor false")


def _said_active(document: Mapping[str, Any]) -> SaidActive:
    scope, client_id, exp = (document.get(name) for name in ("scope", "client_id", "exp"))
    if not isinstance(scope, str) or not isinstance(client_id, str):
        raise IntrospectionFailed("introspection endpoint: an active token without scope or client_id")
    if not isinstance(exp, int | float) or isinstance(exp, bool):
        raise IntrospectionFailed("introspection endpoint: an active token without exp")
    try:
        expires_at = datetime.fromtimestamp(exp, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise IntrospectionFailed("introspection endpoint: exp is no time") from error
    return SaidActive(
        GrantedScopes(scope), client_id, expires_at, _text(document.get("patient")), _text(document.get("encounter"))
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
