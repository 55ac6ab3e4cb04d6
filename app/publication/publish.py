"""One attempt to get one write into the EHR: say it, send it, record what came back.

The attempt is committed as begun before the first byte leaves. From then on nothing but the EHR's own answer, or a
read-back, may say what happened; no transaction is open while bytes are on the wire.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast, get_args

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import Corrupt, NeedsSignIn, TryAgain
from app.outbox.pace import Pace
from app.outbox.pause import pause, pause_after
from app.outbox.rows import Lease
from app.publication.leave import Leave
from app.publication.next_step import TOKEN_RENEWED, may_go_again, next_command
from app.publication.turn import Turn
from app.tenants import habits
from app.tenants.ehr import EHRs, Signer
from app.tenants.habits import Habit, Seen
from app.writebacks.commands import (
    Command,
    MarkUnknown,
    ParkWrite,
    PostponeAttempt,
    RecordFiled,
    park_without_grant,
)
from app.writebacks.events import WritebackQueued
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import ACCEPTED_NOT_FILED, Stage, WritebackState
from vendors.contract import ACCEPTED, Write, WriteInteraction
from vendors.errors import TokenNotRenewed, VendorError
from vendors.transport import SignersTransport

# So many sends without a clear answer are no accident: a person should look before the next one.
MOST_UNCLEAR = 5
# Between the record of an attempt and its first byte; every profile's `longest_execution_seconds` has room for it.
LATEST_START = timedelta(seconds=10)
STOOD_STILL = "stood_still"

log = get_logger()


class Publication:
    """Sends signed writes under their signer's own grant."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        leave: Leave,
        turn: Turn,
        ehrs: EHRs,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._leave = leave
        self._turn = turn
        self._ehrs = ehrs
        self._pace = pace
        self._clock = clock

    def send(self, lease: Lease, state: WritebackState) -> None:
        """Carry one queued write through one attempt. Raises `Fenced` when another worker has taken over."""
        if self._must_wait(lease, state):
            return
        transport = self._transport(lease, state)
        if transport is None:
            return
        order, adapter = state.queued, self._ehrs.adapter(lease.tenant_id)
        with self._database.write() as tx:
            # Asked once more: it may have taken a while.
            if self._leave.is_refused_in(tx, lease, state, order.resource_type, self._clock()):
                return
            payload = self._artifacts.open(tx, lease.tenant_id, order.payload)
            begun_at = self._clock()
            if not self._writebacks.begin(tx, lease, begun_at):
                return
        # The last look: from here to the first byte nothing waits, not even for our own database.
        if stood_still(begun_at, self._clock()):
            self._record(lease, PostponeAttempt(STOOD_STILL, self._clock()))
            return
        try:
            with self._pace.exchange(lease.tenant_id):
                receipt = adapter.send(transport, as_write(order, payload))
        except VendorError as error:
            log.warning(
                "send_failed",
                writeback=lease.writeback_id,
                tenant=lease.tenant_id,
                error=type(error).__name__,
            )
            self._record_heard(lease, self._after(error, transport, state))
            return
        if receipt.status == ACCEPTED:
            self._accepted_for_later(lease, order)
            return
        resource_id = receipt.resource_id or order.target_id or None  # an update may be answered without a body
        if resource_id is None:
            log.warning("filed_without_id", writeback=lease.writeback_id, tenant=lease.tenant_id)
        self._record_heard(lease, _filed(state, resource_id, receipt.version, receipt.status, receipt.body))

    def _must_wait(self, lease: Lease, state: WritebackState) -> bool:
        """Whether this write may not leave now; why, and until when, is recorded then."""
        order = state.queued
        if self._leave.is_refused(lease, state, order.resource_type, self._clock()):
            return True
        if order.follows and not self._turn.has_come(lease, state, self._clock()):
            return True
        if state.unclear >= MOST_UNCLEAR:
            self._record(lease, ParkWrite("manual"))
            return True
        return False

    def _transport(self, lease: Lease, state: WritebackState) -> SignersTransport | None:
        """The signer's own way to the EHR; None when there is none now, which is recorded."""
        try:
            return self._ehrs.under_signers_grant(
                lease.tenant_id, state.launch_id, signer_of(state), lease.writeback_id
            )
        except NeedsSignIn as ended:
            self._record(lease, park_without_grant(ended))
        except TryAgain as not_now:
            self._record(lease, PostponeAttempt(not_now.code, self._clock() + self._wait_at(state)))
        return None

    def _after(self, error: VendorError, transport: SignersTransport, state: WritebackState) -> Command:
        try:
            if may_go_again(error, transport, state.postponed_for):
                return PostponeAttempt(TOKEN_RENEWED, self._clock())
        except TokenNotRenewed as not_now:
            error = not_now
        return next_command(error, state.attempts, self._clock())

    def _wait_at(self, state: WritebackState) -> timedelta:
        """As long again as it has waited so far, within bounds: an operator's repair takes minutes or hours."""
        now = self._clock()
        return pause_after(now - (state.since(Stage.QUEUED) or now))

    def _accepted_for_later(self, lease: Lease, order: WritebackQueued) -> None:
        """Nothing is filed yet, and nobody knows when it will be.

        What the EHR does is remembered first and by itself: whatever becomes of this write's own record, from then on
        an attempt without an end is not taken for one that came to nothing.
        """
        first = Seen(order.resource_type, lease.writeback_id, self._clock())
        self._surely(lease, lambda tx: habits.note(tx, lease.tenant_id, Habit.FILES_LATER, first))
        self._record_heard(lease, MarkUnknown(ACCEPTED_NOT_FILED, self._clock() + pause(0)))

    def _record_heard(self, lease: Lease, command: Command) -> None:
        """Record what the EHR answered. What was recorded although its commit failed has given its lease back."""
        self._surely(lease, lambda tx: self._writebacks.by_worker(tx, lease, command, self._clock()))

    def _surely(self, lease: Lease, write: Callable[[Connection], None]) -> None:
        """Write down what the EHR answered; once more where the database failed, since nobody else has heard it."""
        try:
            with self._database.write() as tx:
                write(tx)
        except SQLAlchemyError as error:
            where = {"writeback": lease.writeback_id, "tenant": lease.tenant_id}
            log.warning("answer_recorded_again", **where, error=type(error).__name__)
            with self._database.write() as tx:
                write(tx)

    def _record(self, lease: Lease, command: Command) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock())


def as_write(order: WritebackQueued, payload: bytes) -> Write:
    """The order as it leaves. Raises `Corrupt` for an interaction that nobody knows."""
    if order.interaction not in get_args(WriteInteraction):
        raise Corrupt(f"A write was ordered as {order.interaction}, which is not known here.")
    interaction = cast(WriteInteraction, order.interaction)
    return Write(order.resource_type, interaction, payload, order.target_id, order.if_match)


def stood_still(begun_at: datetime, now: datetime) -> bool:
    """Whether this process stood still after it said that it would send: nothing may leave any more then (F32).

    Others have drawn, or will draw, conclusions from an attempt that was begun so long ago and that the EHR does not
    hold. Whoever stands still after this look is bounded by the exchange's own time limits.
    """
    return now - begun_at > LATEST_START


def signer_of(state: WritebackState) -> Signer:
    """Whose grant alone may send this write (A63)."""
    order = state.queued
    return Signer(order.author_issuer, order.author_subject, order.author, order.patient, order.fhir_base)


def _filed(
    state: WritebackState, resource_id: str | None, version: str | None, status: int, reply: bytes
) -> RecordFiled:
    return RecordFiled(state.queued.resource_type, resource_id, version, status, found=False, reply=reply)
