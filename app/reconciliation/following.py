"""What became of what was filed: looks at it again, ever more seldom, and records what people did to it in the EHR.

It reads under the signer's grant while that lives, else under the organisation's read-only grant, else under the next
launch in that chart, and records which. It never writes to the EHR, and never sends anything again: what a person
changed, removed or brought back there stands (F28, F43, F44).
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection
from structlog import get_logger

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.ids import TenantId
from app.log_lines import place_of
from app.outbox import pace
from app.outbox.dead_letters import put_aside
from app.outbox.pause import LONGEST_ASKED_FOR_SECONDS
from app.reconciliation import followed, followers
from app.reconciliation.changes import ChangeThere
from app.reconciliation.followed import Followed
from app.reconciliation.held import Found
from app.reconciliation.look import Look, read
from app.reconciliation.news import News, came, news_of
from app.reconciliation.replacing import take_its_place
from app.tenants.ehr import EHRs, Signer
from app.tenants.reading import Reader, Readers
from app.writebacks.commands import RecordFiled, RecordMissing, RecordOverride, RecordRestored
from app.writebacks.handlers import WritebackCommands, load
from app.writebacks.state import IN_CHART, Stage, WritebackState
from vendors.errors import NotAuthorized, NotFound, TokenRefused, VendorError

MOST_FOR_A_TENANT = 20
# The sweeper has bells to ring: what is not looked at in this time is looked at in the next sweep.
LONGEST_RUN = timedelta(seconds=5)
ABSENCES_NEEDED = 2
GONE = 410  # HTTP: it was there and was removed on purpose; 404 says neither
# So long an EHR may take to show that a later document took the place of an earlier one.
GIVEN_TO_THE_EHR = timedelta(minutes=2)
NO_READER_FOR = timedelta(days=1)
UNREADABLE_FOR = timedelta(seconds=LONGEST_ASKED_FOR_SECONDS)

# What a correction or a retraction of ours does to the resource that it changes, as it may look there.
OUR_OWN = frozenset({ChangeThere.REPLACED, ChangeThere.AMENDED, ChangeThere.EDITED, ChangeThere.INVALIDATED})
# Looked at no more, before it is filed or stops unseen again.
ENDED = frozenset({Stage.SETTLED, Stage.REJECTED, Stage.CANCELLED})

log = get_logger()


class EHRAway(Exception):
    """The EHR does not answer; its other rows can wait too."""


class Following:
    """Follows what was filed."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        writebacks: WritebackCommands,
        ehrs: EHRs,
        readers: Readers,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._writebacks = writebacks
        self._ehrs = ehrs
        self._readers = readers
        self._clock = clock

    def sweep(self) -> int:
        """Look at what is due, for so long as one sweep may take; returns how many looks were answered."""
        until, answered = self._clock() + LONGEST_RUN, 0
        with self._database.read() as tx:
            rows = followed.due(tx, self._clock(), MOST_FOR_A_TENANT)
            away = set(pace.left_alone(tx, self._clock()))  # an EHR that asked for quiet is not asked for this either
        for row in rows:
            if row.tenant_id not in away and self._clock() <= until:
                answered += self._look_apart(row, away)
        return answered

    def _look_apart(self, row: Followed, away: set[str]) -> bool:
        """One look; whatever goes wrong with it stops no other tenant's."""
        try:
            with self._ehrs.steady():
                return self.look(row)
        except EHRAway:
            away.add(row.tenant_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stay this row's
            log.error(
                "look_failed",
                writeback=row.writeback_id,
                tenant=row.tenant_id,
                error=type(error).__name__,
                place=place_of(error),
            )
            self._put_off(row, UNREADABLE_FOR)
        return False

    def look(self, row: Followed) -> bool:
        """Look at one filed resource and record what is new. False: nothing was learnt. Raises `EHRAway`."""
        now = self._clock()
        with self._database.write() as tx:
            if not followed.take(tx, row, now):
                return False
            state = load(tx, row.tenant_id, row.writeback_id)
            if not self._is_ready(tx, row, state, now):
                return False
        look = self._ask(row, state)
        if look is None:
            return False
        if state.may_still_appear:
            self._sought(row, state, look)
            return True
        if isinstance(look.found, NotFound):
            return self._not_there(row, state, look.found, look.reader)
        news = news_of(self._ehrs.adapter(row.tenant_id), state, look.found, look)
        if isinstance(news, RecordOverride) and news.change in OUR_OWN and self._is_ours(row):
            self._put_off(row, followed.FIRST_LOOK)
            return False
        self._record(row, state, news, look, look.found.version)
        return True

    def _is_ready(self, tx: Connection, row: Followed, state: WritebackState, now: datetime) -> bool:
        """Whether it is in the chart and nothing of it is under way; else it is put off, or looked at no more.

        A Provenance that waits for somebody is not under way, nor is one that was put aside.
        """
        if state.may_still_appear:
            return True
        is_elsewhere = state.stage is Stage.PARKED and not state.is_in_chart  # a person, or a sign-in, takes it up
        if state.stage in ENDED or is_elsewhere or (state.stage is Stage.SUPERSEDED and not state.is_replaced):
            followed.end(tx, row)
            return False
        if state.stage is Stage.SUPERSEDED:
            waits = GIVEN_TO_THE_EHR - (now - (state.since(Stage.SUPERSEDED) or now))
            if waits > timedelta(0):
                followed.put_off(tx, row, now, waits)
            return waits <= timedelta(0)
        waits_for_provenance = state.stage is Stage.VERIFIED and not state.provenance_settled
        is_under_way = waits_for_provenance and not put_aside(tx, {row.writeback_id})
        if state.in_chart_as not in IN_CHART or is_under_way:
            followed.put_off(tx, row, now, followed.FIRST_LOOK)
            return False
        return True

    def _ask(self, row: Followed, state: WritebackState) -> Look | None:
        """Read it under the first right that the EHR takes; None where there is none, and it was put off."""
        order, tenant = state.queued, self._ehrs.tenant(row.tenant_id)
        signer = Signer(order.author_issuer, order.author_subject, order.author, order.patient, order.fhir_base)
        with self._database.read() as tx:
            payload = self._artifacts.open(tx, row.tenant_id, order.payload)
            adapter = self._ehrs.seeker(tx, row.tenant_id)
        for reader in self._readers.of(tenant, signer, order.resource_type, row.writeback_id):
            try:
                return read(adapter, reader, state, payload)
            except (TokenRefused, NotAuthorized):
                continue
            except VendorError as error:
                self._put_off(row, timedelta(seconds=error.retry_after_seconds or 0) or UNREADABLE_FOR)
                raise EHRAway from error
        self._put_off(row, NO_READER_FOR)
        return None

    def _sought(self, row: Followed, state: WritebackState, look: Look) -> None:
        """What stopped because the EHR did not show it goes on once it does; of what was ended, its signer is told."""
        adapter = self._ehrs.adapter(row.tenant_id)
        news = came(adapter, state, look.found, look) if isinstance(look.found, Found) else None
        self._record(row, state, news, look, look.found.version if isinstance(look.found, Found) else None)

    def _not_there(self, row: Followed, state: WritebackState, gone: NotFound, reader: Reader) -> bool:
        """Removed on purpose, or not shown: the latter counts twice asked, and never when a visitor asked (F44)."""
        now, resource_id = self._clock(), state.resource_id or ""
        if gone.status == GONE:
            known = state.stage is Stage.SUPERSEDED or state.change_there == ChangeThere.DELETED
            deleted = RecordOverride(ChangeThere.DELETED, resource_id, None, (), "", reader.under)
            self._record(row, state, None if known else deleted, Look(reader, gone), None)
            return True
        if state.stage in (Stage.MISSING, Stage.SUPERSEDED):  # of what does not count any more it is no news
            self._record(row, state, None, Look(reader, gone), None)
            return True
        if gone.status is None or reader.is_a_visitors:
            self._put_off(row, NO_READER_FOR)
            return False
        if row.absences + 1 < ABSENCES_NEEDED:
            with self._database.write() as tx:
                followed.absent(tx, row, now)
            return True
        log.error("missing_in_chart", writeback=row.writeback_id, tenant=row.tenant_id)
        self._record(row, state, RecordMissing(reader.under), Look(reader, gone), None)
        return True

    def _is_ours(self, row: Followed) -> bool:
        """Whether a change of the same signer is on its way that may have done it; it says so when it is verified."""
        with self._database.read() as tx:
            return followers.are_under_way(tx, row.tenant_id, row.writeback_id)

    def _record(self, row: Followed, state: WritebackState, news: News | None, look: Look, version: str | None) -> None:
        """Record the news, if nothing else happened to the write meanwhile, and when to look again."""
        now = self._clock()
        with self._database.write() as tx:
            if news:
                whose = (row.tenant_id, row.writeback_id)
                is_recorded = self._writebacks.by_sweeper(tx, *whose, state.version, news, now)
                is_late = isinstance(news, RecordOverride) and news.change == ChangeThere.CAME_LATE
                if is_recorded and (is_late or isinstance(news, RecordRestored)):
                    take_its_place(tx, self._writebacks, *whose, state.queued, now)
            is_elsewhere = look.is_other or state.may_still_appear
            if is_elsewhere and isinstance(look.found, Found):
                followed.stands_at(tx, row, f"{state.queued.resource_type}/{look.found.resource_id}")
            is_news = news is not None and not isinstance(news, RecordFiled)
            followed.looked(tx, row, now, version, look.reader.under, is_news=is_news)

    def _put_off(self, row: Followed, pause: timedelta) -> None:
        with self._database.write() as tx:
            followed.put_off(tx, row, self._clock(), pause)

    def hasten_chart(self, tenant_id: TenantId, patient: str) -> int:
        """Somebody opened this chart: look at what was filed there in the next sweep. Returns how many there are."""
        with self._database.write() as tx:
            return followed.hasten_chart(tx, tenant_id, patient, self._clock())
