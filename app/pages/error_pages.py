"""Errors as pages: what happened, what to do, and a short code to quote. The only table from error to page."""

from flask import Flask, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from structlog import get_logger
from werkzeug.exceptions import HTTPException

from app.errors import CountersignError
from app.ids import new_reference
from app.log_lines import place_of
from app.onboarding.probes import CALLED
from app.pages.screens import ProblemScreen
from app.pages.sessions import collaborators
from app.tenants.traces import Trace
from launch.errors import LaunchError, MalformedRequest
from launch.facts import LaunchFacts

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
    429: (
        "Too much at once",
        "More requests came from you or from your network in a short time than Countersign takes. Nothing was changed.",
        ("Wait a minute, then try again.", "If it happens again, give your administrator the code below."),
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
    _leave_trace(error.code, error.what_happened)
    return _page(error.title, error.what_happened, error.what_to_do, error.code, error.status)


def _launch(error: LaunchError) -> ResponseReturnValue:
    log.warning(
        "launch_failed",
        code=error.code,
        detail=error.detail,
        reference=_reference(),
        tenant=g.get("tenant_id", ""),
    )
    _leave_trace(error.code, error.detail)
    return _page(error.title, error.what_happened, error.what_to_do, error.code, error.status)


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    title, happened, to_do = HTTP_WORDS.get(status, ("This did not work", *UNEXPECTED))
    answer = make_response(_page(title, happened, to_do, f"http_{status}", status))
    if retry_after := g.get("retry_after"):
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def _unexpected(error: Exception) -> ResponseReturnValue:
    # The type and the place, never the message: it may hold what the clinician wrote.
    log.critical("request_crashed", error=type(error).__name__, place=place_of(error), reference=_reference())
    _leave_trace("unexpected", place_of(error))
    return _page("Something went wrong", *UNEXPECTED, "unexpected", 500)


def _page(title: str, happened: str, to_do: tuple[str, ...], code: str, status: int) -> ResponseReturnValue:
    quoted = f"{code} {_reference()}"
    if request.accept_mimetypes.best == "application/json":
        return jsonify(problem=happened, what_to_do=to_do, code=quoted), status
    chart = (f"/charts/{g.launch_id}/", "Back to the note") if g.get("launch") else ("", "")
    screen = ProblemScreen(title, happened, to_do, quoted, *g.get("back", chart))
    return render_template("problem.html", screen=screen), status


def _reference() -> str:
    """A short random code that stands on the page and in the log."""
    if "reference" not in g:
        g.reference = new_reference()
    return str(g.reference)


def _leave_trace(code: str, detail: str) -> None:
    """Keep what became of a launch that failed; a request that is no launch leaves none, nor does our own doctor's."""
    facts: LaunchFacts | None = g.get("launch_facts")
    if facts is None or (code == MalformedRequest.code and request.user_agent.string == CALLED):
        return
    tenant_id = facts.tenant_id or g.get("tenant_id") or None
    collaborators().traces.keep(Trace(_reference(), tenant_id, facts.step, code, detail, facts.document()))
