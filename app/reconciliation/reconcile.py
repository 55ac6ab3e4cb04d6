"""Is it really there, and is it what was signed? Asks the EHR and issues commands; never writes to it.

An unknown outcome leaves by this door only: found once, it is adopted as our own; found twice, a person decides;
not found, it may be sent again only after the EHR was asked often enough and late enough for its search to have
caught up.
"""

from datetime import timedelta

from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import NeedsSignIn
from app.outbox import rows as outbox
from app.outbox.pause import pause
from app.outbox.rows import Lease
from app.reconciliation.compare import compare
from app.tenants.ehr import EHRs
from app.writebacks.commands import Command, MarkUnknown, NoteAbsence, ParkWrite, RecordFiled, RecordReadBack
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage, WritebackState
from vendors.contract import StoredNote
from vendors.errors import NotFound, TokenRefused, VendorError

ABSENCES_NEEDED = 2
PATIENCE = timedelta(minutes=15)

log = get_logger()


class Reconciliation:
    """Reads back under the signer's own grant."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        ehrs: EHRs,
        clock: Clock,
        search_lag: timedelta,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._ehrs = ehrs
        self._clock = clock
        self._search_lag = search_lag

    def admit_unknown(self, lease: Lease, _state: WritebackState) -> None:
        """An attempt was begun and nobody recorded its end: its outcome is unknown, whatever happened."""
        self._record(lease, MarkUnknown("attempt_interrupted", self._clock()))

    def locate(self, lease: Lease, state: WritebackState) -> None:
        """Ask the EHR whether it holds the write whose outcome is unknown."""
        found = self._ask(lease, state)
        if found is None:
            return
        if not found:
            self._record(lease, NoteAbsence(ABSENCES_NEEDED, self._clock() + self._search_lag))
        elif len(found) > 1:
            self._report_duplicates(lease, len(found))
        else:
            note = found[0]
            kind = state.queued.resource_type
            self._record(lease, RecordFiled(kind, note.resource_id, note.version, None, found=True, reply=note.raw))

    def read_back(self, lease: Lease, state: WritebackState) -> None:
        """Fetch what the EHR stored and compare it with what was signed."""
        found = self._ask(lease, state)
        if found is None:
            return
        if not found:
            self._wait_for_it(lease, state)
            return
        if len(found) > 1:
            self._report_duplicates(lease, len(found))
            return
        note, payload = found[0], self._payload(lease, state)
        comparison = compare(payload, note)
        command = RecordReadBack(note.resource_id, note.version, comparison.same, comparison.all, note.raw)
        self._record(lease, command)

    def _report_duplicates(self, lease: Lease, count: int) -> None:
        """More than one note in the chart is ours: only a person may say which one stands."""
        log.error("duplicate_in_chart", writeback=lease.writeback_id, tenant=lease.tenant_id, count=count)
        self._record(lease, ParkWrite("conflict"))

    def _wait_for_it(self, lease: Lease, state: WritebackState) -> None:
        """A filed note that the EHR does not show yet is waited for, then a person is asked; it is never sent again."""
        filed_at = state.since(Stage.FILED)
        if filed_at and self._clock() - filed_at > PATIENCE:
            self._record(lease, ParkWrite("missing"))
        else:
            self._postpone(lease, state)

    def _ask(self, lease: Lease, state: WritebackState) -> list[StoredNote] | None:
        """What the EHR shows; None when it could not be asked and the write was postponed or parked instead."""
        try:
            transport = self._ehrs.under_grant_of(lease.tenant_id, state.launch_id, lease.writeback_id)
            adapter = self._ehrs.adapter(lease.tenant_id)
            if state.resource_id:
                return [adapter.read_note(transport, state.resource_id)]
            return adapter.find_notes(transport, self._payload(lease, state))
        except NotFound:
            return []
        except (NeedsSignIn, TokenRefused):
            self._record(lease, ParkWrite("reauth"))
        except VendorError as error:
            log.warning(
                "read_back_failed",
                writeback=lease.writeback_id,
                tenant=lease.tenant_id,
                error=type(error).__name__,
            )
            self._postpone(lease, state)
        return None

    def _payload(self, lease: Lease, state: WritebackState) -> bytes:
        with self._database.read() as tx:
            return self._artifacts.open(tx, lease.tenant_id, state.queued.payload)

    def _postpone(self, lease: Lease, state: WritebackState) -> None:
        """Only the due time moves: nothing happened that the log should hold."""
        with self._database.write() as tx:
            outbox.release(tx, lease, self._clock() + pause(state.attempts))

    def _record(self, lease: Lease, command: Command) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock())
