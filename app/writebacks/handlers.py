"""Carrying out commands on write-backs: event, ledger and outbox change in one transaction or not at all."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.db import shared_moment
from app.errors import NotFound
from app.event_log.append import Head, append, hold_log
from app.event_log.event import ArtifactRef
from app.event_log.read import read_stream
from app.ids import TenantId, WritebackId
from app.outbox import rows as outbox
from app.outbox.rows import Lease
from app.writebacks import absence, ledger
from app.writebacks.commands import (
    BeginAttempt,
    CancelWrite,
    Command,
    ConfirmCopy,
    MarkUnknown,
    RecordFiled,
    RecordRestored,
    RegenerateWrite,
    ResumeWrite,
    SettleWrite,
    SupersedeWrite,
)
from app.writebacks.decide import decide
from app.writebacks.fold import fold
from app.writebacks.state import RESTORED, Stage, WritebackState

WORKER = "system:worker"
SWEEPER = "system:sweeper"
# What a person may ask for, and the stage of a write that waits for it.
WAITS_FOR: dict[type[Command], frozenset[Stage]] = {
    ConfirmCopy: frozenset({Stage.AWAITING_COPY}),
    ResumeWrite: frozenset({Stage.PARKED}),
    SettleWrite: frozenset({Stage.PARKED, Stage.DRIFTED, Stage.OVERRIDDEN, Stage.MISSING, Stage.REJECTED}),
}


def stream_of(writeback_id: WritebackId) -> str:
    """The name of a write-back's stream."""
    return f"writeback:{writeback_id}"


def load(tx: Connection, tenant_id: TenantId, writeback_id: WritebackId) -> WritebackState:
    """The write-back now. Raises `NotFound`."""
    state = fold(read_stream(tx, tenant_id, stream_of(writeback_id)))
    if state.order is None:
        raise NotFound("There is no such write.")
    return state


class WritebackCommands:
    """Issues commands on write-backs."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    def by_worker(
        self, tx: Connection, lease: Lease, command: Command, now: datetime, *, keep_lease: bool = False
    ) -> None:
        """Carry out a worker's command under its lease, which ends unless `keep_lease`. Raises `Fenced`.

        It is recorded by the clock that machines share: what follows may be another's, and counts from it.
        """
        state, held = _under_lease(tx, lease, now)
        self._as_worker(tx, lease, state, command, now, held, keep_lease=keep_lease)

    def begin(self, tx: Connection, lease: Lease, now: datetime) -> bool:
        """Begin an attempt and keep the lease; false where the EHR has to be asked first, which is recorded instead.

        So it is where the write was called absent, and that says nothing any more (F25). Raises `Fenced`.
        """
        state, held = _under_lease(tx, lease, now)
        is_void = absence.is_void(tx, lease.tenant_id, state)
        command = MarkUnknown(absence.VOID, now) if is_void else BeginAttempt(lease.fence)
        self._as_worker(tx, lease, state, command, now, held, keep_lease=not is_void)
        return not is_void

    def by_person(
        self,
        tx: Connection,
        tenant_id: TenantId,
        writeback_id: WritebackId,
        command: Command,
        actor: str,
        now: datetime,
    ) -> WritebackState:
        """Carry out a person's command, unless the write does not wait for it; returns the state before.

        People press twice and open two windows: of two that come at once the second finds that the first was enough.
        The row is held first, as everybody does who holds both: else two of them could wait for each other for ever.
        """
        outbox.hold(tx, writeback_id)
        held = hold_log(tx, tenant_id)
        state = load(tx, tenant_id, writeback_id)
        if state.stage in WAITS_FOR[type(command)]:
            self._carry_out(tx, tenant_id, writeback_id, state, command, actor, now, held)
            if isinstance(command, ResumeWrite):
                outbox.wake(tx, writeback_id, now, command.launch_id)
        return state

    def hold(self, tx: Connection, tenant_id: TenantId, writeback_ids: Iterable[WritebackId]) -> None:
        """Let nobody begin an attempt of these writes before this transaction ends.

        The rows are held first, as a worker does that begins an attempt: one of the two is first, and the other finds
        its lease overtaken or the attempt begun. All of them before the log, and in one order, so that nobody waits
        for each other for ever.
        """
        for writeback_id in sorted(set(writeback_ids)):
            outbox.hold(tx, writeback_id)
        hold_log(tx, tenant_id)

    def cancel(
        self,
        tx: Connection,
        tenant_id: TenantId,
        writeback_ids: Iterable[WritebackId],
        reason: str,
        actor: str,
        now: datetime,
    ) -> None:
        """Take those of the writes back, held already, of which certainly nothing was executed (F42).

        What waits to be entered by hand is not to be entered any more. What was called absent by a search that has
        turned out to say nothing is not certain (F25).
        """
        for writeback_id in sorted(set(writeback_ids)):
            state = load(tx, tenant_id, writeback_id)
            if state.can_be_cancelled and not absence.is_void(tx, tenant_id, state):
                self._carry_out(tx, tenant_id, writeback_id, state, CancelWrite(reason), actor, now)
                outbox.stop(tx, writeback_id)

    def regenerate(
        self,
        tx: Connection,
        tenant_id: TenantId,
        writeback_id: WritebackId,
        command: RegenerateWrite,
        actor: str,
        now: datetime,
    ) -> bool:
        """Render a write anew of which nothing was ever sent; false when it is too late, and nothing is changed.

        It is too late as well where another payload took the place of the one that was shown. The row is held first, as
        in `hold`. Key, identifier and the ledger's entry stay as they were ordered.
        """
        outbox.hold(tx, writeback_id)
        hold_log(tx, tenant_id)
        state = load(tx, tenant_id, writeback_id)
        is_as_shown = state.was_never_sent and state.queued.payload_digest == command.replaces
        if is_as_shown:
            self._carry_out(tx, tenant_id, writeback_id, state, command, actor, now)
            outbox.overtake(tx, writeback_id)
        return is_as_shown

    def supersede(
        self, tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, command: SupersedeWrite, now: datetime
    ) -> None:
        """Record that another write took this one's place in the chart, in the transaction that verified the other.

        The log is held already. One that a person has ended, or that stands nowhere, is left as it is; so is one of
        which that is known, whatever became of it since.
        """
        state = load(tx, tenant_id, writeback_id)
        if state.is_in_chart and state.superseded_by != command.by:
            self._carry_out(tx, tenant_id, writeback_id, state, command, WORKER, now)

    def supersede_offer(
        self,
        tx: Connection,
        tenant_id: TenantId,
        writeback_id: WritebackId,
        command: SupersedeWrite,
        actor: str,
        now: datetime,
    ) -> None:
        """Record that a later version is to be copied in place of this one, if nobody has copied it yet."""
        state = load(tx, tenant_id, writeback_id)
        if state.stage is Stage.AWAITING_COPY:
            self._carry_out(tx, tenant_id, writeback_id, state, command, actor, now)

    def by_sweeper(
        self,
        tx: Connection,
        tenant_id: TenantId,
        writeback_id: WritebackId,
        seen: int,
        command: Command,
        now: datetime,
    ) -> bool:
        """Record what a look at the chart found, if nothing happened since; `seen` is the version it was decided on.

        Nothing while a worker is to go on with it: it may have been woken without an event of its own. What came right
        again and has its Provenance still to be sent goes on to it; what was seen at last is read back.
        """
        is_under_way = outbox.hold(tx, writeback_id)
        hold_log(tx, tenant_id)
        state = load(tx, tenant_id, writeback_id)
        if state.version != seen or is_under_way:
            return False
        self._carry_out(tx, tenant_id, writeback_id, state, command, SWEEPER, now)
        needs_provenance = isinstance(command, RecordRestored) and not state.provenance_settled
        if needs_provenance or isinstance(command, RecordFiled):
            outbox.wake(tx, writeback_id, now)
        return True

    def doubt(self, tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, actor: str, now: datetime) -> bool:
        """Ask the EHR first about a write that has not left as far as a restored database knows (F50).

        False where that is not so: whatever else waits asks first by itself.
        """
        outbox.hold(tx, writeback_id)
        hold_log(tx, tenant_id)
        state = load(tx, tenant_id, writeback_id)
        if not state.can_be_taken_back:
            return False
        now = shared_moment(tx, now)  # a worker's machine counts the absence from it
        self._carry_out(tx, tenant_id, writeback_id, state, MarkUnknown(RESTORED, now), actor, now)
        outbox.wake(tx, writeback_id, now)
        return True

    def _as_worker(
        self,
        tx: Connection,
        lease: Lease,
        state: WritebackState,
        command: Command,
        now: datetime,
        held: Head,
        *,
        keep_lease: bool,
    ) -> None:
        now = lease.shared(now)
        due_at = self._carry_out(tx, lease.tenant_id, lease.writeback_id, state, command, WORKER, now, held)
        if not keep_lease:
            outbox.release(tx, lease, due_at)

    def _carry_out(
        self,
        tx: Connection,
        tenant_id: TenantId,
        writeback_id: WritebackId,
        state: WritebackState,
        command: Command,
        actor: str,
        now: datetime,
        held: Head | None = None,
    ) -> datetime | None:
        def keep(kind: ArtifactKind, content: bytes) -> ArtifactRef:
            return self._artifacts.keep(tx, tenant_id, kind, content, now)

        decision = decide(state, command, keep, now)
        stream = stream_of(writeback_id)
        append(
            tx,
            tenant_id,
            stream,
            state.version,
            [decision.event],
            actor=actor,
            causation=f"{stream}@{state.version}",
            now=now,
            held=held,
        )
        if isinstance(command, RecordFiled):
            ledger.close(tx, writeback_id, f"{command.resource_type}/{command.resource_id or 'not-located'}", now)
        return decision.due_at


def _under_lease(tx: Connection, lease: Lease, now: datetime) -> tuple[WritebackState, Head]:
    """The write now, and the tenant's log, held: whoever looks at both next finds what this transaction did."""
    outbox.check_fence(tx, lease, now)
    held = hold_log(tx, lease.tenant_id)
    return load(tx, lease.tenant_id, lease.writeback_id), held
