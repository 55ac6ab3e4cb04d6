"""Reading a note: its state from the log, its draft and edits from the artifacts, and the two as one review."""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.artifacts.store import ArtifactStore
from app.drafting.draft import Draft
from app.drafting.entry_fields import CONTENT
from app.errors import NotFound
from app.event_log.read import read_stream
from app.ids import NoteId, TenantId
from app.notes.state import NoteState, fold
from app.review.proposals import ProposalDecision
from app.review.review import Decision, Review, ReviewedClaim, review


@dataclass(frozen=True)
class ReadNote:
    """A note with everything that a page or a decision about it needs."""

    note_id: NoteId
    tenant_id: TenantId
    state: NoteState
    review: Review
    addendum: str = ""  # as far as it is written

    @property
    def is_addendum(self) -> bool:
        """Whether an addendum is being written: text of its own, without claims of a draft."""
        return self.state.amendment is not None and self.state.amendment.kind == "addendum"

    @property
    def open_claims(self) -> tuple[ReviewedClaim, ...]:
        """What the next signature waits for."""
        return () if self.is_addendum else self.review.open_claims

    @property
    def statements(self) -> int:
        """How many statements the next signature would cover."""
        if self.is_addendum:
            return 1 if self.addendum.strip() else 0
        return sum(claim.in_note for claim in self.review.claims)


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
    on_proposals = {
        proposal_id: ProposalDecision(
            content=CONTENT.validate_json(artifacts.open(tx, tenant_id, mark.content)) if mark.content else None,
            approved=mark.approved,
            declined=mark.declined,
            revision=mark.revision,
        )
        for proposal_id, mark in state.proposal_marks
    }
    addendum = artifacts.open(tx, tenant_id, state.addendum).decode() if state.addendum else ""
    return ReadNote(note_id, tenant_id, state, review(draft, decisions, on_proposals), addendum)
