"""The authorization server's endpoints."""

from typing import Any
from urllib.parse import quote

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, jsonify, request

from sandbox.authorization.framing import refusing_frames
from sandbox.authorization.sign_in import SignInNeeded
from sandbox.authorization.sign_in_page import sign_in_page
from sandbox.ehr import EHR
from sandbox.qa.injection import with_faults


def authorization_routes(ehr: EHR, server: AuthorizationServer) -> Blueprint:
    """Authorize, token, introspect, revoke and keys under the vendor's OAuth path."""
    routes = Blueprint("authorization", __name__, url_prefix=ehr.personality.authorization.oauth_path)

    @routes.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Response:
        return with_faults("authorize", None, lambda: _signed_in(ehr, server))

    @routes.post("/token")
    def token() -> Response:
        return with_faults("token", None, lambda: _token(server))

    @routes.post("/introspect")
    def introspect() -> Response:
        return with_faults("introspect", None, lambda: server.create_endpoint_response("introspection"))

    @routes.post("/revoke")
    def revoke() -> Response:
        return with_faults("revoke", None, lambda: server.create_endpoint_response("revocation"))

    @routes.get("/keys")
    def keys() -> Response:
        return with_faults("jwks", None, lambda: jsonify(ehr.signing_key.public_jwks()))

    return routes


def _signed_in(ehr: EHR, server: AuthorizationServer) -> Response:
    def proceed() -> Response:
        try:
            return _with_issuer(ehr, _authorize(server))
        except SignInNeeded as needed:
            return sign_in_page(ehr, needed.opened)

    return refusing_frames(proceed) if ehr.personality.authorization.sign_in_refuses_frames else proceed()


def _with_issuer(ehr: EHR, response: Response) -> Response:
    # RFC 9207 2: errors carry it too.
    if ehr.personality.authorization.response_issuer and response.status_code == 302:
        response.headers["Location"] += f"&iss={quote(ehr.issuer, safe='')}"
    return response


def _authorize(server: AuthorizationServer) -> Response:
    oauth_request = server.create_oauth2_request(None)
    try:
        grant = server.get_authorization_grant(oauth_request)
    except OAuth2Error as error:
        error.state = oauth_request.payload.state
        return _response(server.handle_error_response(oauth_request, error))
    return _response(server.create_authorization_response(oauth_request, grant=grant))


def _token(server: AuthorizationServer) -> Response:
    # RFC 6749 3.2: parameters belong in the body; a code in a query string ends in somebody's log.
    if request.args or request.mimetype != "application/x-www-form-urlencoded":
        reply = jsonify(error="invalid_request", error_description="Send the parameters as a form.")
        reply.status_code = 400
        return reply
    return _response(server.create_token_response())


def _response(reply: Any) -> Response:
    reply.headers.setdefault("Cache-Control", "no-store")
    return reply  # type: ignore[no-any-return]
