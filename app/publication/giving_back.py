"""Giving a launch's tokens back to the EHR: revoked there, erased here, as soon as nothing is left to send under them.

A launch that was ended, or whose time is over, needs its grant only for what was signed in it and is not yet done.
An EHR that does not answer is asked a few times; then the tokens are erased all the same and end by themselves.
Conformance A53; RFC 7009.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select
from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.errors import CountersignError
from app.ids import LaunchId, TenantId, WritebackId
from app.log_lines import place_of
from app.outbox import rows as outbox
from app.outbox.dead_letters import put_aside
from app.outbox.pause import pause
from app.tenants import launch_log
from app.tenants.authorization_servers import AuthorizationServers
from app.tenants.directory import Tenants
from app.tenants.ending import end_launches_of
from app.tenants.events import GrantReturned
from app.tenants.grants import Grants, StoredGrant
from app.tenants.renewal import LEASE
from app.tenants.tables import grants, launches
from app.writebacks.handlers import load
from app.writebacks.state import Stage
from launch.revocation import RevocationFailed

MOST_TRIES = 5
# The sweeper has bells to ring: what is not given back in this time is given back in the next sweep.
LONGEST_RUN = timedelta(seconds=5)
# What cannot be handled at all, such as a grant whose sealing key is gone, is looked at again once in so long.
PUT_OFF_FOR = timedelta(hours=1)
# A write that waits for an administrator for longer than this goes on, if at all, under its signer's next launch.
KEPT_AT_MOST = timedelta(days=7)
# Parked for these, a write goes on under the same grant when an administrator lets it.
GOES_ON_BY_ITSELF = frozenset({"switched_off", "manual"})

log = get_logger()


@dataclass(frozen=True)
class TenantEnded:
    """What ending a tenant came to: launches ended, grants given back, and signed notes that still keep theirs."""

    launches: int
    returned: int
    unfinished: int


class GivingBack:
    """Gives grants back."""

    def __init__(
        self, database: Database, grants: Grants, servers: AuthorizationServers, tenants: Tenants, clock: Clock
    ) -> None:
        self._database = database
        self._grants = grants
        self._servers = servers
        self._tenants = tenants
        self._clock = clock

    def sweep(self) -> int:
        """Give back what is due, for so long as one sweep may take; returns how many grants were erased.

        A tenant whose server fails is left alone until the next sweep: others must not wait for its timeouts.
        """
        until, returned = self._clock() + LONGEST_RUN, 0
        failing: set[str] = set()
        for tenant_id, launch_id in self._due():
            if tenant_id in failing or self._clock() > until:
                continue
            try:
                returned += self._return_apart(tenant_id, launch_id)
            except RevocationFailed:
                failing.add(tenant_id)
        return returned

    def end_tenant(self, tenant_id: TenantId, *, actor: str) -> TenantEnded:
        """End every launch of a tenant that is retired, and give back every grant that nothing needs any more (A53).

        What is still to be filed keeps its grant; the sweeper gives it back later.
        """
        with self._database.write() as tx:
            ended = end_launches_of(tx, tenant_id, actor=actor, now=self._clock())
        returned = 0
        for owner, launch_id in self._due():
            if owner != tenant_id:
                continue
            try:
                returned += self._return_apart(tenant_id, launch_id)
            except RevocationFailed:
                break
        with self._database.read() as tx:
            kept = select(grants.c.launch_id).where(grants.c.tenant_id == tenant_id)
            unfinished = sum(self._count_unfinished(tx, tenant_id, one) for one in tx.execute(kept).scalars().all())
        return TenantEnded(ended, returned, unfinished)

    def _due(self) -> Sequence[tuple[TenantId, LaunchId]]:
        """The grants of launches that are over, and those that the EHR ended, unless somebody is busy with them."""
        now = self._clock()
        over = or_(
            grants.c.ended_for.isnot(None),
            launches.c.launch_id.is_(None),
            launches.c.ended_at.isnot(None),
            launches.c.expires_at <= now,
        )
        query = (
            select(grants.c.tenant_id, grants.c.launch_id)
            .outerjoin(launches, launches.c.launch_id == grants.c.launch_id)
            .where(over, or_(grants.c.return_due_at.is_(None), grants.c.return_due_at <= now))
            .where(or_(grants.c.renewing_until.is_(None), grants.c.renewing_until <= now))
            .order_by(grants.c.expires_at)
        )
        with self._database.read() as tx:
            return [(TenantId(row.tenant_id), LaunchId(row.launch_id)) for row in tx.execute(query)]

    def _return_apart(self, tenant_id: TenantId, launch_id: LaunchId) -> bool:
        """The same as `_return`, but a grant that cannot be handled at all is logged, put off, and stops no other."""
        try:
            return self._return(tenant_id, launch_id)
        except RevocationFailed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stay this grant's
            log.critical(
                "grant_not_returned",
                tenant=tenant_id,
                launch=launch_id,
                error=type(error).__name__,
                place=place_of(error),
            )
            with self._database.write() as tx:
                self._grants.put_off(tx, tenant_id, launch_id, self._clock() + PUT_OFF_FOR)
            return False

    def _return(self, tenant_id: TenantId, launch_id: LaunchId) -> bool:
        """Give one grant back; false when it is still needed. Raises `RevocationFailed` when that is to be repeated."""
        stored = self._taken(tenant_id, launch_id)
        if stored is None:
            return False
        try:
            revoked = self._revoke(stored)
        except RevocationFailed as failure:
            if failure.client_refused:
                log.critical("client_refused", tenant=tenant_id, code="invalid_client")
            if stored.return_tries + 1 < MOST_TRIES:
                self._try_again(stored)
                raise
            log.error("grant_erased_unrevoked", tenant=tenant_id, launch=launch_id, reason=str(failure))
            revoked = False
        return self._erase(stored, revoked=revoked)

    def _taken(self, tenant_id: TenantId, launch_id: LaunchId) -> StoredGrant | None:
        """The grant under its lease, so that nobody renews what is being revoked; None when something needs it."""
        now = self._clock()
        with self._database.write() as tx:
            stored = self._grants.find(tx, tenant_id, launch_id)
            if stored is None or not (stored.ended_for or self._is_not_needed(tx, stored, now)):
                return None
            return stored if self._grants.lease(tx, stored, now, LEASE) else None

    def _is_not_needed(self, tx: Connection, stored: StoredGrant, now: datetime) -> bool:
        query = select(launches.c.ended_at, launches.c.expires_at).where(launches.c.launch_id == stored.launch_id)
        row = tx.execute(query).one_or_none()
        if row is None or (row.ended_at or row.expires_at) + KEPT_AT_MOST <= now:
            return True
        return not self._unfinished(tx, stored.tenant_id, stored.launch_id)

    def _count_unfinished(self, tx: Connection, tenant_id: TenantId, launch_id: str) -> int:
        """How many notes still need this grant; one whose record cannot be read counts, as somebody has to look."""
        try:
            return len(self._unfinished(tx, tenant_id, launch_id))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stay this grant's
            log.critical("unfinished_unknown", tenant=tenant_id, launch=launch_id, error=type(error).__name__)
            return 1

    def _unfinished(self, tx: Connection, tenant_id: TenantId, launch_id: str) -> tuple[WritebackId, ...]:
        """What is left to do under a grant; nobody lets the parked writes of a retired tenant go on."""
        return unfinished_writes(tx, tenant_id, launch_id, is_retired=self._tenants.is_retired(tenant_id))

    def _revoke(self, stored: StoredGrant) -> bool:
        """Whether the EHR revoked it. Tokens are shown to nobody but the EHR that gave them."""
        try:
            tenant = self._tenants.require(stored.tenant_id)
            if tenant.fhir_base != stored.tokens.fhir_base:
                return False
            return self._servers.revoke(tenant, stored.tokens)
        except CountersignError as error:
            raise RevocationFailed(error.code) from error
        except (ValueError, TypeError) as error:  # a registration that does not make sense any more
            log.error(
                "revocation_impossible", tenant=stored.tenant_id, error=type(error).__name__, place=place_of(error)
            )
            raise RevocationFailed("registration") from error

    def _try_again(self, stored: StoredGrant) -> None:
        with self._database.write() as tx:
            self._grants.return_later(tx, stored, self._clock() + pause(stored.return_tries))

    def _erase(self, stored: StoredGrant, *, revoked: bool) -> bool:
        event = GrantReturned(launch_id=stored.launch_id, revoked=revoked)
        with self._database.write() as tx:
            erased = self._grants.erase(tx, stored)
            if erased:
                launch_log.record(
                    tx, stored.tenant_id, stored.launch_id, event, actor=launch_log.SWEEPER, now=self._clock()
                )
        return erased


def unfinished_writes(
    tx: Connection, tenant_id: TenantId, launch_id: str, *, is_retired: bool = False
) -> tuple[WritebackId, ...]:
    """The signed writes of a launch that its grant is still needed for."""
    sent = outbox.sent_under(tx, tenant_id, launch_id)
    asleep = {} if is_retired else put_aside(tx, sent)
    return tuple(
        one
        for one, due_at in sent.items()
        if due_at is not None or one in asleep or (not is_retired and _goes_on(tx, tenant_id, one))
    )


def _goes_on(tx: Connection, tenant_id: TenantId, writeback_id: WritebackId) -> bool:
    state = load(tx, tenant_id, writeback_id)
    return state.stage is Stage.PARKED and state.parked_for in GOES_ON_BY_ITSELF
