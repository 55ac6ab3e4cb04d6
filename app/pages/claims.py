"""Changing one line of the draft: its text, or the clinician's verdict on it. Pages with scripts get fragments back."""

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import BadInput, StaleEdit
from app.notes.commands import DecideClaim, EditClaim, Verdict
from app.notes.reading import ReadNote
from app.pages.note_page import current_correction, current_landing, current_proposals, local_now, required_note
from app.pages.review_screen import claims_of, review_screen
from app.pages.sessions import collaborators, current_csrf, current_launch, open_launch_before

claims = Blueprint("claims", __name__, url_prefix="/charts/<launch_id>/claims/<claim_id>")
open_launch_before(claims)


@claims.post("/text")
def text(claim_id: str) -> ResponseReturnValue:
    """Replace the line's text."""
    launch, note = current_launch(), required_note()
    command = EditClaim(launch, note.note_id, claim_id, _revision(), request.form.get("text", ""))
    try:
        return _changed(claim_id, collaborators().notes.edit_claim(command))
    except StaleEdit as stale:
        return _stale(claim_id, stale, command.text)


@claims.post("/decision")
def decision(claim_id: str) -> ResponseReturnValue:
    """Confirm, remove or restore the line."""
    launch, note = current_launch(), required_note()
    command = DecideClaim(launch, note.note_id, claim_id, _revision(), _verdict())
    try:
        return _changed(claim_id, collaborators().notes.decide_claim(command))
    except StaleEdit as stale:
        return _stale(claim_id, stale, "")


def _revision() -> int:
    try:
        return int(request.form["revision"])
    except ValueError as error:
        raise BadInput("The page sent something that is not a revision.", "Reload the page and try again.") from error


def _verdict() -> Verdict:
    try:
        return Verdict(request.form.get("decision", ""))
    except ValueError as error:
        raise BadInput("The page sent an unknown decision.", "Reload the page and try again.") from error


def _changed(claim_id: str, note: ReadNote) -> ResponseReturnValue:
    if not _wants_fragments():
        return redirect(url_for("charts.review", launch_id=current_launch().launch_id) + f"#claim-{claim_id}", 303)
    now = local_now()
    screen = review_screen(
        note.review,
        launch_id=current_launch().launch_id,
        csrf=current_csrf(),
        landing=current_landing(note),
        now=now,
        correcting=current_correction(note),
        proposals=current_proposals(note),
    )
    summary = render_template("charts/_summary.html", screen=screen)
    return jsonify(claim_html=_claim_html(claim_id, note), summary_html=summary, saved=f"{now:%H:%M}")


def _stale(claim_id: str, stale: StaleEdit, yours: str) -> ResponseReturnValue:
    if not _wants_fragments():
        raise stale
    answer = {
        "problem": stale.what_happened,
        "claim_html": _claim_html(claim_id, required_note()),
        "yours": yours,
    }
    return jsonify(answer), stale.status


def _claim_html(claim_id: str, note: ReadNote) -> str:
    return render_template("charts/_claim.html", claim=claims_of(note.review)[claim_id], csrf=current_csrf())


def _wants_fragments() -> bool:
    return request.accept_mimetypes.best == "application/json"
