"""One attempt to get one write into the EHR: say it, send it, record what came back.

The attempt is committed as begun before the first byte leaves. From then on nothing but the EHR's own answer, or a
read-back, may say what happened; no transaction is open while bytes are on the wire.
"""

from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import NeedsSignIn
from app.outbox.pause import pause
from app.outbox.rows import Lease
from app.publication.next_step import next_command
from app.tenants.ehr import EHRs
from app.writebacks.commands import BeginAttempt, Command, MarkUnknown, ParkWrite, RecordFiled, park_without_grant
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import WritebackState
from vendors.errors import VendorError

ACCEPTED_NOT_FILED = 202
# So many sends without a clear answer are no accident: a person should look before the next one.
MOST_UNCLEAR = 5

log = get_logger()


class Publication:
    """Sends signed writes under their signer's own grant."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        ehrs: EHRs,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._ehrs = ehrs
        self._clock = clock

    def send(self, lease: Lease, state: WritebackState) -> None:
        """Carry one queued write through one attempt. Raises `Fenced` when another worker has taken over."""
        if state.unclear >= MOST_UNCLEAR:
            self._record(lease, ParkWrite("manual"))
            return
        try:
            transport = self._ehrs.under_grant_of(lease.tenant_id, state.launch_id, lease.writeback_id)
        except NeedsSignIn as ended:
            self._record(lease, park_without_grant(ended))
            return
        with self._database.write() as tx:
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
            self._record(lease, next_command(error, state.attempts, self._clock()))
            return
        if receipt.status == ACCEPTED_NOT_FILED:
            self._record(lease, MarkUnknown("accepted_not_filed", self._clock() + pause(0)))
            return
        self._record(lease, _filed(state, receipt.resource_id, receipt.version, receipt.status, receipt.body))

    def _record(self, lease: Lease, command: Command) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock())


def _filed(
    state: WritebackState, resource_id: str | None, version: str | None, status: int, reply: bytes
) -> RecordFiled:
    return RecordFiled(state.queued.resource_type, resource_id, version, status, found=False, reply=reply)
