"""What a command does to a write-back: (state, command) to events, and when the write is due again. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.artifacts.store import ArtifactKind
from app.errors import Corrupt
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef, Event
from app.outbox.pause import pause
from app.writebacks.commands import (
    BeginAttempt,
    BeginProvenance,
    CancelWrite,
    Command,
    ConfirmCopy,
    MarkUnknown,
    NoteAbsence,
    ParkWrite,
    PostponeAttempt,
    PostponeProvenance,
    RecordFiled,
    RecordMissing,
    RecordOverride,
    RecordProvenance,
    RecordReadBack,
    RecordRestored,
    RefuseProvenance,
    RegenerateWrite,
    RejectWrite,
    ResumeWrite,
    SettleWrite,
    SupersedeWrite,
)
from app.writebacks.events import (
    AbsenceProven,
    AbsenceSeen,
    AttemptBegun,
    AttemptPostponed,
    CopyConfirmed,
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
    WritebackRegenerated,
    WritebackRejected,
    WritebackRestored,
    WritebackResumed,
    WritebackSettled,
    WritebackSuperseded,
    WritebackVerified,
    WritebackWentMissing,
)
from app.writebacks.state import RESTORED, TRANSITIONS, Stage, WritebackState

Keep = Callable[[ArtifactKind, bytes], ArtifactRef]


@dataclass(frozen=True)
class Decision:
    """The event to record, and when the write is due again: None means that nothing is left to do by itself."""

    event: Event
    due_at: datetime | None


def decide(state: WritebackState, command: Command, keep: Keep, now: datetime) -> Decision:
    """What `command` records. `keep` seals clinical content and gives back its reference.

    Raises `Corrupt` when the drawing of the states does not allow it: evidence is never downgraded.
    """
    decision = _decision(state, command, keep, now)
    allowed, _ = TRANSITIONS[type(decision.event)]
    if state.stage not in allowed:
        raise Corrupt(f"{decision.event.tag} is not possible at the stage {state.stage}.")
    return decision


def _decision(state: WritebackState, command: Command, keep: Keep, now: datetime) -> Decision:  # noqa: C901, PLR0912
    # One branch for each command: the length is the catalogue's, and none of them nests.
    match command:
        case BeginAttempt():
            return Decision(_begun(state, command), now)
        case PostponeAttempt():
            return Decision(AttemptPostponed(reason=command.reason, due_at=command.due_at), command.due_at)
        case MarkUnknown():
            _check_unknown(state, command)
            return Decision(OutcomeBecameUnknown(reason=command.reason), command.due_at)
        case NoteAbsence():
            return _absence(state, command, now)
        case RecordFiled():
            return Decision(_filed(state, command, keep), now)
        case RecordReadBack():
            return Decision(_read_back(command, keep), now if command.same and not state.provenance_settled else None)
        case RejectWrite():
            fields = {"reason": command.reason, "status": command.status, "issue_codes": command.issue_codes}
            return Decision(WritebackRejected.model_validate(fields), None)
        case ParkWrite():
            return Decision(WritebackParked(reason=command.reason), None)
        case ResumeWrite():
            return Decision(WritebackResumed(launch_id=command.launch_id), now)
        case ConfirmCopy():
            return Decision(CopyConfirmed(), None)
        case RegenerateWrite():
            return Decision(_regenerated(state, command, keep), None)
        case CancelWrite() | SupersedeWrite() | SettleWrite():
            return Decision(_ended(state, command), None)
        case RecordOverride() | RecordMissing() | RecordRestored():
            return Decision(_followed(state, command, keep), None)
        case BeginProvenance() | PostponeProvenance() | RecordProvenance() | RefuseProvenance():
            return _provenance(state, command, now)


def _check_unknown(state: WritebackState, command: MarkUnknown) -> None:
    """What certainly did not leave can only be doubted when our own database was restored (F50).

    What was called absent can be doubted again.
    """
    is_doubted = command.reason == RESTORED and state.can_be_taken_back
    if state.stage is not Stage.SENDING and not is_doubted and not state.was_called_absent:
        raise Corrupt("The outcome of a write that was not begun is not unknown.")


def _regenerated(state: WritebackState, command: RegenerateWrite, keep: Keep) -> Event:
    if not state.was_never_sent:
        raise Corrupt("A payload of which something may have been sent does not change any more.")
    return WritebackRegenerated(
        payload=keep(ArtifactKind.PAYLOAD, command.payload),
        payload_digest=digest(command.payload),
        replaced_digest=state.queued.payload_digest,
        mapping_version=command.mapping_version,
    )


def _ended(state: WritebackState, command: CancelWrite | SupersedeWrite | SettleWrite) -> Event:
    match command:
        case CancelWrite():
            if not state.can_be_cancelled:
                raise Corrupt("A write that may have been executed cannot be taken back.")
            return WritebackCancelled(reason=command.reason)
        case SupersedeWrite():
            _check_in_chart(state)
            return WritebackSuperseded(by=command.by, how=command.how)
        case SettleWrite():
            return WritebackSettled(outcome=command.outcome, reference=command.reference)


def _check_in_chart(state: WritebackState) -> None:
    is_ended = state.stage is Stage.SETTLED and not state.may_still_appear
    if state.in_chart_as is Stage.PARKED or is_ended:
        raise Corrupt("Of a write that is not in the chart nothing can become there.")


def _followed(state: WritebackState, command: RecordOverride | RecordMissing | RecordRestored, keep: Keep) -> Event:
    _check_in_chart(state)
    match command:
        case RecordOverride():
            return WritebackOverridden(
                change=command.change,
                resource_id=command.resource_id,
                resource_version=command.resource_version,
                stored=keep(ArtifactKind.STORED, command.stored) if command.stored else None,
                differences=command.differences,
                changed_by=command.changed_by,
                read_under=command.read_under,
            )
        case RecordMissing():
            return WritebackWentMissing(read_under=command.read_under)
        case RecordRestored():
            return WritebackRestored(
                resource_id=command.resource_id,
                resource_version=command.resource_version,
                stored=keep(ArtifactKind.STORED, command.stored),
                read_under=command.read_under,
            )


def _provenance(
    state: WritebackState,
    command: BeginProvenance | PostponeProvenance | RecordProvenance | RefuseProvenance,
    now: datetime,
) -> Decision:
    match command:
        case BeginProvenance():
            return Decision(ProvenanceBegun(fence=command.fence, launch_id=state.launch_id), now)
        case PostponeProvenance():
            return Decision(ProvenancePostponed(reason=command.reason, due_at=command.due_at), command.due_at)
        case RecordProvenance():
            return Decision(ProvenanceFiled(resource_id=command.resource_id, found=command.found), None)
        case RefuseProvenance():
            return Decision(ProvenanceRefused(reason=command.reason), None)


def _begun(state: WritebackState, command: BeginAttempt) -> Event:
    return AttemptBegun(
        attempt=state.attempts + 1,
        fence=command.fence,
        launch_id=state.launch_id,
        payload_digest=state.queued.payload_digest,
    )


def _absence(state: WritebackState, command: NoteAbsence, now: datetime) -> Decision:
    times = state.absences + 1
    if times < command.needed:
        return Decision(AbsenceSeen(times=times, due_at=command.due_at), command.due_at)
    if command.park_for:
        return Decision(WritebackParked(reason=command.park_for), None)
    return Decision(AbsenceProven(), now + pause(state.unclear))


def _filed(state: WritebackState, command: RecordFiled, keep: Keep) -> Event:
    if state.stage is Stage.PARKED and not state.may_still_appear:
        raise Corrupt("A write that stopped for another reason is not found by looking for it.")
    return WritebackFiled(
        resource_type=command.resource_type,
        resource_id=command.resource_id,
        resource_version=command.resource_version,
        status=command.status,
        reply=keep(ArtifactKind.REPLY, command.reply) if command.reply else None,
        found=command.found,
    )


def _read_back(command: RecordReadBack, keep: Keep) -> Event:
    event = WritebackVerified if command.same else WritebackDrifted
    return event(
        resource_id=command.resource_id,
        resource_version=command.resource_version,
        stored=keep(ArtifactKind.STORED, command.stored),
        differences=command.differences,
    )
