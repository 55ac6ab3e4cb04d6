"""Authlib's authorization server, furnished for one EHR."""

import secrets
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from flask import Flask, g

from sandbox.authorization.backend_grant import BackendGrant
from sandbox.authorization.client_assertion import ClientAssertion
from sandbox.authorization.code_grant import CodeGrant, LaunchRequest, S256Only
from sandbox.authorization.id_token import IdToken
from sandbox.authorization.refresh_grant import RefreshGrant
from sandbox.authorization.token_endpoints import Introspection, Revocation
from sandbox.authorization.tokens import save_token
from sandbox.ehr import EHR, current_ehr

# Vendors' tokens are opaque and long, and apps have been seen to truncate them.
ACCESS_TOKEN_BYTES = 192
REFRESH_TOKEN_BYTES = 96


def authorization_server(app: Flask, ehr: EHR) -> AuthorizationServer:
    """The server with its grants, client authentication and token endpoints."""
    server = AuthorizationServer(app, query_client=ehr.clients.known, save_token=_save)
    server.register_token_generator("default", _generator(ehr))
    server.register_client_auth_method("private_key_jwt", ClientAssertion())
    methods = list(ehr.personality.authorization.client_authentication)
    for grant in (CodeGrant, RefreshGrant):
        grant.TOKEN_ENDPOINT_AUTH_METHODS = methods
    server.register_grant(CodeGrant, [S256Only(required=True), LaunchRequest(), IdToken()])
    server.register_grant(RefreshGrant)
    server.register_grant(BackendGrant)
    server.register_endpoint(Revocation)
    server.register_endpoint(Introspection)
    return server


def _generator(ehr: EHR) -> BearerTokenGenerator:
    return BearerTokenGenerator(
        access_token_generator=lambda **_: secrets.token_urlsafe(ACCESS_TOKEN_BYTES),
        refresh_token_generator=lambda **_: secrets.token_urlsafe(REFRESH_TOKEN_BYTES),
        expires_generator=lambda *_: _lifetime(ehr),
    )


def _lifetime(ehr: EHR) -> int:
    return int(g.get("token_lifetime", ehr.personality.authorization.access_token_seconds))


def _save(token: dict[str, Any], request: Any) -> None:
    parent = request.authorization_code or request.refresh_token
    save_token(
        current_ehr().database,
        token,
        family=parent.family,
        client_id=request.client.client_id,
        launch=parent.launch,
    )
