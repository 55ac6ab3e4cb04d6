"""Changing a signed note: correct it, add to it, retract it, or take it back. Each says first what will happen."""

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import BadInput, CountersignError, NeedsSignIn, PatientUnconfirmed, Refused, TryAgain
from app.ids import WritebackId
from app.notes.commands import BeginAmendment, CancelNote, DropAmendment, Kind, Reason, RetractNote, WriteAddendum
from app.notes.plan import ASKED, Plan
from app.notes.reading import ReadNote
from app.pages.change_words import KINDS, REASONS, TO_ADD, TO_CORRECT, TO_RETRACT, TO_RETRACT_EARLIER
from app.pages.error_pages import quoted_code
from app.pages.note_page import local, local_now, required_note
from app.pages.screens import AddendumScreen, ChangeScreen, Option
from app.pages.sessions import collaborators, current_csrf, current_launch, open_launch_before
from app.pages.signature import DOUBTS, confirmation, is_confirmed
from app.pages.words import banner, full_time
from app.policy.mutation import Asked, Move, sentence

changing = Blueprint("changing", __name__, url_prefix="/charts/<launch_id>/note")
open_launch_before(changing)

OFFERED = {Kind.CORRECTION: TO_CORRECT, Kind.ADDENDUM: TO_ADD}


@changing.get("/change/<kind>")
def ask(kind: str) -> ResponseReturnValue:
    """What a correction, or an addendum, would come to, and why it is made."""
    return _change_page(required_note(), _kind(kind))


@changing.post("/change/<kind>")
def begin(kind: str) -> ResponseReturnValue:
    """Begin it."""
    chosen, note = _kind(kind), required_note()
    try:
        reason = _reason(OFFERED[chosen])
        collaborators().amendments.begin(BeginAmendment(current_launch(), note.note_id, chosen, reason))
    except (BadInput, Refused) as problem:
        return _change_page(required_note(), chosen, problem), problem.status
    return _to("changing.addendum" if chosen is Kind.ADDENDUM else "charts.review")


@changing.get("/addendum")
def addendum() -> ResponseReturnValue:
    """The text of the addendum, as far as it is written."""
    note = required_note()
    return _addendum_page(note, note.addendum) if note.is_addendum else _to("filing.note")


@changing.post("/addendum")
def write() -> ResponseReturnValue:
    """Keep the text, and go on to sign it."""
    note, text = required_note(), request.form.get("text", "")
    try:
        kept = collaborators().amendments.write(WriteAddendum(current_launch(), note.note_id, text))
    except BadInput as problem:
        return _addendum_page(note, text, problem), problem.status
    if kept.statements:
        return _to("signature.show")
    empty = BadInput("The addendum is empty.", "Write what you want to add.")
    return _addendum_page(kept, "", empty), empty.status


@changing.post("/give-up")
def give_up() -> ResponseReturnValue:
    """The note stands as it was signed."""
    collaborators().amendments.drop(DropAmendment(current_launch(), required_note().note_id))
    return _to("filing.note")


@changing.get("/retract/<writeback_id>")
def ask_to_retract(writeback_id: str) -> ResponseReturnValue:
    """What retracting this version would come to, and why it is done."""
    return _retract_page(required_note(), WritebackId(writeback_id))


@changing.post("/retract/<writeback_id>")
def retract(writeback_id: str) -> ResponseReturnValue:
    """Retract it. A second click gives the same answer."""
    parts, launch, note, of = collaborators(), current_launch(), required_note(), WritebackId(writeback_id)
    try:
        reason = _reason(TO_RETRACT_EARLIER)
        patient = request.form.get("patient", "")
        command = RetractNote(launch, note.note_id, of, reason, patient, patient_confirmed=is_confirmed(launch))
        retracted = parts.retraction.retract(command)
    except (BadInput, Refused, PatientUnconfirmed, TryAgain, NeedsSignIn) as problem:
        return _retract_page(required_note(), of, problem), problem.status
    if retracted.ring:
        parts.relay.ring(retracted.ring)
    return _to("filing.note")


@changing.post("/take-back")
def take_back() -> ResponseReturnValue:
    """Stop what has not left yet."""
    collaborators().amendments.cancel(CancelNote(current_launch(), required_note().note_id))
    return _to("filing.note")


def _to(endpoint: str) -> ResponseReturnValue:
    return redirect(url_for(endpoint, launch_id=current_launch().launch_id), 303)


def _kind(kind: str) -> Kind:
    try:
        return Kind(kind)
    except ValueError as error:
        raise BadInput("The page asked for an unknown change.", "Go back to the note and try again.") from error


def _reason(offered: Sequence[Reason]) -> Reason:
    found = next((reason for reason in offered if reason == request.form.get("reason")), None)
    if found is None:
        raise BadInput("No reason was chosen.", "Choose the one that fits best.")
    return found


def _change_page(note: ReadNote, kind: Kind, problem: CountersignError | None = None) -> str:
    plan = collaborators().amendments.plan(current_launch(), note, ASKED[kind])
    may = plan.change.move in (Move.SEND, Move.COPY)
    return _page(note, plan, KINDS[kind], OFFERED[kind], problem, may=may, button="Go on")


def _retract_page(note: ReadNote, of: WritebackId, problem: CountersignError | None = None) -> str:
    plan = collaborators().amendments.plan(current_launch(), note, Asked.RETRACT, of)
    may = plan.change.move is Move.SEND and note.state.is_settled
    button = f"Retract as {note.review.draft.clinician.name}"
    is_earlier = plan.original.write.is_left_current
    title = "Retract this earlier version" if is_earlier else "Retract this note"
    reasons = TO_RETRACT_EARLIER if is_earlier else TO_RETRACT
    return _page(note, plan, title, reasons, problem, may=may, button=button, is_final=True)


def _page(
    note: ReadNote,
    plan: Plan,
    title: str,
    reasons: Sequence[Reason],
    problem: CountersignError | None,
    *,
    may: bool,
    button: str,
    is_final: bool = False,
) -> str:
    launch = current_launch()
    ehr = collaborators().ehrs.adapter(launch.tenant_id).profile.title
    screen = ChangeScreen(
        launch_id=launch.launch_id,
        csrf=current_csrf(),
        banner=banner(note.review.draft, local_now()),
        title=title,
        sentence=sentence(plan.change, ehr),
        may=may,
        reasons=tuple(Option(reason, REASONS[reason]) for reason in reasons),
        button=button,
        patient=launch.patient,
        signed_at=full_time(local(plan.snapshot.signed_at)),
        note_text=plan.snapshot.text,
        confirm_why=DOUBTS[collaborators().signing.doubt(launch)] if is_final else "",
        confirm_token=confirmation(launch),
        problem=" ".join((problem.what_happened, *problem.what_to_do)) if problem else "",
        code=quoted_code(problem) if problem else "",
    )
    return render_template("charts/change.html", screen=screen)


def _addendum_page(note: ReadNote, text: str, problem: CountersignError | None = None) -> str:
    launch = current_launch()
    plan = collaborators().amendments.plan(launch, note, Asked.ADD)
    ehr = collaborators().ehrs.adapter(launch.tenant_id).profile.title
    screen = AddendumScreen(
        launch_id=launch.launch_id,
        csrf=current_csrf(),
        banner=banner(note.review.draft, local_now()),
        sentence=sentence(plan.change, ehr),
        text=text,
        signed_at=full_time(local(plan.snapshot.signed_at)),
        note_text=plan.snapshot.text,
        problem=" ".join((problem.what_happened, *problem.what_to_do)) if problem else "",
        code=quoted_code(problem) if problem else "",
    )
    return render_template("charts/addendum.html", screen=screen)
