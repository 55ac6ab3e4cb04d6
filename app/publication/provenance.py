"""Filing the Provenance after the note was verified, where the EHR takes it. It fails and retries alone.

R4 Provenance has no identifier to be found by, so it is begun in the log before it leaves, and after an unclear end
the EHR is asked for long enough before it leaves once more. A second unclear end is kept here and said to be unclear:
the note is in the chart either way.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import NeedsSignIn, TryAgain
from app.outbox import rows as outbox
from app.outbox.pace import Pace
from app.outbox.pause import PATIENCE, pause, pause_after
from app.outbox.rows import Lease
from app.provenance.records import targeting
from app.publication.leave import Leave
from app.publication.next_step import STEPS, TOKEN_RENEWED, NextStep, may_go_again
from app.publication.publish import STOOD_STILL, signer_of, stood_still
from app.tenants import habits
from app.tenants.ehr import EHRs
from app.tenants.habits import Habit, Seen
from app.writebacks.commands import (
    BeginProvenance,
    Command,
    ParkWrite,
    PostponeProvenance,
    RecordProvenance,
    RefuseProvenance,
    park_without_grant,
)
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage, WritebackState
from vendors.contract import ACCEPTED
from vendors.errors import Rejected, TokenNotRenewed, TokenRefused, Unsupported, VendorError
from vendors.transport import FHIRTransport, SignersTransport

MOST_UNCLEAR = 2
RESOURCE = "Provenance"

log = get_logger()


class ProvenancePublication:
    """Sends the kept Provenance under the signer's own grant."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        leave: Leave,
        ehrs: EHRs,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._leave = leave
        self._ehrs = ehrs
        self._pace = pace
        self._clock = clock

    def send(self, lease: Lease, state: WritebackState) -> None:
        """File the Provenance unless the EHR already holds ours, or may still be about to hold it."""
        # One that may be there already is looked for all the same: reading is never switched off.
        if not state.provenance_unclear and self._leave.is_refused(lease, state, RESOURCE, self._clock()):
            return
        body = self._body(lease, state)
        try:
            signer = signer_of(state)
            transport = self._ehrs.under_signers_grant(lease.tenant_id, state.launch_id, signer, lease.writeback_id)
            with self._pace.exchange(lease.tenant_id):
                known = self._find(lease, state, transport, body)
        except NeedsSignIn as ended:
            self._record(lease, park_without_grant(ended))
        except TryAgain:
            self._postpone(lease, self._clock() + pause_after(self._waited(lease, state)))
        except TokenRefused:
            self._record(lease, ParkWrite("reauth"))
        except VendorError as error:
            self._not_asked(lease, state, error)
        else:
            if known:
                self._record(lease, RecordProvenance(known, found=True))
            else:
                self._not_there(lease, state, transport, body)

    def let_lapse(self, lease: Lease, state: WritebackState) -> None:
        """A later version took the place of what it is about: one that was not sent by then stays here."""
        if state.provenance_settled:
            with self._database.write() as tx:
                outbox.release(tx, lease, None)
        else:
            self._record(lease, RefuseProvenance("unclear" if state.provenance_unclear else "superseded"))

    def _find(self, lease: Lease, state: WritebackState, transport: FHIRTransport, body: bytes) -> str | None:
        """The id of our Provenance in the EHR: of this note, by this author, of this instant (C25)."""
        order, ours = state.queued, json.loads(body)
        target = f"{order.resource_type}/{state.resource_id}"
        for held in self._ehrs.adapter(lease.tenant_id).find_provenance(transport, target):
            targets = {transport.relative(one).partition("/_history/")[0] for one in _references(held.get("target"))}
            agents = [agent.get("who") for agent in _objects(held.get("agent"))]
            authors = {transport.relative(one) for one in _references(agents)}
            if target in targets and order.author in authors and _recorded(held) == _recorded(ours):
                return str(held.get("id"))
        return None

    def _not_there(self, lease: Lease, state: WritebackState, transport: SignersTransport, body: bytes) -> None:
        """Send it, or wait while what was sent may still appear, or give it up when that happened too often."""
        now = lease.shared(self._clock())
        begun_at = state.provenance_begun_at or now
        rules = self._ehrs.adapter(lease.tenant_id).profile.note
        seconds = rules.longest_execution_seconds.value + rules.search_lag_seconds.value
        proven_at = begun_at + timedelta(seconds=seconds)
        if state.provenance_unclear and now < proven_at:
            self._postpone(lease, min(now + pause_after(now - begun_at), proven_at))
        elif state.provenance_unclear >= self._most_unclear(lease, state):
            self._record(lease, RefuseProvenance("unclear"))
        else:
            self._post(lease, state, transport, body)

    def _most_unclear(self, lease: Lease, state: WritebackState) -> int:
        """After how many unclear ends it leaves no more; an absence at another address proves nothing (F45).

        Nor does it where the EHR was seen to file later what it accepts (F17).
        """
        with self._database.read() as tx:
            files_later = Habit.FILES_LATER in habits.seen(tx, lease.tenant_id)
        has_left = self._ehrs.has_left(lease.tenant_id, state.queued.fhir_base)
        return 1 if files_later or has_left else MOST_UNCLEAR

    def _post(self, lease: Lease, state: WritebackState, transport: SignersTransport, body: bytes) -> None:
        adapter = self._ehrs.adapter(lease.tenant_id)
        with self._database.write() as tx:
            if self._leave.is_refused_in(tx, lease, state, RESOURCE, self._clock()):
                return
            begun_at = self._clock()
            self._writebacks.by_worker(tx, lease, BeginProvenance(lease.fence), begun_at, keep_lease=True)
        # The last look: from here to the first byte nothing waits, not even for our own database.
        if stood_still(begun_at, self._clock()):
            self._record(lease, PostponeProvenance(STOOD_STILL, self._clock()))
            return
        try:
            with self._pace.exchange(lease.tenant_id):
                receipt = adapter.create_provenance(transport, body)
        except VendorError as error:
            self._not_filed(lease, state, transport, error)
            return
        if receipt.status == ACCEPTED:  # not filed yet: its beginning is left to stand, and it is looked for
            with self._database.write() as tx:
                first = Seen(RESOURCE, lease.writeback_id, self._clock())
                habits.note(tx, lease.tenant_id, Habit.FILES_LATER, first)
            self._postpone(lease, self._clock() + pause(0))
        else:
            self._record(lease, RecordProvenance(receipt.resource_id, found=False))

    def _not_filed(self, lease: Lease, state: WritebackState, transport: SignersTransport, error: VendorError) -> None:
        """What a failed send means, by the same table as the note's; an unclear one leaves its beginning to stand."""
        self._log(lease, error)
        try:
            if may_go_again(error, transport, state.postponed_for):
                self._record(lease, PostponeProvenance(TOKEN_RENEWED, self._clock()))
                return
        except TokenNotRenewed as not_now:
            error = not_now
        now, reason = self._clock(), type(error).__name__
        match STEPS[type(error)]:
            case NextStep.ASK_FIRST:
                self._postpone(lease, now + pause(0, error.retry_after_seconds))
            case NextStep.POSTPONE:
                due_at = now + pause_after(self._waited(lease, state), error.retry_after_seconds)
                self._record(lease, PostponeProvenance(reason, due_at))
            case NextStep.PARK_FOR_SIGN_IN:
                # Refused before it was executed: when the signer comes back nothing is unclear.
                self._record(lease, PostponeProvenance(reason, now), keep_lease=True)
                self._record(lease, ParkWrite("reauth"))
            case NextStep.REJECT | NextStep.PARK_FOR_ADMIN:
                self._record(lease, RefuseProvenance(reason))

    def _not_asked(self, lease: Lease, state: WritebackState, error: VendorError) -> None:
        """An EHR that will not be asked, or cannot be for long enough, gets no Provenance: it might be the second."""
        self._log(lease, error)
        waited = self._waited(lease, state)
        if isinstance(error, Rejected | Unsupported) or waited > PATIENCE:
            self._record(lease, RefuseProvenance("unclear" if state.provenance_unclear else type(error).__name__))
        else:
            self._postpone(lease, self._clock() + pause_after(waited, error.retry_after_seconds))

    def _body(self, lease: Lease, state: WritebackState) -> bytes:
        order = state.queued
        with self._database.read() as tx:
            kept = self._artifacts.open(tx, lease.tenant_id, order.provenance)
        return targeting(kept, order.resource_type, state.resource_id or "", state.resource_version)

    def _waited(self, lease: Lease, state: WritebackState) -> timedelta:
        now = lease.shared(self._clock())
        return now - (state.since(Stage.VERIFIED) or now)

    def _postpone(self, lease: Lease, due_at: datetime) -> None:
        with self._database.write() as tx:
            outbox.release(tx, lease, due_at)

    def _record(self, lease: Lease, command: Command, *, keep_lease: bool = False) -> None:
        with self._database.write() as tx:
            self._writebacks.by_worker(tx, lease, command, self._clock(), keep_lease=keep_lease)

    def _log(self, lease: Lease, error: VendorError) -> None:
        name = type(error).__name__
        log.warning("provenance_failed", writeback=lease.writeback_id, tenant=lease.tenant_id, error=name)


def _objects(listed: object) -> list[dict[str, Any]]:
    """The objects in a list of the EHR's, which may hold anything."""
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _references(listed: object) -> list[str]:
    return [str(one["reference"]) for one in _objects(listed) if "reference" in one]


def _recorded(provenance: dict[str, Any]) -> datetime | None:
    """The instant of a Provenance, in whatever zone the EHR writes it."""
    try:
        moment = datetime.fromisoformat(str(provenance.get("recorded")))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
