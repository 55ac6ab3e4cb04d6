"""The authorization code grant with a launch, PKCE S256 and the launch context in the token response."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import g
from typing_extensions import override

from sandbox.authorization.clients import Client
from sandbox.authorization.codes import Code, claim_code, find_code, save_code
from sandbox.authorization.context import launch_context
from sandbox.authorization.launches import Launch, claim_launch
from sandbox.authorization.refresh_policy import refresh_is_granted
from sandbox.authorization.scopes import ScopeRefused, grant_scopes, really_granted
from sandbox.authorization.sign_in import signed_in, waiting_launch
from sandbox.ehr import current_ehr


class CodeGrant(AuthorizationCodeGrant):
    """Issues a code for a launch, and a token for the code."""

    @override
    def save_authorization_code(self, code: str, request: Any) -> None:
        ehr = current_ehr()
        save_code(
            ehr.database,
            code,
            Code(
                code_sha256="",
                family=request.family,
                client_id=request.client.client_id,
                redirect_uri=request.payload.redirect_uri,
                scope=request.scope,
                launch=request.user,
                nonce=request.payload.data.get("nonce"),
                code_challenge="" if g.get("pkce") == "none" else request.payload.data.get("code_challenge", ""),
            ),
        )

    @override
    def create_authorization_response(self, redirect_uri: str, grant_user: Any) -> Any:
        # The EHR knows its user: unless the launch wants a sign-in page, its token says who is signed in.
        launch, parameters = self.request.user, self.request.payload.data
        claimed = claim_launch(current_ehr().database, parameters.get("launch"), self.request.client.client_id)
        if not claimed and "launch" in parameters:
            raise InvalidRequestError("The launch was already used.", redirect_uri=redirect_uri)
        return super().create_authorization_response(redirect_uri, launch)

    @override
    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return find_code(current_ehr().database, code, client.client_id)

    @override
    def create_token_response(self) -> Any:
        code: Code = self.request.authorization_code
        if not claim_code(current_ehr().database, code):
            raise InvalidGrantError("Invalid 'code' in request.")
        status, token, headers = super().create_token_response()
        return status, {**token, **launch_context(current_ehr(), code.launch)}, headers

    @override
    def generate_token(self, *args: Any, **kwargs: Any) -> Any:
        rules = current_ehr().personality.authorization
        kwargs["include_refresh_token"] = refresh_is_granted(rules, self.request.client, kwargs["scope"])
        return super().generate_token(*args, **kwargs)

    @override
    def authenticate_user(self, authorization_code: Code) -> Launch:
        return authorization_code.launch

    @override
    def delete_authorization_code(self, authorization_code: Code) -> None:
        # Kept, marked as used, so that a second use is recognised.
        return None


class LaunchRequest:
    """What SMART adds to an authorize request: state, aud, launch and scope."""

    @override
    def __call__(self, grant: CodeGrant) -> None:
        grant.register_hook("after_validate_authorization_request_payload", self.validate)

    def validate(self, grant: CodeGrant, _redirect_uri: str) -> None:
        """Check the request and put the launch where Authlib keeps the user."""
        ehr, parameters = current_ehr(), grant.request.payload.data
        if not parameters.get("state"):
            raise InvalidRequestError("Missing 'state' in request.")
        if parameters.get("aud", "").rstrip("/") != ehr.fhir_base:
            raise InvalidRequestError("'aud' is not this server's FHIR base URL.")
        opened = waiting_launch(ehr, parameters)
        grant.request.family = opened.family
        grant.request.scope = self._granted(grant)
        grant.request.user = signed_in(ehr, opened)

    def _granted(self, grant: CodeGrant) -> str:
        request = grant.request
        asked = request.payload.scope or ""
        if "launch" in request.payload.data and "launch" not in asked.split():
            raise InvalidScopeError("The 'launch' scope is needed with a 'launch'.")
        try:
            granted = grant_scopes(asked, current_ehr().personality.authorization, request.client.scopes)
            return really_granted(granted)
        except ScopeRefused as refused:
            raise InvalidScopeError(f"Invalid Scope: {refused}") from refused


class S256Only(CodeChallenge):
    """PKCE is not optional here, and `plain` is refused."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    @override
    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        parameters = grant.request.payload.data
        if g.get("pkce") == "none" or (g.get("pkce") == "auto" and "code_challenge" not in parameters):
            return
        if not parameters.get("code_challenge") or parameters.get("code_challenge_method") != "S256":
            raise InvalidRequestError("'code_challenge' with method S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)

    @override
    def validate_code_verifier(self, grant: CodeGrant, result: Any) -> None:
        if g.get("pkce") != "none":
            super().validate_code_verifier(grant, result)
