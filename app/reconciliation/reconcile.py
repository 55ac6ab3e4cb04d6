"""Is it really there, and is it what was signed? Asks the EHR and issues commands; never writes to it.

An unknown outcome leaves by this door only: found once, it is adopted as our own; found twice, a person decides.
Not found proves something only after the longest time that the EHR may still have been executing it, asked twice with
its search's own delay between; and where the EHR can neither search our identifier nor create conditionally it never
proves enough to send again. Nor does it at another address than the one that it was signed for: what reached the old
one need not have come along (F45). What cannot be read for long enough is given to a person, with its reason.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import ClientRefused, NeedsSignIn, TryAgain
from app.outbox import rows as outbox
from app.outbox.pace import Pace
from app.outbox.pause import PATIENCE, pause_after
from app.outbox.rows import Lease
from app.reconciliation import followed, held
from app.reconciliation.replacing import take_its_place
from app.tenants import habits
from app.tenants.ehr import EHRs
from app.tenants.habits import Habit, Seen
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
from app.writebacks.state import ACCEPTED_NOT_FILED, RESTORED, Stage, WritebackState
from vendors.contract import VendorAdapter
from vendors.errors import TokenRefused, VendorError, VersionConflict
from vendors.profile import Profile
from vendors.transport import FHIRTransport

ABSENCES_NEEDED = 2
Answer = TypeVar("Answer")
Question = Callable[[VendorAdapter, FHIRTransport, WritebackState, bytes], Answer]

log = get_logger()


class Reconciliation:
    """Reads back under the signer's own grant."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        ehrs: EHRs,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._ehrs = ehrs
        self._pace = pace
        self._clock = clock

    def admit_unknown(self, lease: Lease, _state: WritebackState) -> None:
        """An attempt was begun and nobody recorded its end: its outcome is unknown, whatever happened."""
        self._record(lease, MarkUnknown("attempt_interrupted", self._clock()))

    def locate(self, lease: Lease, state: WritebackState) -> None:
        """Ask the EHR whether it holds the write whose outcome is unknown."""
        asked_at = lease.shared(self._clock())
        located = self._ask(lease, state, held.locate)
        if located is None:
            return
        if located.moved:
            # Somebody else changed what this write was to change: overwriting it is a person's decision (C11, F14).
            self._record(lease, ParkWrite("conflict"))
        elif not located.found:
            self._not_there(lease, state, asked_at)
        elif len(located.found) > 1:
            self._report_duplicates(lease, len(located.found))
        else:
            one = located.found[0]
            kind = state.queued.resource_type
            self._record(lease, RecordFiled(kind, one.resource_id, one.version, None, found=True, reply=one.raw))

    def read_back(self, lease: Lease, state: WritebackState) -> None:
        """Fetch what the EHR stored and compare it with what was signed."""
        found = self._ask(lease, state, held.read_back)
        if found is None:
            return
        if not found:
            self._wait(lease, state, "missing")
            return
        if len(found) > 1:
            self._report_duplicates(lease, len(found))
            return
        one = found[0]
        same, differences = one.comparison.same, one.comparison.all
        self._record_checked(lease, state, RecordReadBack(one.resource_id, one.version, same, differences, one.raw))

    def _record_checked(self, lease: Lease, state: WritebackState, checked: RecordReadBack) -> None:
        """Record what was read back; one that took another write's place in the chart says so there too, at once."""
        order, now = state.queued, self._clock()
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, checked, now)
            resource = f"{order.resource_type}/{checked.resource_id}"
            followed.follow(tx, lease.tenant_id, lease.writeback_id, order.patient, resource, now)
            if "identifier" in checked.differences:
                first = Seen(order.resource_type, lease.writeback_id, now)
                habits.note(tx, lease.tenant_id, Habit.DROPS_IDENTIFIERS, first)
            if checked.same:
                take_its_place(tx, self._writebacks, lease.tenant_id, lease.writeback_id, order, now)

    def _not_there(self, lease: Lease, state: WritebackState, asked_at: datetime) -> None:
        """Count this absence; an early one says nothing, because the EHR may still be executing or indexing it."""
        with self._database.read() as tx:
            profile = self._ehrs.seeker(tx, lease.tenant_id).profile
            files_later = Habit.FILES_LATER in habits.seen(tx, lease.tenant_id)
        rules = profile.note
        # A restored database does not know of the last attempt: its own doubt is all that time can be counted from.
        begun = None if state.unknown_for == RESTORED else state.since(Stage.SENDING)
        began = begun or state.since(Stage.OUTCOME_UNKNOWN) or asked_at
        counts_from = state.absence_counts_from or began + timedelta(seconds=rules.longest_execution_seconds.value)
        if asked_at < counts_from:
            self._postpone(lease, min(asked_at + pause_after(asked_at - began), counts_from))
        else:
            again_at = lease.shared(self._clock()) + timedelta(seconds=rules.search_lag_seconds.value)
            has_moved = self._ehrs.has_left(lease.tenant_id, state.queued.fhir_base)
            park_for = _park_for(state, profile, files_later=files_later) or ("unproven" if has_moved else None)
            self._record(lease, NoteAbsence(ABSENCES_NEEDED, again_at, park_for))

    def _report_duplicates(self, lease: Lease, count: int) -> None:
        """More than one note in the chart is ours: only a person may say which one stands."""
        log.error("duplicate_in_chart", writeback=lease.writeback_id, tenant=lease.tenant_id, count=count)
        self._record(lease, ParkWrite("conflict"))

    def _wait(self, lease: Lease, state: WritebackState, reason: str, asked_for_seconds: float | None = None) -> None:
        """Look again later; after long enough a person is asked, and it is never sent again."""
        waited = self._waited(lease, state)
        if waited > PATIENCE:
            self._record(lease, ParkWrite(reason))
        else:
            self._postpone(lease, self._clock() + pause_after(waited, asked_for_seconds))

    def _waited(self, lease: Lease, state: WritebackState) -> timedelta:
        now = lease.shared(self._clock())
        since = state.since(state.stage) if state.stage else None
        return now - (since or now)

    def _ask(self, lease: Lease, state: WritebackState, question: Question[Answer]) -> Answer | None:
        """What the EHR shows; None when it could not be asked and the write was postponed or parked instead."""
        try:
            self._ehrs.require_same_ehr(lease.tenant_id, state.queued.fhir_base)
            transport = self._ehrs.under_grant_of(lease.tenant_id, state.launch_id, lease.writeback_id)
            adapter, payload = self._adapter_and_payload(lease, state)
            with self._pace.exchange(lease.tenant_id):
                return question(adapter, transport, state, payload)
        except NeedsSignIn as ended:
            self._record(lease, park_without_grant(ended))
        except ClientRefused:
            # Everybody's writes wait for one repair, so no person is asked about each of them.
            self._postpone(lease, self._clock() + pause_after(self._waited(lease, state)))
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

    def _adapter_and_payload(self, lease: Lease, state: WritebackState) -> tuple[VendorAdapter, bytes]:
        with self._database.read() as tx:
            payload = self._artifacts.open(tx, lease.tenant_id, state.queued.payload)
            return self._ehrs.seeker(tx, lease.tenant_id), payload

    def _postpone(self, lease: Lease, due_at: datetime) -> None:
        """Only the due time moves: nothing happened that the log should hold."""
        with self._database.write() as tx:
            outbox.release(tx, lease, due_at)

    def _record(self, lease: Lease, command: Command) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock())
            if isinstance(command, ParkWrite | NoteAbsence):
                followed.seek(tx, lease.tenant_id, lease.writeback_id, self._clock())


def _park_for(state: WritebackState, profile: Profile, *, files_later: bool) -> str | None:
    """Why a write that is not there is given to a person; None where it may be sent again.

    What the EHR accepted to file later (202) never may: its promise has no end. Nor may, where the EHR was ever seen to
    do so, what nobody heard the answer to. What carries the version that it changes may go again: of two executions the
    EHR refuses the second.
    """
    if state.unknown_for == VersionConflict.__name__:
        return "conflict"
    if state.unknown_for == ACCEPTED_NOT_FILED:
        return "unproven"
    if state.queued.if_match:
        return None
    rules = profile.note if state.queued.resource_type == held.NOTE else profile.entry
    return None if rules.absence_can_be_proven and not files_later else "unproven"
