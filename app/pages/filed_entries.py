"""The entries that were signed beside a note: where each stands, and the word that one was entered by hand."""

from collections.abc import Collection

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from app.drafting.proposals import in_words
from app.errors import NotFound
from app.ids import WritebackId
from app.notes.entries import EntrySnapshot
from app.notes.reading import ReadNote
from app.notes.snapshot import Snapshot
from app.pages.entry_screens import FiledEntry
from app.pages.entry_words import KINDS, STOPPED, WORKING, has_left, where_it_stands
from app.pages.note_page import required_note
from app.pages.sessions import collaborators, current_launch, open_launch_before
from app.writebacks.commands import ConfirmCopy
from app.writebacks.endings import Person, endings_for
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState

filed_entries = Blueprint("filed_entries", __name__, url_prefix="/charts/<launch_id>/note/entries")
open_launch_before(filed_entries)


@filed_entries.post("/<proposal_id>/entered")
def entered(proposal_id: str) -> ResponseReturnValue:
    """The clinician says that the entry was entered in the EHR. Said twice, it is recorded once."""
    parts, launch = collaborators(), current_launch()
    writeback_id = writes_of_entries(required_note()).get(proposal_id)
    if writeback_id is None:
        raise NotFound("There is no such entry beside this note.", "Go back to the note.")
    with parts.database.write() as tx:
        parts.writebacks.by_person(tx, launch.tenant_id, writeback_id, ConfirmCopy(), launch.actor, parts.clock())
    return redirect(url_for("filing.note", launch_id=launch.launch_id), 303)


def writes_of_entries(read: ReadNote) -> dict[str, WritebackId]:
    """The write of each entry that was signed with the note, by its proposal; entries are signed once."""
    return {
        proposal_id: WritebackId(writeback_id)
        for signed in read.state.signatures
        for proposal_id, writeback_id, _ in signed.entries
    }


def shown_entries(read: ReadNote, ehr: str, aside: Collection[WritebackId]) -> tuple[FiledEntry, ...]:
    """Where each entry stands. `aside`: the writes that were put aside."""
    writes = writes_of_entries(read)
    if not writes:
        return ()
    parts = collaborators()
    signed = next(one for one in read.state.signatures if one.entries)
    with parts.database.read() as tx:
        snapshot = Snapshot.model_validate_json(parts.artifacts.open(tx, read.tenant_id, signed.snapshot))
        states = {key: load(tx, read.tenant_id, writeback_id) for key, writeback_id in writes.items()}
    return tuple(
        _shown(entry, states[entry.proposal_id], ehr, put_aside=writes[entry.proposal_id] in aside)
        for entry in snapshot.entries
    )


def _shown(entry: EntrySnapshot, state: WritebackState, ehr: str, *, put_aside: bool) -> FiledEntry:
    stage = state.stage or Stage.QUEUED
    stopped = (put_aside and stage in WORKING) or (stage in STOPPED and state.parked_from is not Stage.VERIFIED)
    return FiledEntry(
        proposal_id=entry.proposal_id,
        words=in_words(entry.content),
        kind=KINDS[entry.kind],
        sentence=where_it_stands(state, ehr, put_aside=put_aside),
        stopped=stopped,
        settled=stopped or stage not in WORKING,
        by_hand=stage is Stage.AWAITING_COPY,
        reference=entry.target or (f"{entry.resource_type}/{state.resource_id}" if state.resource_id else ""),
        left=has_left(state),
        ends_here=put_aside or bool(endings_for(state, Person.SIGNER)),
    )
