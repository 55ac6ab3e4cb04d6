"""What of a signed note waits for its signer: why it stopped, what became of it in the EHR, and what ends it."""

from collections.abc import Collection, Iterable, Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app.errors import NotFound
from app.ids import WritebackId
from app.notes.reading import ReadNote
from app.notes.snapshot import Snapshot
from app.outbox.dead_letters import put_aside
from app.pages.change_words import RETRACTING
from app.pages.chart_now import answers, text_there
from app.pages.ending_words import ending_offers, is_retraction
from app.pages.entry_screens import FiledEntry
from app.pages.filed_entries import shown_entries, writes_of_entries
from app.pages.note_page import local_now, required_note
from app.pages.screens import Action
from app.pages.sessions import collaborators, current_csrf, current_launch, open_launch_before
from app.pages.status import SENTENCES, status
from app.pages.stopped_screens import StoppedScreen, StoppedWrite
from app.pages.words import banner
from app.projections import follower, write_status
from app.writebacks.endings import Ending, Person, endings_for
from app.writebacks.handlers import load
from app.writebacks.state import WritebackState

stopped = Blueprint("stopped", __name__, url_prefix="/charts/<launch_id>/note/stopped")
open_launch_before(stopped)


@stopped.get("")
def show() -> ResponseReturnValue:
    """The page."""
    note, launch, parts = required_note(), current_launch(), collaborators()
    follower.catch_up(parts.database, launch.tenant_id)
    ehr = parts.ehrs.adapter(launch.tenant_id).profile.title
    with parts.database.read() as tx:
        writes = _writes(tx, note)
        aside = put_aside(tx, writes)
    by_write = {writeback_id: proposal_id for proposal_id, writeback_id in writes_of_entries(note).items()}
    entries = {one.proposal_id: one for one in shown_entries(note, ehr, aside)}
    with parts.database.read() as tx:
        waiting = {one: state for one, state in writes.items() if one in aside or endings_for(state, Person.SIGNER)}
        shown = tuple(
            _shown(tx, note, one, state, entries.get(by_write.get(one, "")), put_aside=one in aside)
            for one, state in waiting.items()
        )
    screen = StoppedScreen(launch.launch_id, current_csrf(), banner(note.review.draft, local_now()), shown)
    return render_template("charts/stopped.html", screen=screen)


@stopped.post("/<writeback_id>")
def end(writeback_id: str) -> ResponseReturnValue:
    """The signer ends it."""
    note, launch, parts = required_note(), current_launch(), collaborators()
    which = WritebackId(writeback_id)
    with parts.database.read() as tx:
        order = load(tx, launch.tenant_id, which).order
    if order is None or order.note_id != note.note_id:
        raise NotFound("There is no such write of this note.", "Go back to the note.")
    parts.stopped.end(
        launch.tenant_id,
        which,
        request.form.get("ending", ""),
        Person.SIGNER,
        actor=launch.actor,
        reference=request.form.get("reference", "").strip(),
        launch_id=launch.launch_id,
    )
    return redirect(url_for("filing.note", launch_id=launch.launch_id), 303)


def what_ends(
    states: Mapping[WritebackId, WritebackState], entries: Iterable[FiledEntry], aside: Collection[WritebackId]
) -> Action | None:
    """The way to this page from the note's, where any version, a retraction or an entry of it waits for its signer.

    `aside`: the writes that were put aside; this page says what to tell the administrator.
    """
    waiting = [state for one, state in states.items() if one in aside or endings_for(state, Person.SIGNER)]
    if any(entry.ends_here for entry in entries) or not all(state.is_left_current for state in waiting):
        return Action("See what you can do", "link", "note/stopped")
    return Action("An earlier version waits for you", "link", "note/stopped") if waiting else None


def _writes(tx: Connection, note: ReadNote) -> dict[WritebackId, WritebackState]:
    """Every write of this note, of each of its versions and of what was signed with it."""
    found = write_status.of_note(tx, note.tenant_id, note.note_id)
    return {WritebackId(one): load(tx, note.tenant_id, WritebackId(one)) for one in found}


def _shown(
    tx: Connection,
    note: ReadNote,
    writeback_id: WritebackId,
    state: WritebackState,
    entry: FiledEntry | None,
    *,
    put_aside: bool,
) -> StoppedWrite:
    parts, tenant_id = collaborators(), note.tenant_id
    ehr, zone = parts.ehrs.adapter(tenant_id).profile.title, parts.ehrs.tenant(tenant_id).zone
    sentences = RETRACTING if is_retraction(state) else SENTENCES
    differs = state.stored if "text" in state.differences else None
    chart_text = text_there(parts.artifacts.open(tx, tenant_id, differs)) if differs else ""
    offered = ending_offers(state, Person.SIGNER)
    to_copy = any(one.value == Ending.COPY for one in offered)
    return StoppedWrite(
        writeback_id=writeback_id,
        title=f"{entry.kind}: {entry.words}" if entry else _title(note, state),
        sentence=entry.sentence
        if entry
        else status(state, parts.clock(), ehr, zone, sentences, put_aside=put_aside).sentence,
        answers=answers(state, ehr),
        chart_text=chart_text,
        signed_text=_signed_text(tx, note, writeback_id) if chart_text or to_copy else "",
        to_copy=to_copy,
        endings=offered,
    )


def _signed_text(tx: Connection, note: ReadNote, writeback_id: WritebackId) -> str:
    """What was signed and is written by this write; nothing of a retraction, or of an entry beside the note."""
    signed = next((one for one in note.state.signatures if one.writeback_id == writeback_id), None)
    if signed is None:
        return ""
    return Snapshot.model_validate_json(collaborators().artifacts.open(tx, note.tenant_id, signed.snapshot)).text


def _title(note: ReadNote, state: WritebackState) -> str:
    if is_retraction(state):
        return "Your retraction"
    if state.order is None or len(note.state.signatures) == 1:
        return "Your note"
    return f"Version {state.order.note_version} of your note"
