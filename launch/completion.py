"""From an authorization code to a completed launch, each check as soon as its input is known."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from launch.callback import require_same_server
from launch.client_authentication import refusal_hint
from launch.completed import CompletedLaunch
from launch.context import launch_context
from launch.discovery import Discovery, ServerMetadata
from launch.errors import ScopeShortfall, TokenExchangeFailed
from launch.facts import Note
from launch.grant import Grant, read_grant
from launch.id_token import IDTokens
from launch.identity import identify
from launch.registration import Registration, Sessions
from launch.scopes import parse_resource_scope
from launch.signing_keys import SigningKeys
from launch.style_cache import Styles
from launch.token_exchange import exchange_code
from launch.transaction import LaunchTransaction

MOST_SCOPES = 100
LONGEST_SCOPE = 200


class Completion:
    """Finishes launches whose authorization response was accepted. `note` hears of each step as it begins."""

    def __init__(self, session_for: Sessions, discovery: Discovery, now: Callable[[], datetime], note: Note) -> None:
        self._session_for = session_for
        self._discovery = discovery
        self._id_tokens = IDTokens(SigningKeys(session_for, now), now)
        self._styles = Styles(session_for, now)
        self._now = now
        self._note = note

    def complete(self, registration: Registration, transaction: LaunchTransaction, code: str) -> CompletedLaunch:
        """Exchange the code, verify the user, read the context. Raises the failing step's `LaunchError`."""
        self._note("token")
        metadata = self._discovery.metadata(registration)
        require_same_server(transaction, metadata)
        response = self._exchanged(registration, metadata, transaction, code)
        grant = read_grant(response, self._now())
        self._note("identity", granted_scopes=_names(grant), has_refresh_token=grant.refresh_token is not None)
        claims = self._id_tokens.verify(response.get("id_token"), registration, metadata, transaction.nonce)
        identity = identify(claims, registration.fhir_base, allow_loopback=registration.allow_loopback)
        self._note("scopes")
        _require_scopes(grant, registration)
        self._note("context")
        context = launch_context(
            response,
            encounter_required=registration.encounter_required,
            expected=registration.expected_context,
        )
        styled = replace(context, style=self._styles.read(response.get("smart_style_url"), registration))
        self._note("completed")
        return CompletedLaunch(registration.tenant_id, registration.fhir_base, identity, styled, grant)

    def _exchanged(
        self, registration: Registration, metadata: ServerMetadata, transaction: LaunchTransaction, code: str
    ) -> Mapping[str, Any]:
        try:
            return exchange_code(
                self._session_for(registration),
                registration=registration,
                token_endpoint=metadata.token_endpoint,
                transaction=transaction,
                code=code,
                now=self._now(),
            )
        except TokenExchangeFailed as error:
            hint = refusal_hint(registration.authentication, metadata)
            if error.oauth_error != "invalid_client" or not hint:
                raise
            raise TokenExchangeFailed(f"{error.detail}; {hint}", error.oauth_error, error.ehr_status) from error


def _names(grant: Grant) -> tuple[str, ...]:
    return tuple(scope[:LONGEST_SCOPE] for scope in grant.scopes.text.split()[:MOST_SCOPES])


def _require_scopes(grant: Grant, registration: Registration) -> None:
    # openid, fhirUser and launch prove themselves: without them there is no verified user and no patient. Not
    # every server repeats them among the granted scopes.
    needed = filter(parse_resource_scope, registration.required_scopes)
    missing = grant.scopes.missing(needed)
    if missing:
        raise ScopeShortfall(missing)
