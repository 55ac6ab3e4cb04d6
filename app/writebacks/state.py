"""A write-back's state is a fold over its events. `TRANSITIONS` is the drawing of its life after signature."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from app.errors import Corrupt
from app.event_log.event import ArtifactRef, Event
from app.event_log.recorded import Recorded
from app.ids import LaunchId
from app.writebacks.events import (
    AbsenceProven,
    AbsenceSeen,
    AttemptBegun,
    AttemptPostponed,
    CopyConfirmed,
    CopyOffered,
    OutcomeBecameUnknown,
    ProvenanceBegun,
    ProvenanceFiled,
    ProvenancePostponed,
    ProvenanceRefused,
    WritebackCancelled,
    WritebackDrifted,
    WritebackFiled,
    WritebackOverridden,
    WritebackParked,
    WritebackQueued,
    WritebackRegenerated,
    WritebackRejected,
    WritebackRestored,
    WritebackResumed,
    WritebackSettled,
    WritebackSuperseded,
    WritebackVerified,
    WritebackWentMissing,
)


class Stage(StrEnum):
    """Where a write stands; every stage has words on the page (`pages/status.py`)."""

    QUEUED = "queued"
    SENDING = "sending"
    OUTCOME_UNKNOWN = "outcome_unknown"
    FILED = "filed"
    VERIFIED = "verified"
    DRIFTED = "drifted"
    REJECTED = "rejected"
    PARKED = "parked"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    OVERRIDDEN = "overridden"
    MISSING = "missing"
    SETTLED = "settled"
    AWAITING_COPY = "awaiting_copy"
    COPIED = "copied"


NO_LAUNCH = LaunchId("")
# Our own database is a copy from before: whether the EHR holds what waits here, only the EHR knows (F50).
RESTORED = "database_restored"
# The EHR answered 202: it took the write, and may file it whenever it likes (C04).
ACCEPTED_NOT_FILED = "accepted_not_filed"
# Parked because so many sends had no clear answer.
MANUAL = "manual"
S = Stage
SAME = None
# It is, or was, in the chart: what the sweep of filed writes follows.
IN_CHART = frozenset({S.VERIFIED, S.DRIFTED, S.OVERRIDDEN, S.MISSING})
# The Provenance of what was filed is still true when a later version took its place.
ITS_PROVENANCE: frozenset[Stage | None] = frozenset({S.VERIFIED, S.SUPERSEDED})
TRANSITIONS: dict[type[Event], tuple[frozenset[Stage | None], Stage | None]] = {
    WritebackQueued: (frozenset({None}), S.QUEUED),
    CopyOffered: (frozenset({None}), S.AWAITING_COPY),
    CopyConfirmed: (frozenset({S.AWAITING_COPY}), S.COPIED),
    AttemptBegun: (frozenset({S.QUEUED}), S.SENDING),
    AttemptPostponed: (frozenset({S.QUEUED, S.SENDING}), S.QUEUED),
    # From `queued`, or `parked` from there: our own database was restored (F50), or the EHR drops identifiers (F25).
    OutcomeBecameUnknown: (frozenset({S.SENDING, S.QUEUED, S.PARKED}), S.OUTCOME_UNKNOWN),
    AbsenceSeen: (frozenset({S.OUTCOME_UNKNOWN}), S.OUTCOME_UNKNOWN),
    AbsenceProven: (frozenset({S.OUTCOME_UNKNOWN}), S.QUEUED),
    WritebackFiled: (frozenset({S.SENDING, S.OUTCOME_UNKNOWN}), S.FILED),
    WritebackVerified: (frozenset({S.FILED}), S.VERIFIED),
    WritebackDrifted: (frozenset({S.FILED}), S.DRIFTED),
    WritebackRejected: (frozenset({S.SENDING}), S.REJECTED),
    # At `verified` only the Provenance is left to send, and it too needs its signer's token.
    WritebackParked: (frozenset({S.QUEUED, S.SENDING, S.OUTCOME_UNKNOWN, S.FILED, S.VERIFIED}), S.PARKED),
    # From `parked`: only if parked from `queued`.
    WritebackCancelled: (frozenset({S.QUEUED, S.PARKED, S.AWAITING_COPY}), S.CANCELLED),
    WritebackRegenerated: (frozenset({S.QUEUED, S.PARKED}), SAME),  # only if nothing was ever sent
    WritebackSuperseded: (
        IN_CHART | {S.PARKED, S.AWAITING_COPY},
        S.SUPERSEDED,
    ),  # from `parked`: only if parked from `verified`
    WritebackOverridden: (IN_CHART, S.OVERRIDDEN),
    WritebackWentMissing: (frozenset({S.VERIFIED, S.DRIFTED, S.OVERRIDDEN}), S.MISSING),
    WritebackRestored: (frozenset({S.DRIFTED, S.OVERRIDDEN, S.MISSING}), S.VERIFIED),
    WritebackSettled: (frozenset({S.PARKED, S.DRIFTED, S.OVERRIDDEN, S.MISSING, S.REJECTED}), S.SETTLED),
    WritebackResumed: (frozenset({S.PARKED}), SAME),  # back to the stage that it was parked from
    ProvenanceBegun: (ITS_PROVENANCE, SAME),
    ProvenancePostponed: (ITS_PROVENANCE, SAME),
    ProvenanceFiled: (ITS_PROVENANCE, SAME),
    ProvenanceRefused: (ITS_PROVENANCE, SAME),
}


class WritebackState(NamedTuple):
    """One write now. `version` is the version of its stream; `launch_id` names the grant that may send it.

    A tuple, since every event makes a new one and a tuple is copied several times faster than a dataclass.
    """

    version: int = 0
    stage: Stage | None = None
    order: WritebackQueued | CopyOffered | None = None
    launch_id: LaunchId = NO_LAUNCH
    attempts: int = 0
    absences: int = 0
    absence_counts_from: datetime | None = None
    unclear: int = 0
    unknown_for: str = ""
    adopted: bool = False
    parked_from: Stage | None = None
    parked_for: str = ""
    postponed_for: str = ""
    resource_id: str | None = None
    resource_version: str | None = None
    reply: ArtifactRef | None = None
    stored: ArtifactRef | None = None
    differences: tuple[str, ...] = ()
    # What a person did to it in the EHR, who the EHR says it was, and whose right to read found it.
    change_there: str = ""
    changed_by: str = ""
    read_under: str = ""
    settled_as: str = ""
    settled_reference: str = ""
    provenance_settled: bool = False
    provenance_unclear: int = 0
    provenance_begun_at: datetime | None = None
    times: tuple[tuple[str, datetime], ...] = ()

    def since(self, stage: Stage) -> datetime | None:
        """When the write last entered `stage`."""
        return next((when for name, when in reversed(self.times) if name == stage), None)

    @property
    def can_be_taken_back(self) -> bool:
        """Whether certainly nothing of it was executed, and nothing is under way (F42)."""
        return self.stage is S.QUEUED or (self.stage is S.PARKED and self.parked_from is S.QUEUED)

    @property
    def can_be_cancelled(self) -> bool:
        """The same, or it was only offered to be entered by hand, and nobody has said that it was."""
        return self.can_be_taken_back or self.stage is S.AWAITING_COPY

    @property
    def was_never_sent(self) -> bool:
        """Whether no attempt was ever begun, so that nobody outside can know its payload."""
        return isinstance(self.order, WritebackQueued) and self.can_be_taken_back and not self.attempts

    @property
    def is_in_chart(self) -> bool:
        """Whether it stands in the chart as far as we know; only its Provenance may be left to send."""
        return self.stage in IN_CHART - {S.MISSING} or (self.stage is S.PARKED and self.parked_from is S.VERIFIED)

    @property
    def may_be_in_chart(self) -> bool:
        """Whether a person ended it while nobody knew, or while the EHR had said that it took it; of creates only.

        What changes a resource says by its `If-Match` whether it was executed.
        """
        is_create = isinstance(self.order, WritebackQueued) and self.order.interaction == "create"
        return is_create and self.parked_from in (S.SENDING, S.OUTCOME_UNKNOWN, S.FILED)

    def reached(self, stage: Stage) -> datetime | None:
        """When the write first came to `stage`."""
        return next((when for name, when in self.times if name == stage), None)

    @property
    def queued(self) -> WritebackQueued:
        """The order to write; raises `Corrupt` for a write that is not to be sent."""
        if not isinstance(self.order, WritebackQueued):
            raise Corrupt("This write was never queued.")
        return self.order


def fold(events: Iterable[Recorded]) -> WritebackState:
    """The state after all `events`. An event that the table does not allow is corruption, not a no-op."""
    state = WritebackState()
    for recorded in events:
        state = evolve(state, recorded)
    return state


def evolve(state: WritebackState, recorded: Recorded) -> WritebackState:
    """The state after one more event."""
    event = recorded.event
    allowed, stage = TRANSITIONS.get(type(event), (frozenset(), SAME))
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
            return {"adopted": event.found, "postponed_for": "", **learnt}
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
            return {"change_there": event.change, "read_under": event.read_under, **learnt}
        case WritebackRestored():
            cleared = {"differences": (), "change_there": "", "changed_by": ""}
            return {**cleared, **_only(event, "resource_id", "resource_version", "stored", "read_under")}
        case WritebackWentMissing():
            return {"change_there": "", "changed_by": "", "read_under": event.read_under}


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
            return {"launch_id": launch_id, "parked_from": None, "parked_for": "", "postponed_for": "", **forgiven}
        case WritebackSuperseded():
            return {"parked_from": None, "parked_for": ""}  # its Provenance waits for nobody any more
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
            parked = {"parked_from": None, "parked_for": ""}
            return {
                "unclear": unclear,
                "unknown_for": event.reason,
                "absences": 0,
                "absence_counts_from": None,
                **parked,
            }


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
