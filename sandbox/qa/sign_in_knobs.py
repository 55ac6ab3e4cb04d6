"""Knobs of the authorize endpoint: what comes back to the app, what is granted, where the page may be shown.

RFC 6749 4.1.2.1 for the errors, RFC 9207 for `iss`, SMART scopes for the grant.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Response, redirect, request

from sandbox.authorization.framing import refusing_frames
from sandbox.authorization.scopes import parse_scope, respelled, without_letters
from sandbox.ehr import current_ehr
from sandbox.qa.faults import Fault
from sandbox.qa.knob import Answer, Knob, Proceed, oauth_error, setting

ON = ("authorize",)
# What is granted is decided when the code is issued, and again at each refresh.
GRANTING = ("authorize", "refresh", "backend")
SCRIPT = "<script>alert('error_description')</script><img src=x onerror=alert(1)>"
ERRORS = (
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
)
Parameters = dict[str, str]


def _error(code: str) -> Answer:
    """An error that goes back to the app by redirect, with markup where a text belongs."""

    def answer(_proceed: Proceed, fault: Fault) -> Response:
        sent = {"error": code, "error_description": SCRIPT, "state": request.values.get("state", "")}
        return _to_app(sent | fault.options)

    return answer


def _to_app(parameters: Parameters) -> Response:
    separator = "&" if urlsplit(request.values.get("redirect_uri", "")).query else "?"
    response = redirect(f"{request.values.get('redirect_uri', '')}{separator}{urlencode(parameters)}", 302)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]  # werkzeug's class; Flask makes its own of it


def _changed(change: Callable[[Parameters, Fault], Parameters]) -> Answer:
    """Change what a redirect brings back to the app; other answers stay."""

    def answer(proceed: Proceed, fault: Fault) -> Response:
        response = proceed()
        if response.status_code == 302:
            address = urlsplit(response.headers["Location"])
            query = urlencode(change(dict(parse_qsl(address.query)), fault))
            response.headers["Location"] = address._replace(query=query).geturl()
        return response

    return answer


def _without(name: str) -> Answer:
    return _changed(lambda sent, _fault: {key: value for key, value in sent.items() if key != name})


def _frame_refused(proceed: Proceed, _fault: Fault) -> Response:
    return refusing_frames(proceed)


def _scopes(change: Callable[[list[str], Fault], list[str]]) -> Answer:
    return setting("change_scopes", lambda fault: lambda granted: change(granted, fault))


def _dropped(granted: list[str], fault: Fault) -> list[str]:
    patterns = fault.options.get("scopes", [])
    return [scope for scope in granted if not any(fnmatchcase(scope, pattern) for pattern in patterns)]


def _mixed_case(scope: str) -> str:
    stem, dot, permission = scope.rpartition(".")
    return f"{stem}{dot}{permission.capitalize()}" if parse_scope(scope) else scope


ERROR_KNOBS = {
    f"authorize_{code}": Knob(_error(code), f"Goes back with {code}, a script in its description", ON)
    for code in ERRORS
}
SIGN_IN_KNOBS: dict[str, Knob] = {
    "authorize_invalid_client": Knob(
        oauth_error(401, "invalid_client", "The client_id is not known here."), "Says that the client is unknown", ON
    ),
    "authorize_invalid_redirect_uri": Knob(
        oauth_error(400, "invalid_request", "The redirect_uri is not registered."), "Refuses the redirect URI", ON
    ),
    **ERROR_KNOBS,
    "iss_missing": Knob(_without("iss"), "Goes back without iss (RFC 9207)", ON),
    "iss_wrong": Knob(
        _changed(lambda sent, _fault: {**sent, "iss": "https://other-issuer.example"}),
        "Goes back with a foreign iss",
        ON,
    ),
    "iss_fhir_base": Knob(
        _changed(lambda sent, _fault: {**sent, "iss": current_ehr().fhir_base}),
        "Goes back with the FHIR base as iss",
        ON,
    ),
    "iss_sent": Knob(
        _changed(lambda sent, _fault: {**sent, "iss": current_ehr().issuer}),
        "Goes back with the issuer as iss, advertised or not",
        ON,
    ),
    "state_wrong": Knob(
        _changed(lambda sent, _fault: {**sent, "state": "not-your-state"}), "Goes back with another state", ON
    ),
    "state_missing": Knob(_without("state"), "Goes back without state", ON),
    "code_missing": Knob(_without("code"), "Goes back without a code", ON),
    "code_wrong": Knob(
        _changed(lambda sent, _fault: {**sent, "code": "not-a-code"}), "Goes back with a wrong code", ON
    ),
    "frame_refused": Knob(_frame_refused, "The sign-in refuses to be shown in a frame", ON, setting=True),
    "pkce_auto": Knob(setting("pkce", lambda _fault: "auto"), "PKCE is checked only if it was sent", ON, setting=True),
    "pkce_none": Knob(
        setting("pkce", lambda _fault: "none"), "PKCE is neither asked for nor checked", ("any",), setting=True
    ),
    "scopes_dropped": Knob(
        _scopes(_dropped), "Grants without the scopes in options (scopes: names or patterns)", GRANTING, setting=True
    ),
    "scopes_without_writes": Knob(
        _scopes(lambda granted, _fault: without_letters(granted, "cud")), "Grants no writing", GRANTING, setting=True
    ),
    "scopes_widened": Knob(
        _scopes(lambda granted, _fault: [*granted, "user/*.cruds"]),
        "Grants more than was asked: user/*.cruds",
        GRANTING,
        setting=True,
    ),
    "scopes_v1": Knob(
        _scopes(lambda granted, _fault: respelled(granted, "v1")), "Spells what it grants in v1", GRANTING, setting=True
    ),
    "scopes_v2": Knob(
        _scopes(lambda granted, _fault: respelled(granted, "v2")), "Spells what it grants in v2", GRANTING, setting=True
    ),
    "scopes_mixed_case": Knob(
        _scopes(lambda granted, _fault: [_mixed_case(scope) for scope in granted]),
        "Spells permissions with a capital: .Read, .Rs",
        GRANTING,
        setting=True,
    ),
    "scopes_none": Knob(_scopes(lambda _granted, _fault: []), "Grants nothing at all", GRANTING, setting=True),
}
