"""A backend's own token (https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html): no person, no chart."""

import secrets
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from typing_extensions import override

from sandbox.authorization.launches import Launch, Opened
from sandbox.authorization.scopes import ScopeRefused, grant_scopes, parse_scope, really_granted
from sandbox.ehr import current_ehr

NOBODY = Launch("", None, None)
LONGEST_SECONDS = 300


class BackendGrant(ClientCredentialsGrant):
    """A short token for `system/` scopes, against a signed assertion only; no refresh token."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)

    @override
    def validate_token_request(self) -> None:
        if not current_ehr().personality.authorization.backend_scopes:
            raise UnsupportedGrantTypeError(self.GRANT_TYPE)
        super().validate_token_request()
        self.request.scope = really_granted(self._granted())
        # Read where a launch's token finds its launch.
        self.request.authorization_code = Opened(NOBODY, family=secrets.token_hex(16))

    @override
    def create_token_response(self) -> Any:
        token = self.generate_token(scope=self.request.scope, expires_in=LONGEST_SECONDS, include_refresh_token=False)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER

    def _granted(self) -> str:
        rules, client = current_ehr().personality.authorization, self.request.client
        offered = client.scopes if client.scopes is not None else rules.backend_scopes
        system = [text for text in offered if _is_system(text)]
        asked = self.request.payload.scope
        if not asked:
            raise InvalidRequestError("Missing 'scope' in request.")
        try:
            granted = grant_scopes(" ".join(filter(_is_system, asked.split())), rules, system)
        except ScopeRefused as refused:
            raise InvalidScopeError(f"Invalid Scope: {refused}") from refused
        if not granted:
            raise InvalidScopeError("Nothing of this can be granted.")
        return granted


def _is_system(text: str) -> bool:
    scope = parse_scope(text)
    return scope is not None and scope.context == "system"
