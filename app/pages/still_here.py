"""The page of a launch that lay idle: whether it is still the same person, in the same chart (conformance E12, A34)."""

from urllib.parse import urlsplit

from flask import Blueprint, Flask, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import LaunchIdle
from app.pages.error_pages import quoted_code
from app.pages.note_page import current_note, local, local_now
from app.pages.screens import StillHereScreen
from app.pages.sessions import current_csrf, current_launch, open_launch_before
from app.pages.words import banner, full_time

still_here = Blueprint("still_here", __name__, url_prefix="/charts/<launch_id>/still-here")
open_launch_before(still_here)


@still_here.post("")
def confirm() -> ResponseReturnValue:
    """Somebody said that it is still them: opening the launch has noted it. Back to where they were."""
    if request.accept_mimetypes.best == "application/json":
        return jsonify(ok=True)
    return redirect(_within_this_chart(request.form.get("back", "")), 303)


def ask_when_idle(app: Flask) -> None:
    """Show the page wherever a launch lay idle; a page's script gets the same as JSON."""
    app.register_error_handler(LaunchIdle, _ask)


def _ask(idle: LaunchIdle) -> ResponseReturnValue:
    quoted_code(idle)
    screen = _screen(idle)
    if request.accept_mimetypes.best == "application/json":
        problem = f"{idle.what_happened} You are {screen.clinician}, in {screen.chart}."
        answer = url_for("still_here.confirm", launch_id=current_launch().launch_id)
        return jsonify(problem=problem, what_to_do=idle.what_to_do, code=idle.code, still_here=answer), idle.status
    return render_template("charts/still_here.html", screen=screen), idle.status


def _screen(idle: LaunchIdle) -> StillHereScreen:
    launch, note = current_launch(), current_note()
    shown = banner(note.review.draft, local_now()) if note else None
    return StillHereScreen(
        launch_id=launch.launch_id,
        csrf=current_csrf(),
        banner=shown,
        what_happened=idle.what_happened,
        clinician=(shown.clinician if shown else launch.user_name) or "the clinician who opened this chart",
        chart=f"the chart of {shown.name}" if shown else f"the chart opened on {full_time(local(launch.created_at))}",
        back=request.path if request.method == "GET" else url_for("charts.review", launch_id=launch.launch_id),
    )


def _within_this_chart(back: str) -> str:
    """The address, when it is a page of this launch; else its first page. Never another site's."""
    home = url_for("charts.review", launch_id=g.launch_id)
    parts = urlsplit(back)
    inside = not parts.scheme and not parts.netloc and parts.path.startswith(home) and "\\" not in back
    return parts.path if inside else home
