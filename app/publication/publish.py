"""One attempt to get one write into the EHR: say it, send it, record what came back.

The attempt is committed as begun before the first byte leaves. From then on nothing but the EHR's own answer, or a
read-back, may say what happened; no transaction is open while bytes are on the wire.
"""

from datetime import timedelta

from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import NeedsSignIn, TryAgain
from app.outbox.pause import pause, pause_after
from app.outbox.rows import Lease
from app.publication.leave import Leave
from app.publication.next_step import TOKEN_RENEWED, may_go_again, next_command
from app.tenants.ehr import EHRs, Signer
from app.writebacks.commands import (
    BeginAttempt,
    Command,
    MarkUnknown,
    ParkWrite,
    PostponeAttempt,
    RecordFiled,
    park_without_grant,
)
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage, WritebackState
from vendors.errors import TokenNotRenewed, VendorError
from vendors.transport import SignersTransport

ACCEPTED_NOT_FILED = 202
# So many sends without a clear answer are no accident: a person should look before the next one.
MOST_UNCLEAR = 5
RESOURCE = "DocumentReference"

log = get_logger()


class Publication:
    """Sends signed writes under their signer's own grant."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        leave: Leave,
        ehrs: EHRs,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._leave = leave
        self._ehrs = ehrs
        self._clock = clock

    def send(self, lease: Lease, state: WritebackState) -> None:
        """Carry one queued write through one attempt. Raises `Fenced` when another worker has taken over."""
        if self._leave.is_refused(lease, state, RESOURCE, self._clock()):
            return
        if state.unclear >= MOST_UNCLEAR:
            self._record(lease, ParkWrite("manual"))
            return
        try:
            signer = signer_of(state)
            transport = self._ehrs.under_signers_grant(lease.tenant_id, state.launch_id, signer, lease.writeback_id)
        except NeedsSignIn as ended:
            self._record(lease, park_without_grant(ended))
            return
        except TryAgain as not_now:
            self._record(lease, PostponeAttempt(not_now.code, self._clock() + self._wait_at(state)))
            return
        with self._database.write() as tx:
            if self._leave.is_refused_in(tx, lease, state, RESOURCE, self._clock()):  # it may have taken a while
                return
            payload = self._artifacts.open(tx, lease.tenant_id, state.queued.payload)
            self._writebacks.by_worker(tx, lease, BeginAttempt(lease.fence), self._clock(), keep_lease=True)
        try:
            receipt = self._ehrs.adapter(lease.tenant_id).create_note(transport, payload)
        except VendorError as error:
            log.warning(
                "send_failed",
                writeback=lease.writeback_id,
                tenant=lease.tenant_id,
                error=type(error).__name__,
            )
            self._record(lease, self._after(error, transport, state))
            return
        if receipt.status == ACCEPTED_NOT_FILED:
            self._record(lease, MarkUnknown("accepted_not_filed", self._clock() + pause(0)))
            return
        self._record(lease, _filed(state, receipt.resource_id, receipt.version, receipt.status, receipt.body))

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

    def _record(self, lease: Lease, command: Command) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock())


def signer_of(state: WritebackState) -> Signer:
    """Whose grant alone may send this write (A63)."""
    order = state.queued
    return Signer(order.author_issuer, order.author_subject, order.author, order.patient, order.fhir_base)


def _filed(
    state: WritebackState, resource_id: str | None, version: str | None, status: int, reply: bytes
) -> RecordFiled:
    return RecordFiled(state.queued.resource_type, resource_id, version, status, found=False, reply=reply)
