"""The HTTP surface of the room: /launch in its forms, /callback/<tenant> and /.well-known/jwks.json.

Errors are raised; the app renders them. `flask.g.tenant_id` is set as soon as the tenant is known, so that
error pages too can be framed by that tenant's EHR and by nobody else. `flask.g.launch_facts` says how far a launch
came.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import ParamSpec

from flask import Blueprint, Response, abort, g, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import MethodNotAllowed

from launch.authorization import read_launch, read_standalone, registered_as, registered_for
from launch.browser_cookies import clear_cookie_later
from launch.callback import read_response, require_bound, require_code
from launch.client_authentication import method_of
from launch.completion import Completion
from launch.departure import Departure
from launch.discovery import Discovery
from launch.errors import LaunchError, MalformedRequest
from launch.facts import learn, note, shown_issuer
from launch.handles import WaitingLaunch, read_handle, require_unchanged, require_waiting
from launch.keys import KEY_SET_SECONDS, public_key_set
from launch.pages import RenderPage
from launch.parameters import single_parameters
from launch.registration import (
    OnLaunched,
    PrivateKeyJWT,
    Registration,
    Registrations,
    Sessions,
    Transactions,
    WaitingLaunches,
)
from launch.transaction import AskedLaunch, cookie_name

LONGEST_HANDLE = 200
# How browsers name a page that another one frames (Fetch Metadata, Sec-Fetch-Dest).
FRAMES = frozenset({"iframe", "frame", "embed", "object"})

P = ParamSpec("P")


def launch_blueprint(
    registrations: Registrations,
    transactions: Transactions,
    waiting_launches: WaitingLaunches,
    session_for: Sessions,
    on_launched: OnLaunched,
    render: RenderPage,
    now: Callable[[], datetime],
) -> Blueprint:
    """Return the requests of a launch. The Flask session is not used, so launches never meet."""
    blueprint = Blueprint("launch", __name__)
    discovery = Discovery(session_for, now)
    departure = Departure(transactions, waiting_launches, discovery, render, now)
    completion = Completion(session_for, discovery, now, note)

    @blueprint.get("/launch")
    @_noting_errors
    def launch() -> ResponseReturnValue:
        asked = _noted(read_launch(request.query_string))
        registration = _known(registered_for(asked.issuer, registrations))
        return departure.begin(asked, registration, is_framed=_is_framed())

    @blueprint.get("/launch/<tenant_id>")
    @_noting_errors
    def launch_of_tenant(tenant_id: str) -> ResponseReturnValue:
        asked = _noted(read_launch(request.query_string))
        registration = _known(registered_as(tenant_id, asked.issuer, registrations))
        return departure.begin(asked, registration, is_framed=_is_framed())

    @blueprint.get("/launch/standalone")
    @_noting_errors
    def launch_alone() -> ResponseReturnValue:
        note("registration", kind="standalone")
        asked, registration = read_standalone(request.query_string, registrations)
        _noted(asked)
        return departure.begin(asked, _known(registration), is_framed=_is_framed())

    @blueprint.get("/launch/check")
    @_noting_errors
    def check() -> ResponseReturnValue:
        digest = read_handle(_handle())
        clear_cookie_later(cookie_name(digest))
        waiting = require_waiting(waiting_launches.take(digest), "check", now())
        registration = _as_it_was(waiting, registrations)
        presented = request.cookies.get(cookie_name(digest), "")
        return departure.after_check(waiting, registration, presented, is_framed=_is_framed())

    @blueprint.get("/launch/continue/<handle>")
    @_noting_errors
    def go_on(handle: str) -> ResponseReturnValue:
        waiting = require_waiting(waiting_launches.take(read_handle(handle)), "continue", now())
        registration = _as_it_was(waiting, registrations)
        return departure.resume(waiting, registration, is_framed=_is_framed())

    @blueprint.get("/callback/<tenant_id>")
    @_noting_errors
    def callback(tenant_id: str) -> ResponseReturnValue:
        note("callback")
        registration = _known(registered_as(tenant_id, None, registrations))
        answer = read_response(request.query_string)
        cookie = cookie_name(answer.state_digest)
        clear_cookie_later(cookie)
        taken = transactions.take(answer.state_digest)
        note("callback", cookie_seen=cookie in request.cookies)
        transaction = require_bound(taken, registration, request.cookies, now())
        learn(
            kind=transaction.kind,
            issuer=shown_issuer(transaction.issuer),
            is_framed=transaction.is_framed,
            requested_scopes=transaction.requested_scopes,
        )
        code = require_code(answer, transaction)
        return on_launched(completion.complete(registration, transaction, code))

    blueprint.before_request(_refuse_head)
    blueprint.after_request(_keep_private)
    return blueprint


def key_set_blueprint(signers: Callable[[str | None], Iterable[PrivateKeyJWT] | None]) -> Blueprint:
    """Return the public halves of the keys that sign our assertions: all of them, and each tenant's by themselves.

    `signers` gives the keys of one tenant, or of all for None; its answer is None when there is no such tenant.
    """
    blueprint = Blueprint("key_set", __name__)

    @blueprint.get("/.well-known/jwks.json")
    def key_set() -> Response:
        return answer(signers(None) or ())

    @blueprint.get("/.well-known/jwks/<tenant_id>.json")
    def key_set_of_tenant(tenant_id: str) -> Response:
        keys = signers(tenant_id)
        if keys is None:
            abort(404)
        return answer(keys)

    def answer(keys: Iterable[PrivateKeyJWT]) -> Response:
        response = jsonify(public_key_set(keys))
        response.cache_control.public = True
        response.cache_control.max_age = KEY_SET_SECONDS
        return response

    return blueprint


def _noting_errors(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let the facts say what the EHR answered when the launch failed."""

    @wraps(view)
    def noting(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        note("launch", is_framed=_is_framed())
        try:
            return view(*args, **kwargs)
        except LaunchError as error:
            learn(ehr_status=error.ehr_status, oauth_error=error.oauth_error)
            raise

    return noting


def _noted(asked: AskedLaunch) -> AskedLaunch:
    note("registration", kind=asked.kind, issuer=shown_issuer(asked.issuer))
    return asked


def _known(registration: Registration) -> Registration:
    g.tenant_id = registration.tenant_id
    learn(
        tenant_id=registration.tenant_id,
        redirect_uri=registration.redirect_uri,
        authentication=method_of(registration.authentication),
    )
    return registration


def _as_it_was(waiting: WaitingLaunch, registrations: Registrations) -> Registration:
    """The registration of a launch that goes on, the same as when it began; that one was chosen by its `iss`."""
    _noted(waiting.asked)
    registration = _known(registered_as(waiting.tenant_id, None, registrations))
    require_unchanged(waiting, fhir_base=registration.fhir_base, client_id=registration.client_id)
    return registration


def _handle() -> str:
    found = single_parameters(request.query_string, ("tx",), longest=LONGEST_HANDLE)
    if "tx" not in found:
        raise MalformedRequest("tx is missing")
    return found["tx"]


def _is_framed() -> bool:
    # Browsers that do not say so count as unframed; a cookie that they lose is noticed at the callback.
    return request.headers.get("Sec-Fetch-Dest", "").lower() in FRAMES


def _refuse_head() -> None:
    # Flask would answer HEAD by running the view, and a link checker would use up a code, a state or a handle.
    if request.method == "HEAD":
        raise MethodNotAllowed(valid_methods=["GET"])


def _keep_private(response: Response) -> Response:
    # The callback's address holds a code, so no page reached from it may learn that address (A20).
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
