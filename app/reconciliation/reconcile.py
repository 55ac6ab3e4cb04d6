"""Is it really there, and is it what was signed? Asks the EHR and issues commands; never writes to it.

An unknown outcome leaves by this door only: found once, it is adopted as our own; found twice, a person decides.
Not found proves something only after the longest time that the EHR may still have been executing it, asked twice with
its search's own delay between; and where the EHR can neither search our identifier nor create conditionally it never
proves enough to send again. What cannot be read for long enough is given to a person, with its reason.
"""

from datetime import datetime, timedelta

from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import ClientRefused, NeedsSignIn, TryAgain
from app.outbox import rows as outbox
from app.outbox.pause import PATIENCE, pause_after
from app.outbox.rows import Lease
from app.reconciliation.compare import compare
from app.tenants.ehr import EHRs
from app.writebacks.commands import (
    Command,
    MarkUnknown,
    NoteAbsence,
    ParkWrite,
    RecordFiled,
    RecordReadBack,
    park_without_grant,
)
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage, WritebackState
from vendors.contract import StoredNote, VendorAdapter
from vendors.errors import NotFound, TokenRefused, VendorError, VersionConflict
from vendors.profile import NoteRules
from vendors.transport import FHIRTransport

ABSENCES_NEEDED = 2

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
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._ehrs = ehrs
        self._clock = clock

    def admit_unknown(self, lease: Lease, _state: WritebackState) -> None:
        """An attempt was begun and nobody recorded its end: its outcome is unknown, whatever happened."""
        self._record(lease, MarkUnknown("attempt_interrupted", self._clock()))

    def locate(self, lease: Lease, state: WritebackState) -> None:
        """Ask the EHR whether it holds the write whose outcome is unknown."""
        asked_at = self._clock()
        found = self._ask(lease, state)
        if found is None:
            return
        if not found:
            self._not_there(lease, state, asked_at)
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
            self._wait(lease, state, "missing")
            return
        if len(found) > 1:
            self._report_duplicates(lease, len(found))
            return
        note, payload = found[0], self._payload(lease, state)
        comparison = compare(payload, note)
        command = RecordReadBack(note.resource_id, note.version, comparison.same, comparison.all, note.raw)
        self._record(lease, command)

    def _not_there(self, lease: Lease, state: WritebackState, asked_at: datetime) -> None:
        """Count this absence; an early one says nothing, because the EHR may still be executing or indexing it."""
        rules = self._ehrs.adapter(lease.tenant_id).profile.note
        began = state.since(Stage.SENDING) or asked_at
        counts_from = state.absence_counts_from or began + timedelta(seconds=rules.longest_execution_seconds.value)
        if asked_at < counts_from:
            self._postpone(lease, min(asked_at + pause_after(asked_at - began), counts_from))
        else:
            again_at = self._clock() + timedelta(seconds=rules.search_lag_seconds.value)
            self._record(lease, NoteAbsence(ABSENCES_NEEDED, again_at, _park_for(state, rules)))

    def _report_duplicates(self, lease: Lease, count: int) -> None:
        """More than one note in the chart is ours: only a person may say which one stands."""
        log.error("duplicate_in_chart", writeback=lease.writeback_id, tenant=lease.tenant_id, count=count)
        self._record(lease, ParkWrite("conflict"))

    def _wait(self, lease: Lease, state: WritebackState, reason: str, asked_for_seconds: float | None = None) -> None:
        """Look again later; after long enough a person is asked, and it is never sent again."""
        waited = self._waited(state)
        if waited > PATIENCE:
            self._record(lease, ParkWrite(reason))
        else:
            self._postpone(lease, self._clock() + pause_after(waited, asked_for_seconds))

    def _waited(self, state: WritebackState) -> timedelta:
        now = self._clock()
        since = state.since(state.stage) if state.stage else None
        return now - (since or now)

    def _ask(self, lease: Lease, state: WritebackState) -> list[StoredNote] | None:
        """What the EHR shows; None when it could not be asked and the write was postponed or parked instead."""
        try:
            transport = self._ehrs.under_grant_of(lease.tenant_id, state.launch_id, lease.writeback_id)
            return _held(self._ehrs.adapter(lease.tenant_id), transport, state, self._payload(lease, state))
        except NeedsSignIn as ended:
            self._record(lease, park_without_grant(ended))
        except ClientRefused:
            # Everybody's writes wait for one repair, so no person is asked about each of them.
            self._postpone(lease, self._clock() + pause_after(self._waited(state)))
        except TryAgain:
            self._wait(lease, state, "unreadable")
        except TokenRefused:
            self._record(lease, ParkWrite("reauth"))
        except VendorError as error:
            log.warning(
                "read_back_failed",
                writeback=lease.writeback_id,
                tenant=lease.tenant_id,
                error=type(error).__name__,
            )
            self._wait(lease, state, "unreadable", error.retry_after_seconds)
        return None

    def _payload(self, lease: Lease, state: WritebackState) -> bytes:
        with self._database.read() as tx:
            return self._artifacts.open(tx, lease.tenant_id, state.queued.payload)

    def _postpone(self, lease: Lease, due_at: datetime) -> None:
        """Only the due time moves: nothing happened that the log should hold."""
        with self._database.write() as tx:
            outbox.release(tx, lease, due_at)

    def _record(self, lease: Lease, command: Command) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock())


def _held(adapter: VendorAdapter, transport: FHIRTransport, state: WritebackState, payload: bytes) -> list[StoredNote]:
    """Every note of the chart that is this write.

    One that the EHR named is read by its id, and only there a 404 speaks of our note. Where it may have been executed
    more than once the chart is searched as well: the one that we know may have a twin.
    """
    if not state.resource_id:
        return adapter.find_notes(transport, payload)
    try:
        named = adapter.read_note(transport, state.resource_id)
    except NotFound:
        return []
    may_have_twin = state.adopted or state.attempts > 1
    found = adapter.find_notes(transport, payload) if may_have_twin else []
    return [named, *(note for note in found if note.resource_id != named.resource_id)]


def _park_for(state: WritebackState, rules: NoteRules) -> str | None:
    """Why a write that is not there is given to a person; None where it may be sent again."""
    if state.unknown_for == VersionConflict.__name__:
        return "conflict"
    return None if rules.absence_can_be_proven else "unproven"
