"""The authorization server of each tenant's EHR, met after a launch: to renew a grant, and to give it back."""

from collections.abc import Callable, Iterable

import requests

from app.clock import Clock
from app.tenants.grants import OpenGrant
from app.tenants.launch_ports import LaunchRegistrations
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from launch.backend import NotNow as NoReadingNow
from launch.backend import reading_grant
from launch.discovery import Discovery
from launch.errors import LaunchError
from launch.grant import Grant
from launch.id_token import IDTokens
from launch.refresh import Held, NotNow, Refreshed, refresh
from launch.registration import Registration
from launch.revocation import RevocationFailed, revoke
from launch.scopes import GrantedScopes
from launch.signing_keys import SigningKeys


class AuthorizationServers:
    """Finds the server of a tenant by discovery and speaks to it as the client that the tenant registered."""

    def __init__(
        self, registrations: LaunchRegistrations, session_for: Callable[[Tenant], requests.Session], clock: Clock
    ) -> None:
        self._registrations = registrations
        self._session_for = session_for
        self._clock = clock
        self._tenants: dict[str, Tenant] = {}
        self._discovery = Discovery(self._session_of, clock)
        self._id_tokens = IDTokens(SigningKeys(self._session_of, clock), clock)

    def refresh(self, tenant: Tenant, launch: Launch, tokens: OpenGrant) -> Refreshed:
        """Trade the refresh token of a launch for a new pair, by one request. Raises the leaves of `RefreshFailed`."""
        registration = self._registered(tenant)
        try:
            metadata = self._discovery.metadata(registration)
        except LaunchError as error:
            raise NotNow(error.detail) from error
        scopes = GrantedScopes(launch.scopes)
        held = Held(
            grant=Grant(tokens.access_token, tokens.refresh_token, tokens.expires_at, scopes),
            issuer=launch.issuer,
            subject=launch.subject,
            patient=launch.patient.removeprefix("Patient/"),
            encounter=launch.encounter.removeprefix("Encounter/") if launch.encounter else None,
        )
        return refresh(
            self._session_for(tenant),
            registration=registration,
            metadata=metadata,
            id_tokens=self._id_tokens,
            held=held,
            now=self._clock(),
        )

    def revoke(self, tenant: Tenant, tokens: OpenGrant) -> bool:
        """Give the tokens of a launch back, the refresh token first: most servers end the access token with it.

        False where the server revokes nothing. Raises `RevocationFailed`.
        """
        registration = self._registered(tenant)
        try:
            metadata = self._discovery.metadata(registration)
        except LaunchError as error:
            raise RevocationFailed(error.detail) from error
        if metadata.revocation_endpoint is None:
            return False
        for token, hint in ((tokens.refresh_token, "refresh_token"), (tokens.access_token, "access_token")):
            if token:
                revoke(
                    self._session_for(tenant),
                    registration=registration,
                    token_endpoint=metadata.token_endpoint,
                    revocation_endpoint=metadata.revocation_endpoint,
                    token=token,
                    hint=hint,
                    now=self._clock(),
                )
        return True

    def reading_grant(self, tenant: Tenant, client_id: str, resource_types: Iterable[str]) -> Grant:
        """A backend's own token that reads these types. Raises the leaves of `NoReadingToken`."""
        registration = self._registered(tenant)
        try:
            metadata = self._discovery.metadata(registration)
        except LaunchError as error:
            raise NoReadingNow(error.detail) from error
        return reading_grant(
            self._session_for(tenant),
            registration=registration,
            client_id=client_id,
            metadata=metadata,
            resource_types=resource_types,
            now=self._clock(),
        )

    def _registered(self, tenant: Tenant) -> Registration:
        self._tenants[tenant.id] = tenant
        return self._registrations.registration_of(tenant)

    def _session_of(self, registration: Registration) -> requests.Session:
        return self._session_for(self._tenants[registration.tenant_id])
