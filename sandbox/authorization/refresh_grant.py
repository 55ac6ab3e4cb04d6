"""The refresh grant: rotation where the vendor rotates, and a reused token ends its whole family."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant
from flask import g
from typing_extensions import override

from sandbox.authorization.context import launch_context
from sandbox.authorization.launches import Launch
from sandbox.authorization.scopes import really_granted
from sandbox.authorization.tokens import IssuedToken, claim_refresh, find_refresh_token, revoke_family
from sandbox.ehr import current_ehr


class RefreshGrant(RefreshTokenGrant):
    """Exchanges a refresh token for a new access token."""

    @override
    def authenticate_refresh_token(self, refresh_token: str) -> IssuedToken | None:
        database = current_ehr().database
        token = find_refresh_token(database, refresh_token)
        if token is None or token.revoked:
            return None
        if token.refresh_used:
            revoke_family(database, token.family)
            return None
        return token

    @override
    def authenticate_user(self, refresh_token: IssuedToken) -> Launch:
        return refresh_token.launch

    @override
    def issue_token(self, user: Launch, refresh_token: IssuedToken) -> Any:
        ehr = current_ehr()
        self.INCLUDE_NEW_REFRESH_TOKEN = g.get("refresh_rotates", ehr.personality.authorization.refresh_rotates)
        if self.INCLUDE_NEW_REFRESH_TOKEN and not claim_refresh(ehr.database, refresh_token):
            revoke_family(ehr.database, refresh_token.family)
            raise InvalidGrantError()
        scope = self.request.payload.scope or refresh_token.scope
        return self.generate_token(
            user=user, scope=really_granted(scope), include_refresh_token=self.INCLUDE_NEW_REFRESH_TOKEN
        )

    @override
    def create_token_response(self) -> Any:
        status, token, headers = super().create_token_response()
        ehr = current_ehr()
        if ehr.personality.authorization.refresh_repeats_context:
            token = {**token, **launch_context(ehr, self.request.user)}
        return status, token, headers

    @override
    def revoke_old_credential(self, refresh_token: IssuedToken) -> None:
        # Claimed before the new pair was made, so that of two racing refreshes one wins.
        return None
