"""Errors as pages: what happened, what to do, and a short code to quote. The only table from error to page."""

import secrets

from flask import Flask, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from structlog import get_logger
from werkzeug.exceptions import HTTPException

from app.errors import CountersignError
from app.log_lines import place_of
from app.pages.screens import ProblemScreen
from launch.errors import LaunchError

log = get_logger()

UNEXPECTED = (
    "Something unexpected happened on our side. Nothing that you signed is lost.",
    ("Go back and try again.", "If it happens again, give your administrator the code below."),
)
HTTP_WORDS = {
    404: (
        "There is nothing here",
        "This address does not exist.",
        ("Start Countersign from the patient's chart.",),
    ),
    405: (
        "This cannot be done here",
        "This address does not take that request.",
        ("Go back and try again.",),
    ),
    413: (
        "That was too much",
        "More was sent than one statement can hold.",
        ("Go back and shorten the text.",),
    ),
}


def render_errors(app: Flask) -> None:
    """Turn every error of `app` into a page, or into JSON for a page's script."""
    app.register_error_handler(CountersignError, _known)
    app.register_error_handler(LaunchError, _launch)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def quoted_code(error: CountersignError) -> str:
    """The code to quote for an error that a page shows itself, and its line in the log."""
    if error.status >= 500:
        log.error("request_failed", code=error.code, reference=_reference(), endpoint=request.endpoint)
    return f"{error.code} {_reference()}"


def _known(error: CountersignError) -> ResponseReturnValue:
    quoted_code(error)
    return _page(error.title, error.what_happened, error.what_to_do, error.code, error.status)


def _launch(error: LaunchError) -> ResponseReturnValue:
    log.warning(
        "launch_failed",
        code=error.code,
        detail=error.detail,
        reference=_reference(),
        tenant=g.get("tenant_id", ""),
    )
    return _page(error.title, error.what_happened, error.what_to_do, error.code, error.status)


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    title, happened, to_do = HTTP_WORDS.get(status, ("This did not work", *UNEXPECTED))
    return _page(title, happened, to_do, f"http_{status}", status)


def _unexpected(error: Exception) -> ResponseReturnValue:
    # The type and the place, never the message: it may hold what the clinician wrote.
    log.critical("request_crashed", error=type(error).__name__, place=place_of(error), reference=_reference())
    return _page("Something went wrong", *UNEXPECTED, "unexpected", 500)


def _page(title: str, happened: str, to_do: tuple[str, ...], code: str, status: int) -> ResponseReturnValue:
    quoted = f"{code} {_reference()}"
    if request.accept_mimetypes.best == "application/json":
        return jsonify(problem=happened, what_to_do=to_do, code=quoted), status
    back = f"/charts/{g.launch_id}/" if g.get("launch") else ""
    screen = ProblemScreen(title, happened, to_do, quoted, back, "Back to the draft" if back else "")
    return render_template("problem.html", screen=screen), status


def _reference() -> str:
    """A short random code that stands on the page and in the log."""
    if "reference" not in g:
        g.reference = secrets.token_hex(3).upper()
    return str(g.reference)
