"""From an authorization code to a completed launch, each check as soon as its input is known."""

from collections.abc import Callable
from datetime import datetime

from launch.completed import CompletedLaunch
from launch.context import launch_context
from launch.discovery import Discovery
from launch.errors import ScopeShortfall
from launch.grant import Grant, read_grant
from launch.id_token import IDTokens
from launch.identity import identify
from launch.registration import Registration, Sessions
from launch.scopes import parse_resource_scope
from launch.signing_keys import SigningKeys
from launch.token_exchange import exchange_code
from launch.transaction import LaunchTransaction


class Completion:
    """Finishes launches whose authorization response was accepted."""

    def __init__(self, session_for: Sessions, discovery: Discovery, now: Callable[[], datetime]) -> None:
        self._session_for = session_for
        self._discovery = discovery
        self._id_tokens = IDTokens(SigningKeys(session_for, now), now)
        self._now = now

    def complete(self, registration: Registration, transaction: LaunchTransaction, code: str) -> CompletedLaunch:
        """Exchange the code, verify the user, read the context. Raises the failing step's `LaunchError`."""
        metadata = self._discovery.metadata(registration)
        session = self._session_for(registration)
        response = exchange_code(
            session,
            registration=registration,
            token_endpoint=metadata.token_endpoint,
            transaction=transaction,
            code=code,
            now=self._now(),
        )
        grant = read_grant(response, self._now())
        claims = self._id_tokens.verify(response.get("id_token"), registration, metadata, transaction.nonce)
        identity = identify(claims, registration.fhir_base, allow_loopback=registration.allow_loopback)
        _require_scopes(grant, registration)
        context = launch_context(
            response,
            encounter_required=registration.encounter_required,
            expected=registration.expected_context,
        )
        return CompletedLaunch(registration.tenant_id, registration.fhir_base, identity, context, grant)


def _require_scopes(grant: Grant, registration: Registration) -> None:
    # openid, fhirUser and launch prove themselves: without them there is no verified user and no patient. Not
    # every server repeats them among the granted scopes.
    needed = filter(parse_resource_scope, registration.required_scopes)
    missing = grant.scopes.missing(needed)
    if missing:
        raise ScopeShortfall(missing)
