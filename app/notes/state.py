"""A note's state is a fold over its events. `TRANSITIONS` is the drawing of its life until signature."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from app.errors import Corrupt
from app.event_log.event import ArtifactRef, Event
from app.event_log.recorded import Recorded
from app.notes.events import (
    ClaimConfirmed,
    ClaimEdited,
    ClaimRemoved,
    ClaimRestored,
    DraftRecorded,
    NoteSigned,
)


class Stage(StrEnum):
    """Where a note stands."""

    READY = "ready"
    IN_REVIEW = "in_review"
    SIGNED = "signed"


REVIEWING = frozenset({Stage.READY, Stage.IN_REVIEW})
TRANSITIONS: dict[type[Event], tuple[frozenset[Stage | None], Stage]] = {
    DraftRecorded: (frozenset({None}), Stage.READY),
    ClaimEdited: (frozenset(REVIEWING), Stage.IN_REVIEW),
    ClaimConfirmed: (frozenset(REVIEWING), Stage.IN_REVIEW),
    ClaimRemoved: (frozenset(REVIEWING), Stage.IN_REVIEW),
    ClaimRestored: (frozenset(REVIEWING), Stage.IN_REVIEW),
    NoteSigned: (frozenset(REVIEWING), Stage.SIGNED),
}


@dataclass(frozen=True)
class ClaimMark:
    """What has been decided about one claim so far; `revision` counts the decisions."""

    text: ArtifactRef | None = None
    confirmed: bool = False
    removed: bool = False
    revision: int = 0


@dataclass(frozen=True)
class NoteState:
    """One note now. `version` is the version of its stream."""

    version: int = 0
    stage: Stage | None = None
    recorded: DraftRecorded | None = None
    marks: tuple[tuple[str, ClaimMark], ...] = ()
    signed: NoteSigned | None = None
    signed_at: Recorded | None = None

    @property
    def draft_recorded(self) -> DraftRecorded:
        """The first event; a note without it does not exist."""
        if self.recorded is None:
            raise Corrupt("A note has no recorded draft.")
        return self.recorded

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
        case NoteSigned():
            return replace(state, signed=event, signed_at=recorded)
    raise Corrupt(f"The event {event.tag} has no meaning for a note.")


def _marked(state: NoteState, claim_id: str, **changes: object) -> NoteState:
    mark = state.mark(claim_id)
    changed = replace(mark, revision=mark.revision + 1, **changes)  # type: ignore[arg-type]
    return replace(state, marks=tuple((dict(state.marks) | {claim_id: changed}).items()))
