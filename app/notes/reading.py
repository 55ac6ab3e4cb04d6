"""Reading a note: its state from the log, its draft and edits from the artifacts, and the two as one review."""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.artifacts.store import ArtifactStore
from app.drafting.draft import Draft
from app.errors import NotFound
from app.event_log.read import read_stream
from app.ids import NoteId, TenantId
from app.notes.state import NoteState, fold
from app.review.review import Decision, Review, review


@dataclass(frozen=True)
class ReadNote:
    """A note with everything that a page or a decision about it needs."""

    note_id: NoteId
    tenant_id: TenantId
    state: NoteState
    review: Review


def stream_of(note_id: NoteId) -> str:
    """The name of a note's stream."""
    return f"note:{note_id}"


def load_state(tx: Connection, tenant_id: TenantId, note_id: NoteId) -> NoteState:
    """The note's state. Raises `NotFound`."""
    state = fold(read_stream(tx, tenant_id, stream_of(note_id)))
    if state.recorded is None:
        raise NotFound("There is no such note.")
    return state


def read_note(tx: Connection, artifacts: ArtifactStore, tenant_id: TenantId, note_id: NoteId) -> ReadNote:
    """The note as it stands. Raises `NotFound`."""
    state = load_state(tx, tenant_id, note_id)
    draft = Draft.model_validate_json(artifacts.open(tx, tenant_id, state.draft_recorded.draft))
    decisions = {
        claim_id: Decision(
            text=artifacts.open(tx, tenant_id, mark.text).decode() if mark.text else None,
            confirmed=mark.confirmed,
            removed=mark.removed,
            revision=mark.revision,
        )
        for claim_id, mark in state.marks
    }
    return ReadNote(note_id, tenant_id, state, review(draft, decisions))
