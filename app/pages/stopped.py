"""What of a signed note waits for its signer: why it stopped, what became of it in the EHR, and what ends it."""

from collections.abc import Iterable

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app.errors import NotFound
from app.ids import TenantId, WritebackId
from app.notes.reading import ReadNote
from app.outbox.dead_letters import put_aside
from app.pages.chart_now import answers, text_there
from app.pages.ending_words import ending_offers
from app.pages.entry_screens import FiledEntry
from app.pages.note_page import local_now, required_note
from app.pages.screens import Action
from app.pages.sessions import collaborators, current_csrf, current_launch, open_launch_before
from app.pages.status import status
from app.pages.stopped_screens import StoppedScreen, StoppedWrite
from app.pages.words import banner
from app.projections import follower, write_status
from app.writebacks.endings import Person, endings_for
from app.writebacks.events import WritebackQueued
from app.writebacks.handlers import load
from app.writebacks.state import WritebackState

stopped = Blueprint("stopped", __name__, url_prefix="/charts/<launch_id>/note/stopped")
open_launch_before(stopped)


@stopped.get("")
def show() -> ResponseReturnValue:
    """The page."""
    note, launch, parts = required_note(), current_launch(), collaborators()
    follower.catch_up(parts.database, launch.tenant_id)
    with parts.database.read() as tx:
        writes = _writes(tx, note)
        aside = put_aside(tx, writes)
        waiting = {one: state for one, state in writes.items() if one in aside or endings_for(state, Person.SIGNER)}
        shown = tuple(
            _shown(tx, launch.tenant_id, one, state, put_aside=one in aside) for one, state in waiting.items()
        )
    screen = StoppedScreen(launch.launch_id, current_csrf(), banner(note.review.draft, local_now()), shown)
    return render_template("charts/stopped.html", screen=screen)


@stopped.post("/<writeback_id>")
def end(writeback_id: str) -> ResponseReturnValue:
    """The signer ends it."""
    note, launch, parts = required_note(), current_launch(), collaborators()
    with parts.database.read() as tx:
        if writeback_id not in _writes(tx, note):
            raise NotFound("There is no such write of this note.", "Go back to the note.")
    parts.stopped.end(
        launch.tenant_id,
        WritebackId(writeback_id),
        request.form.get("ending", ""),
        Person.SIGNER,
        actor=launch.actor,
        reference=request.form.get("reference", "").strip(),
        launch_id=launch.launch_id,
    )
    return redirect(url_for("filing.note", launch_id=launch.launch_id), 303)


def what_ends(states: Iterable[WritebackState], entries: Iterable[FiledEntry]) -> Action | None:
    """The way to this page from the note's, where any version, a retraction or an entry of it waits for its signer."""
    if any(endings_for(state, Person.SIGNER) for state in states) or any(entry.ends_here for entry in entries):
        return Action("See what you can do", "link", "note/stopped")
    return None


def _writes(tx: Connection, note: ReadNote) -> dict[WritebackId, WritebackState]:
    """Every write of this note, of each of its versions and of what was signed with it."""
    found = write_status.of_note(tx, note.tenant_id, note.note_id)
    return {WritebackId(one): load(tx, note.tenant_id, WritebackId(one)) for one in found}


def _shown(
    tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, state: WritebackState, *, put_aside: bool
) -> StoppedWrite:
    parts = collaborators()
    ehr, zone = parts.ehrs.adapter(tenant_id).profile.title, parts.ehrs.tenant(tenant_id).zone
    in_chart = text_there(parts.artifacts.open(tx, tenant_id, state.stored)) if state.stored else ""
    return StoppedWrite(
        writeback_id=writeback_id,
        title=_title(state),
        sentence=status(state, parts.clock(), ehr, zone, put_aside=put_aside).sentence,
        answers=answers(state, ehr),
        chart_text=in_chart if state.differences else "",
        endings=ending_offers(state, Person.SIGNER),
    )


def _title(state: WritebackState) -> str:
    order = state.order
    if isinstance(order, WritebackQueued) and order.mutation == "retract":
        return "Your retraction"
    if order is None or not order.proposal_id:
        return "Your note" if order is None or order.note_version == 1 else f"Version {order.note_version} of your note"
    return f"Signed with it: {getattr(order, 'resource_type', '')}"
