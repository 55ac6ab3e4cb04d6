"""The chart page: a draft to review, or the way to one."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.errors import CountersignError, NeedsSignIn, ReadOnly, TryAgain
from app.pages.error_pages import quoted_code
from app.pages.note_page import current_correction, current_landing, current_note, current_proposals, local_now
from app.pages.review_screen import review_screen
from app.pages.screens import PreparingScreen
from app.pages.sessions import collaborators, current_csrf, current_launch, open_launch_before

charts = Blueprint("charts", __name__, url_prefix="/charts/<launch_id>")
open_launch_before(charts)


@charts.get("/")
def review() -> ResponseReturnValue:
    """The review page; before there is a draft, the page that makes one; after signing, the note's own page."""
    note, launch = current_note(), current_launch()
    if note is None:
        return _preparing()
    if note.state.is_settled:
        return redirect(url_for("filing.note", launch_id=launch.launch_id), 303)
    if note.is_addendum:
        return redirect(url_for("changing.addendum", launch_id=launch.launch_id), 303)
    screen = review_screen(
        note.review,
        launch_id=launch.launch_id,
        csrf=current_csrf(),
        landing=current_landing(note),
        now=local_now(),
        correcting=current_correction(note),
        proposals=current_proposals(note),
    )
    return render_template("charts/review.html", screen=screen)


@charts.post("/draft")
def draft() -> ResponseReturnValue:
    """Make the draft, once; a draft that exists stays."""
    launch = current_launch()
    try:
        collaborators().preparation.prepare(launch)
    except (TryAgain, NeedsSignIn, ReadOnly) as problem:
        return _preparing(problem), problem.status
    return redirect(url_for("charts.review", launch_id=launch.launch_id), 303)


def _preparing(problem: CountersignError | None = None) -> str:
    screen = PreparingScreen(
        launch_id=current_launch().launch_id,
        csrf=current_csrf(),
        clinician="you",
        problem=problem.what_happened if problem else "",
        advice=problem.what_to_do if problem else (),
        code=quoted_code(problem) if problem else "",
    )
    return render_template("charts/preparing.html", screen=screen)
