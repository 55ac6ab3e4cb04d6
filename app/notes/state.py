"""A note's state is a fold over its events. `TRANSITIONS` is the drawing of its life.

While a signed note is corrected its lines may be decided again, and it stays `amending`: what was signed still stands
in the chart. Giving the correction up brings back the lines as they were signed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from app.errors import Corrupt
from app.event_log.event import ArtifactRef, Event
from app.event_log.recorded import Recorded
from app.notes.events import (
    AddendumWritten,
    AmendmentBegun,
    AmendmentDropped,
    ClaimConfirmed,
    ClaimEdited,
    ClaimRemoved,
    ClaimRestored,
    DraftRecorded,
    NoteRetracted,
    NoteSigned,
    ProposalApproved,
    ProposalChanged,
    ProposalDeclined,
    ProposalReopened,
)


class Stage(StrEnum):
    """Where a note stands."""

    READY = "ready"
    IN_REVIEW = "in_review"
    SIGNED = "signed"
    AMENDING = "amending"
    RETRACTED = "retracted"


REVIEWING = frozenset({Stage.READY, Stage.IN_REVIEW})
# Where lines may be decided and a signature may follow; `amending` stays `amending` until then.
CHANGEABLE: frozenset[Stage | None] = frozenset({*REVIEWING, Stage.AMENDING})
TRANSITIONS: dict[type[Event], tuple[frozenset[Stage | None], Stage]] = {
    DraftRecorded: (frozenset({None}), Stage.READY),
    ClaimEdited: (CHANGEABLE, Stage.IN_REVIEW),
    ClaimConfirmed: (CHANGEABLE, Stage.IN_REVIEW),
    ClaimRemoved: (CHANGEABLE, Stage.IN_REVIEW),
    ClaimRestored: (CHANGEABLE, Stage.IN_REVIEW),
    NoteSigned: (CHANGEABLE, Stage.SIGNED),
    # Entries are signed once, with the first version: a correction is of the note alone.
    ProposalApproved: (frozenset(REVIEWING), Stage.IN_REVIEW),
    ProposalDeclined: (frozenset(REVIEWING), Stage.IN_REVIEW),
    ProposalReopened: (frozenset(REVIEWING), Stage.IN_REVIEW),
    ProposalChanged: (frozenset(REVIEWING), Stage.IN_REVIEW),
    # Also where only an addendum was retracted, or the EHR refused the retraction: the note itself still stands.
    AmendmentBegun: (frozenset({Stage.SIGNED, Stage.RETRACTED}), Stage.AMENDING),
    AddendumWritten: (frozenset({Stage.AMENDING}), Stage.AMENDING),
    AmendmentDropped: (frozenset({Stage.AMENDING}), Stage.SIGNED),
    NoteRetracted: (frozenset({Stage.SIGNED, Stage.RETRACTED}), Stage.RETRACTED),  # again, when the EHR refused it
}
CLAIM_EVENTS = (ClaimEdited, ClaimConfirmed, ClaimRemoved, ClaimRestored)


@dataclass(frozen=True)
class ClaimMark:
    """What has been decided about one claim so far; `revision` counts the decisions."""

    text: ArtifactRef | None = None
    confirmed: bool = False
    removed: bool = False
    revision: int = 0


@dataclass(frozen=True)
class ProposalMark:
    """What has been decided about one proposal so far; `revision` counts the decisions."""

    content: ArtifactRef | None = None
    approved: bool = False
    declined: bool = False
    revision: int = 0


@dataclass(frozen=True)
class NoteState:
    """One note now. `version` is the version of its stream; `signed` is the latest signature."""

    version: int = 0
    stage: Stage | None = None
    recorded: DraftRecorded | None = None
    marks: tuple[tuple[str, ClaimMark], ...] = ()
    proposal_marks: tuple[tuple[str, ProposalMark], ...] = ()
    signed: NoteSigned | None = None
    signed_at: Recorded | None = None
    signed_marks: tuple[tuple[str, ClaimMark], ...] = ()
    signatures: tuple[NoteSigned, ...] = ()
    signed_when: tuple[tuple[NoteSigned, datetime], ...] = ()
    retractions: tuple[NoteRetracted, ...] = ()
    amendment: AmendmentBegun | None = None
    addendum: ArtifactRef | None = None

    @property
    def draft_recorded(self) -> DraftRecorded:
        """The first event; a note without it does not exist."""
        if self.recorded is None:
            raise Corrupt("A note has no recorded draft.")
        return self.recorded

    @property
    def is_settled(self) -> bool:
        """True while nothing waits for a signature: what was signed, or retracted, is what there is."""
        return self.stage in (Stage.SIGNED, Stage.RETRACTED)

    @property
    def lines_may_change(self) -> bool:
        """True while the lines of the draft are under review, for the first time or for a correction."""
        correcting = self.amendment is not None and self.amendment.kind == "correction"
        return self.stage in REVIEWING or (self.stage is Stage.AMENDING and correcting)

    @property
    def writes(self) -> tuple[tuple[str, str], ...]:
        """Every write of this note with what it is: `note`, `correction`, `addendum`, `entry` or `retraction`."""
        signed = [(one.kind, one.writeback_id) for one in self.signatures]
        entries = [("entry", writeback_id) for one in self.signatures for _, writeback_id, _ in one.entries]
        return (*signed, *entries, *(("retraction", one.writeback_id) for one in self.retractions))

    @property
    def next_version(self) -> int:
        """The number of the next signature, or retraction."""
        return len(self.signatures) + len(self.retractions) + 1

    def proposal_mark(self, proposal_id: str) -> ProposalMark:
        """The standing of one proposal."""
        return dict(self.proposal_marks).get(proposal_id, ProposalMark())

    def mark(self, claim_id: str) -> ClaimMark:
        """The standing of one claim."""
        return dict(self.marks).get(claim_id, ClaimMark())


def fold(events: Iterable[Recorded]) -> NoteState:
    """The state after all `events`. An event that the table does not allow is corruption, not a no-op."""
    state = NoteState()
    for recorded in events:
        state = evolve(state, recorded)
    return state


def evolve(state: NoteState, recorded: Recorded) -> NoteState:
    """The state after one more event."""
    event = recorded.event
    allowed, stage = TRANSITIONS.get(type(event), (frozenset(), Stage.SIGNED))
    if state.stage not in allowed:
        raise Corrupt(f"The event {event.tag} cannot follow the stage {state.stage}.")
    if state.stage is Stage.AMENDING and isinstance(event, CLAIM_EVENTS):
        stage = Stage.AMENDING
    state = replace(state, version=recorded.version, stage=stage)
    match event:
        case DraftRecorded():
            return replace(state, recorded=event)
        case ClaimEdited():
            return _marked(state, event.claim_id, text=event.text, confirmed=False, removed=False)
        case ClaimConfirmed():
            return _marked(state, event.claim_id, confirmed=True, removed=False)
        case ClaimRemoved():
            return _marked(state, event.claim_id, confirmed=False, removed=True)
        case ClaimRestored():
            return _marked(state, event.claim_id, text=None, confirmed=False, removed=False)
        case _:
            return _changed(state, recorded)


def _changed(state: NoteState, recorded: Recorded) -> NoteState:
    """What a signature does, and what follows one."""
    match event := recorded.event:
        case NoteSigned():
            signatures = (*state.signatures, event)
            when = (*state.signed_when, (event, recorded.recorded_at))
            signed = replace(state, signed=event, signed_at=recorded, signatures=signatures, signed_when=when)
            return replace(signed, signed_marks=state.marks, amendment=None, addendum=None)
        case AmendmentBegun():
            return replace(state, amendment=event, addendum=None)
        case AddendumWritten():
            return replace(state, addendum=event.text)
        case AmendmentDropped():
            return replace(state, amendment=None, addendum=None, marks=_as_signed(state))
        case NoteRetracted():
            return replace(state, retractions=(*state.retractions, event))
        case ProposalApproved():
            return _decided(state, event.proposal_id, approved=True, declined=False)
        case ProposalDeclined():
            return _decided(state, event.proposal_id, approved=False, declined=True)
        case ProposalReopened():
            return _decided(state, event.proposal_id, approved=False, declined=False)
        case ProposalChanged():
            return _decided(state, event.proposal_id, content=event.content, approved=False, declined=False)
    raise Corrupt(f"The event {event.tag} has no meaning for a note.")


def _as_signed(state: NoteState) -> tuple[tuple[str, ClaimMark], ...]:
    """The marks of the last signature. Revisions go on rising, so that a page from before is seen to be old."""
    then = dict(state.signed_marks)
    return tuple(
        (
            claim_id,
            mark
            if mark == then.get(claim_id)
            else replace(then.get(claim_id, ClaimMark()), revision=mark.revision + 1),
        )
        for claim_id, mark in state.marks
    )


def _marked(state: NoteState, claim_id: str, **changes: object) -> NoteState:
    mark = state.mark(claim_id)
    changed = replace(mark, revision=mark.revision + 1, **changes)  # type: ignore[arg-type]
    return replace(state, marks=tuple((dict(state.marks) | {claim_id: changed}).items()))


def _decided(state: NoteState, proposal_id: str, **changes: object) -> NoteState:
    mark = state.proposal_mark(proposal_id)
    changed = replace(mark, revision=mark.revision + 1, **changes)  # type: ignore[arg-type]
    return replace(state, proposal_marks=tuple((dict(state.proposal_marks) | {proposal_id: changed}).items()))
