"""The HTTP surface of the room: /launch, /callback/<tenant> and /.well-known/jwks.json.

Errors are raised; the app renders them. `flask.g.tenant_id` is set as soon as the tenant is known, so that
error pages too can be framed by that tenant's EHR and by nobody else.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from flask import Blueprint, Response, after_this_request, g, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from launch.authorization import TIME_LIMIT, read_launch, registered_for, start_launch
from launch.callback import read_response, require_bound, require_code
from launch.completion import Completion
from launch.discovery import Discovery
from launch.errors import UnknownTenant
from launch.keys import public_key_set
from launch.registration import OnLaunched, PrivateKeyJWT, Registrations, Sessions, Transactions
from launch.transaction import cookie_name

KEY_SET_SECONDS = 300


def launch_blueprint(
    registrations: Registrations,
    transactions: Transactions,
    session_for: Sessions,
    on_launched: OnLaunched,
    now: Callable[[], datetime],
) -> Blueprint:
    """Return the two requests of an EHR launch. The Flask session is not used, so launches never meet."""
    blueprint = Blueprint("launch", __name__)
    discovery = Discovery(session_for, now)
    completion = Completion(session_for, discovery, now)

    @blueprint.get("/launch")
    def launch() -> ResponseReturnValue:
        asked = read_launch(request.query_string)
        registration = registered_for(asked.issuer, registrations)
        g.tenant_id = registration.tenant_id
        started = start_launch(asked, registration, discovery.metadata(registration), now())
        transactions.put(started.transaction)
        response = redirect(started.authorization_url, 303)
        _set_cookie(response, started.cookie_name, started.browser_secret, int(TIME_LIMIT.total_seconds()))
        return response

    @blueprint.get("/callback/<tenant_id>")
    def callback(tenant_id: str) -> ResponseReturnValue:
        registration = registrations.by_tenant(tenant_id)
        if registration is None:
            raise UnknownTenant("no registration under this address")
        g.tenant_id = registration.tenant_id
        answer = read_response(request.query_string)
        _clear_cookie_later(cookie_name(answer.state_digest))
        taken = transactions.take(answer.state_digest)
        transaction = require_bound(taken, registration, request.cookies, now())
        code = require_code(answer, transaction)
        return on_launched(completion.complete(registration, transaction, code))

    blueprint.after_request(_keep_private)
    return blueprint


def key_set_blueprint(signers: Callable[[], Iterable[PrivateKeyJWT]]) -> Blueprint:
    """Return `/.well-known/jwks.json`: the public halves of the keys that sign our assertions."""
    blueprint = Blueprint("key_set", __name__)

    @blueprint.get("/.well-known/jwks.json")
    def key_set() -> Response:
        response = jsonify(public_key_set(signers()))
        response.cache_control.public = True
        response.cache_control.max_age = KEY_SET_SECONDS
        return response

    return blueprint


def _clear_cookie_later(name: str) -> None:
    if name not in request.cookies:
        return

    @after_this_request
    def clear(response: Response) -> Response:
        _set_cookie(response, name, "", 0)
        return response


def _set_cookie(response: BaseResponse, name: str, value: str, max_age: int) -> None:
    # SameSite=None because the EHR frames us; Partitioned because browsers drop other third-party cookies.
    response.set_cookie(
        name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="None", partitioned=True
    )


def _keep_private(response: Response) -> Response:
    # The callback's address holds a code, so no page reached from it may learn that address (A20).
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
