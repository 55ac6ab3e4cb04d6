"""A write-back's state is a fold over its events, along the lines that `TRANSITIONS` draws. Pure."""

from collections.abc import Iterable
from typing import Any

from app.errors import Corrupt
from app.event_log.event import Event
from app.event_log.recorded import Recorded
from app.ids import LaunchId
from app.writebacks.events import (
    AbsenceSeen,
    AttemptBegun,
    AttemptPostponed,
    CopyOffered,
    OutcomeBecameUnknown,
    ProvenanceBegun,
    ProvenanceFiled,
    ProvenancePostponed,
    ProvenanceRefused,
    WritebackDrifted,
    WritebackFiled,
    WritebackOverridden,
    WritebackParked,
    WritebackQueued,
    WritebackRegenerated,
    WritebackRestored,
    WritebackResumed,
    WritebackSettled,
    WritebackSuperseded,
    WritebackVerified,
    WritebackWentMissing,
)
from app.writebacks.state import MANUAL, RESTORED, TRANSITIONS, Stage, WritebackState

S = Stage
NOT_PARKED: dict[str, Any] = {"parked_from": None, "parked_for": ""}


def fold(events: Iterable[Recorded]) -> WritebackState:
    """The state after all `events`. An event that the table does not allow is corruption, not a no-op."""
    state = WritebackState()
    for recorded in events:
        state = evolve(state, recorded)
    return state


def evolve(state: WritebackState, recorded: Recorded) -> WritebackState:
    """The state after one more event."""
    event = recorded.event
    allowed, stage = TRANSITIONS.get(type(event), (frozenset(), None))
    if state.stage not in allowed:
        raise Corrupt(f"The event {event.tag} cannot follow the stage {state.stage}.")
    stage = stage or (state.parked_from if isinstance(event, WritebackResumed) else state.stage)
    times = (*state.times, (str(stage), recorded.recorded_at)) if stage is not state.stage else state.times
    return state._replace(version=recorded.version, stage=stage, times=times, **_learnt(recorded, before=state))


def _learnt(recorded: Recorded, before: WritebackState) -> dict[str, Any]:
    """The fields that an event tells, beside the stage that it leads to."""
    match event := recorded.event:
        case WritebackQueued() | CopyOffered():
            settled = isinstance(event, CopyOffered) or event.provenance_route == "kept"
            return {"order": event, "launch_id": LaunchId(event.launch_id), "provenance_settled": settled}
        case AttemptBegun() | AttemptPostponed() | OutcomeBecameUnknown():
            return _of_attempt(event, before)
        case AbsenceSeen():
            return {"absences": event.times, "absence_counts_from": event.due_at}
        case WritebackFiled():
            learnt = _only(event, "resource_id", "resource_version", "reply")
            return {"adopted": event.found, "postponed_for": "", **NOT_PARKED, **learnt}
        case WritebackRegenerated():
            return {"order": event.of(before.queued)}
        case WritebackVerified() | WritebackDrifted():
            return _only(event, "resource_id", "resource_version", "stored", "differences")
        case WritebackOverridden() | WritebackRestored() | WritebackWentMissing():
            return _of_following(event)
        case WritebackParked() | WritebackResumed() | WritebackSettled() | WritebackSuperseded():
            return _of_stopping(event, before)
        case ProvenanceBegun() | ProvenancePostponed() | ProvenanceFiled() | ProvenanceRefused():
            return _of_provenance(recorded, before)
        case _:
            return {}


def _of_following(event: WritebackOverridden | WritebackRestored | WritebackWentMissing) -> dict[str, Any]:
    match event:
        case WritebackOverridden():
            learnt = _only(event, "resource_id", "resource_version", "stored", "differences", "changed_by")
            return {**NOT_PARKED, "change_there": event.change, "read_under": event.read_under, **learnt}
        case WritebackRestored():
            cleared = {"differences": (), "change_there": "", "changed_by": ""}
            return {**cleared, **_only(event, "resource_id", "resource_version", "stored", "read_under")}
        case WritebackWentMissing():
            return {**NOT_PARKED, "change_there": "", "changed_by": "", "read_under": event.read_under}


def _of_stopping(
    event: WritebackParked | WritebackResumed | WritebackSettled | WritebackSuperseded, before: WritebackState
) -> dict[str, Any]:
    match event:
        case WritebackParked():
            # A refused token means that nothing was executed: there is nothing to ask about afterwards.
            not_executed = event.reason == "reauth" and before.stage is S.SENDING
            return {"parked_from": S.QUEUED if not_executed else before.stage, "parked_for": event.reason}
        case WritebackResumed():
            launch_id = LaunchId(event.launch_id)
            # A person looked at what was unclear so often; the count begins anew.
            forgiven = {"unclear": 0} if before.parked_for == MANUAL else {}
            return {"launch_id": launch_id, **NOT_PARKED, "postponed_for": "", **forgiven}
        case WritebackSuperseded():
            by = {"superseded_by": event.by, "superseded_how": event.how}
            return {**NOT_PARKED, **by}  # its Provenance waits for nobody any more
        case WritebackSettled():
            return {"settled_as": event.outcome, "settled_reference": event.reference}


def _of_attempt(
    event: AttemptBegun | AttemptPostponed | OutcomeBecameUnknown, before: WritebackState
) -> dict[str, Any]:
    match event:
        case AttemptBegun():
            return {"attempts": event.attempt, "absences": 0, "absence_counts_from": None}
        case AttemptPostponed():
            return {"postponed_for": event.reason}
        case OutcomeBecameUnknown():
            unclear = before.unclear + (event.reason != RESTORED)
            doubt = {"unclear": unclear, "unknown_for": event.reason, "postponed_for": ""}
            return {**doubt, "absences": 0, "absence_counts_from": None, **NOT_PARKED}


def _of_provenance(recorded: Recorded, before: WritebackState) -> dict[str, Any]:
    """A send that was begun is unclear until something is recorded of its end."""
    match recorded.event:
        case ProvenanceBegun():
            unclear = before.provenance_unclear + 1
            return {"provenance_unclear": unclear, "provenance_begun_at": recorded.recorded_at}
        case ProvenancePostponed():
            unclear = before.provenance_unclear - 1
            return {"provenance_unclear": unclear, "postponed_for": recorded.event.reason}
        case _:
            return {"provenance_settled": True}


def _only(event: Event, *names: str) -> dict[str, Any]:
    return {name: getattr(event, name) for name in names}
