"""A backend's own token, for reading and nothing else (SMART App Launch 2.2, Backend Services; RFC 6749 4.4).

Where an organisation registers one, Countersign may look at what was filed after its signer has left. It is asked for
by a signed assertion, with no person and no refresh token; a token that could write is not taken, whoever granted it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import requests

from launch.discovery import ServerMetadata
from launch.errors import TokenExchangeFailed
from launch.grant import Grant, read_any_grant
from launch.registration import PrivateKeyJWT, Registration
from launch.scopes import parse_resource_scope, scopes_to_request
from launch.token_endpoint import oauth_error, post_as_client
from launch.wire import NoAnswer

TOKEN_SECONDS = 10
READING = frozenset("rs")
LEVEL = "system"


class NoReadingToken(Exception):
    """No token to read with. The text holds words of ours only.

    |- NotNow       the server is away; ask again later
    `- NotReading   the server does not let us read, or would let us write: an operator looks at it
    """


class NotNow(NoReadingToken):
    """No connection, or an answer that is neither a token nor a refusal."""


class NotReading(NoReadingToken):
    """Refused, or granted with more than reading."""


def reading_scopes(resource_types: Iterable[str]) -> tuple[str, ...]:
    """The scopes to register and to ask for: reading and searching these types, for nobody in particular."""
    return tuple(f"{LEVEL}/{one}.rs" for one in sorted(set(resource_types)))


def reading_grant(
    session: requests.Session,
    *,
    registration: Registration,
    client_id: str,
    metadata: ServerMetadata,
    resource_types: Iterable[str],
    now: datetime,
) -> Grant:
    """Ask for a token that reads these types. Raises the leaves of `NoReadingToken`."""
    if not isinstance(registration.authentication, PrivateKeyJWT):
        raise NotReading("a backend proves itself by private_key_jwt only")
    asked = scopes_to_request(reading_scopes(resource_types), metadata.capabilities)
    try:
        answer = post_as_client(
            session,
            metadata.token_endpoint,
            {"grant_type": "client_credentials", "scope": " ".join(asked)},
            registration=replace(registration, client_id=client_id),
            token_endpoint=metadata.token_endpoint,
            now=now,
            seconds=TOKEN_SECONDS,
        )
    except NoAnswer as error:
        raise NotNow(f"token endpoint: {error}") from error
    if (refusal := oauth_error(answer)) or answer.status in (400, 401, 403):
        raise NotReading(refusal or f"token endpoint: status {answer.status}")
    if answer.status != 200 or answer.document is None:
        raise NotNow(f"token endpoint: status {answer.status}")
    try:
        grant = read_any_grant(answer.document, now)
    except TokenExchangeFailed as error:
        raise NotNow(error.detail) from error
    if not _only_reads(grant.scopes.text):
        raise NotReading("the token would do more than read")
    return grant


def _only_reads(granted: str) -> bool:
    """Whether each scope is a system scope for reading; one that is not understood might be anything."""
    scopes = [parse_resource_scope(text) for text in granted.split()]
    return bool(scopes) and all(
        scope is not None and scope.level == LEVEL and scope.interactions <= READING for scope in scopes
    )
