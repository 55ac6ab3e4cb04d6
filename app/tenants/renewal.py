"""Renewing a launch's tokens: by one worker at a time, the new pair stored before anybody uses it.

A refresh token is used once; used twice, many servers end everything that came from it. So whoever renews holds a
lease on the grant's row, taken by a conditional update, and no transaction is open while the server is asked. The
others wait a little and go on with the pair that the one brought.

Conformance A48 to A52 and A67; SMART App Launch 2.2, best practices.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection
from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.errors import AddressChanged, ClientRefused, NeedsSignIn, NotRenewed
from app.ids import LaunchId, TenantId
from app.tenants import launch_log, launches
from app.tenants.authorization_servers import AuthorizationServers
from app.tenants.events import GrantEnded, GrantRenewed
from app.tenants.grants import ENDED, Grants, OpenGrant, StoredGrant
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from launch import refresh
from launch.refresh import AnswerLost, Refreshed, RefreshFailed

# Longer than two requests with all their timeouts, so that a lease that has run out belongs to a process that died.
LEASE = timedelta(seconds=90)
# After a server that was away nobody asks again at once; a page or a worker that comes later does.
REST = timedelta(seconds=5)
WAITS, WAIT_SECONDS = 40, 0.25
INVALID_GRANT = "invalid_grant"
UNANSWERED = "unanswered"
AWAY = "The EHR could not be asked to renew your access."

log = get_logger()


class Renewal:
    """Hands out tokens that can be used now, renewed where they must be."""

    def __init__(
        self,
        database: Database,
        grants: Grants,
        servers: AuthorizationServers,
        clock: Clock,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._grants = grants
        self._servers = servers
        self._clock = clock
        self._wait = wait

    def usable(self, tenant: Tenant, launch_id: LaunchId) -> OpenGrant:
        """The launch's tokens, renewed when the access token is about to end.

        Raises `NeedsSignIn` when only the clinician can bring new ones, `AddressChanged` when they were granted for
        another address than the tenant's present one, `NotRenewed` and `ClientRefused` when it is not known yet.
        """
        return self.fresh(tenant, self._stored(tenant, launch_id))

    def fresh(self, tenant: Tenant, stored: StoredGrant) -> OpenGrant:
        """The same for tokens that `of` found."""
        return stored.tokens if stored.tokens.outlives_a_request(self._clock()) else self._renewed(tenant, stored)

    def after_refusal(self, tenant: Tenant, launch_id: LaunchId, refused: str) -> OpenGrant:
        """The tokens to use instead of an access token that the EHR refused (A67). Raises as `usable` does."""
        stored = self._stored(tenant, launch_id)
        return stored.tokens if stored.tokens.access_token != refused else self._renewed(tenant, stored)

    def _renewed(self, tenant: Tenant, seen: StoredGrant) -> OpenGrant:
        if seen.tokens.refresh_token is None:
            raise NeedsSignIn(ENDED)
        for _ in range(WAITS):
            if self._lease(seen):
                return self._renew(tenant, seen)
            self._wait(WAIT_SECONDS)
            stored = self._stored(tenant, seen.launch_id)
            if stored.renewals > seen.renewals:
                return stored.tokens
        raise NotRenewed(AWAY)

    def _stored(self, tenant: Tenant, launch_id: LaunchId) -> StoredGrant:
        with self._database.read() as tx:
            return self.of(tx, tenant, launch_id)

    def of(self, tx: Connection, tenant: Tenant, launch_id: LaunchId) -> StoredGrant:
        """The launch's tokens as they are stored.

        Raises `NeedsSignIn` when they have ended, `AddressChanged` when they were granted for another address.
        """
        stored = self._grants.require(tx, TenantId(tenant.id), launch_id)
        if stored.tokens.fhir_base != tenant.fhir_base:
            raise AddressChanged("The EHR has another address now than when this chart was opened.")
        return stored

    def _lease(self, seen: StoredGrant) -> bool:
        now = self._clock()
        with self._database.write() as tx:
            return self._grants.lease(tx, seen, now, LEASE)

    def _renew(self, tenant: Tenant, seen: StoredGrant) -> OpenGrant:
        with self._database.read() as tx:
            launch = launches.find(tx, seen.launch_id)
        try:
            refreshed = self._ask(tenant, launch, seen)
        except refresh.GrantEnded as refusal:
            if refusal.reason != INVALID_GRANT:
                log.error("grant_refused", tenant=tenant.id, launch=seen.launch_id, code=refusal.reason)
            raise self._end(seen, refusal.reason) from None
        except AnswerLost:
            raise self._end(seen, UNANSWERED) from None
        except RefreshFailed as failure:
            raise self._put_off(tenant, seen, failure) from None
        return self._keep(seen, refreshed)

    def _ask(self, tenant: Tenant, launch: Launch, seen: StoredGrant) -> Refreshed:
        """Ask, and once more when the answer was lost; the second request has an assertion of its own (A51)."""
        try:
            return self._servers.refresh(tenant, launch, seen.tokens)
        except AnswerLost as lost:
            log.warning("renewal_unanswered", tenant=tenant.id, launch=seen.launch_id, reason=lost.reason)
            return self._servers.refresh(tenant, launch, seen.tokens)

    def _keep(self, seen: StoredGrant, refreshed: Refreshed) -> OpenGrant:
        """Commit the new pair, and only then hand it out."""
        grant, now = refreshed.grant, self._clock()
        tokens = OpenGrant(grant.access_token, grant.refresh_token, grant.expires_at, seen.tokens.fhir_base)
        event: GrantRenewed | GrantEnded = GrantRenewed(
            launch_id=seen.launch_id, renewals=seen.renewals + 1, expires_at=grant.expires_at
        )
        if refreshed.ended_for:
            event = GrantEnded(launch_id=seen.launch_id, reason=refreshed.ended_for)
        with self._database.write() as tx:
            if not self._grants.renew(tx, seen, tokens, refreshed.ended_for):
                raise NotRenewed(AWAY)
            launch_log.record(tx, seen.tenant_id, seen.launch_id, event, actor=launch_log.RENEWAL, now=now)
        if refreshed.ended_for:
            log.error("grant_changed", tenant=seen.tenant_id, launch=seen.launch_id, reason=refreshed.ended_for)
            raise NeedsSignIn("The EHR does not give the same access any more as when this chart was opened.")
        return tokens

    def _end(self, seen: StoredGrant, reason: str) -> NeedsSignIn:
        event = GrantEnded(launch_id=seen.launch_id, reason=reason)
        with self._database.write() as tx:
            if self._grants.end(tx, seen, reason):
                launch_log.record(
                    tx, seen.tenant_id, seen.launch_id, event, actor=launch_log.RENEWAL, now=self._clock()
                )
        return NeedsSignIn(ENDED)

    def _put_off(self, tenant: Tenant, seen: StoredGrant, failure: RefreshFailed) -> NotRenewed | ClientRefused:
        with self._database.write() as tx:
            self._grants.rest(tx, seen, self._clock(), REST)
        if isinstance(failure, refresh.ClientRefused):
            log.critical("client_refused", tenant=tenant.id, code="invalid_client")
            return ClientRefused("The EHR does not accept Countersign's own sign-in, so your access was not renewed.")
        log.warning("not_renewed", tenant=tenant.id, launch=seen.launch_id, reason=failure.reason)
        return NotRenewed(AWAY)
