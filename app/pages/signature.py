"""The sign page: a second, deliberate step that names patient, visit, author and destination."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import get_args

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.drafting.template import TITLES
from app.errors import CountersignError, LaunchEnded, NeedsSignIn, NotFound, Refused, StaleReview, TryAgain
from app.notes.commands import SignNote
from app.notes.reading import ReadNote
from app.pages.error_pages import quoted_code
from app.pages.note_page import local_now, required_note, shown_landing
from app.pages.proposals_screen import entries_to_sign
from app.pages.screens import Change, SignScreen
from app.pages.sessions import collaborators, current_csrf, current_launch, open_launch_before
from app.pages.words import attention, banner
from app.review.differences import differences
from app.tenants.launches import Launch
from app.tenants.presence import Doubt

# Why the patient has to be confirmed once more.
DOUBTS: Mapping[Doubt, str] = {
    "": "",
    "always": "Your organisation asks for this with every signature.",
    "away": "This page was left alone for a while.",
    "another_chart": "You opened another patient's chart after this one.",
}
if DOUBTS.keys() != set(get_args(Doubt)):
    raise TypeError("every reason to confirm the patient needs its words")

signature = Blueprint("signature", __name__, url_prefix="/charts/<launch_id>/sign")
open_launch_before(signature)


@signature.get("")
def show() -> ResponseReturnValue:
    """What is about to be signed."""
    note = required_note()
    if note.state.is_settled:
        return _to_note()
    return render_template("charts/sign.html", screen=_screen(note))


@signature.post("")
def sign() -> ResponseReturnValue:
    """Sign what was displayed. A second click gives the same answer."""
    parts, launch, note = collaborators(), current_launch(), required_note()
    form = request.form
    command = SignNote(
        launch,
        note.note_id,
        form.get("displayed_hash", ""),
        form.get("patient", ""),
        form.get("encounter", ""),
        patient_confirmed=is_confirmed(launch),
    )
    try:
        signed = parts.signing.sign(command)
    except (LaunchEnded, NotFound):
        raise
    except (StaleReview, Refused, TryAgain, NeedsSignIn) as problem:
        screen = _screen(required_note(), problem)
        return render_template("charts/sign.html", screen=screen), problem.status
    if signed.ring:
        parts.relay.ring(signed.ring)
    return _to_note()


def confirmation(launch: Launch) -> str:
    """What the ticked box for the patient sends: only a page of this launch, for this patient, has it."""
    told = f"the patient is {launch.patient} in {launch.launch_id}"
    return hmac.new(current_csrf().encode(), told.encode(), hashlib.sha256).hexdigest()


def is_confirmed(launch: Launch) -> bool:
    """Whether the form that was posted comes from a page on which the patient's box was ticked."""
    return hmac.compare_digest(request.form.get("patient_confirmed", "").encode(), confirmation(launch).encode())


def _to_note() -> ResponseReturnValue:
    return redirect(url_for("filing.note", launch_id=current_launch().launch_id), 303)


def _screen(note: ReadNote, problem: CountersignError | None = None) -> SignScreen:
    launch, draft = current_launch(), note.review.draft
    preview = collaborators().signing.preview(launch, note)
    changes = (Change(TITLES[one.section], one.before, one.after, one.kind) for one in differences(note.review))
    return SignScreen(
        launch_id=launch.launch_id,
        csrf=current_csrf(),
        banner=banner(draft, local_now()),
        landing=shown_landing(preview.landing),
        unresolved=() if note.is_addendum else attention(note.review),
        changes=tuple(changes),
        statement=preview.statement,
        note_text=preview.text,
        displayed_hash=preview.displayed_hash,
        patient=launch.patient,
        encounter=launch.encounter or "",
        confirm_why=DOUBTS[collaborators().signing.doubt(launch)],
        confirm_token=confirmation(launch),
        problem=" ".join((problem.what_happened, *problem.what_to_do)) if problem else "",
        code=quoted_code(problem) if problem else "",
        entries=entries_to_sign(preview, collaborators().ehrs.adapter(launch.tenant_id).profile.title),
        undecided=len(preview.undecided),
        what=note.state.amendment.kind if note.state.amendment else "note",
    )
