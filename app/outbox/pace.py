"""How fast a tenant's EHR may be asked: what it asked for itself, and a breaker for when it does not answer.

One row for each tenant, so that every worker keeps the same pace. `Retry-After` holds the tenant's whole queue, not the
one write that was told (C16, F12, F13). So does the breaker: after so many exchanges in a row without a usable answer
nothing leaves for a while, then one write goes ahead to see, and the others follow when it was answered (F38, F47).
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, func, or_, select, update
from structlog import get_logger

from app.clock import Clock
from app.db import Database, has_own_clock, insert_if_absent, moment, moment_given
from app.ids import TenantId
from app.outbox.pause import FIRST_PAUSE_SECONDS, LONGEST_ASKED_FOR_SECONDS
from app.outbox.tables import tenant_pace
from vendors import errors
from vendors.errors import VendorError

BREAKS_AFTER = 5
OPEN_SECONDS = 15
LONGEST_OPEN_SECONDS = 300
ASKED, BREAKER = "asked", "breaker"
# HTTP: this resource is locked (RFC 4918 11.3); too many requests (RFC 6585 4). FHIR issue codes that say the former.
LOCKED, TOO_MANY = 423, 429
OF_ONE_CHART = frozenset({"lock-error", "transient"})
# A number from 0 up to 1: by how much of its quarter a pause is longer. A simulation gives its own.
Chance = Callable[[], float]
SPREAD = 0.25

log = get_logger()


class Sign(StrEnum):
    """What a failed exchange says about the EHR as a whole."""

    ANSWERS = "answers"
    SILENT = "silent"
    BUSY = "busy"
    NOTHING = "nothing"


SIGNS: dict[type[VendorError], Sign] = {
    errors.Unsupported: Sign.NOTHING,
    errors.NotSent: Sign.SILENT,
    errors.EgressBlocked: Sign.NOTHING,
    errors.Throttled: Sign.BUSY,
    errors.TokenNotRenewed: Sign.NOTHING,
    errors.Rejected: Sign.ANSWERS,
    errors.InvalidResource: Sign.NOTHING,  # our own check says it too
    errors.TokenRefused: Sign.ANSWERS,
    errors.NotAuthorized: Sign.ANSWERS,
    errors.NotFound: Sign.ANSWERS,
    errors.VersionConflict: Sign.ANSWERS,
    errors.OutcomeUnknown: Sign.SILENT,
    errors.Unavailable: Sign.SILENT,
}


def _kinds(root: type[VendorError]) -> set[type[VendorError]]:
    return {root} | {kind for child in root.__subclasses__() for kind in _kinds(child)}


if missing := _kinds(VendorError) - {VendorError} - SIGNS.keys():
    raise TypeError(f"these vendor errors say nothing about the EHR: {sorted(kind.__name__ for kind in missing)}")


@dataclass(frozen=True)
class Standing:
    """A tenant's pace as its row says: `now` is the moment at which it was read, by the clock that leases go by."""

    now: datetime
    held_until: datetime | None
    failures: int

    @property
    def is_held(self) -> bool:
        """Whether nothing may be asked of this EHR at the moment."""
        return self.held_until is not None and self.held_until > self.now

    @property
    def is_probing(self) -> bool:
        """Whether one write goes ahead alone, to see whether the EHR answers again."""
        return self.failures >= BREAKS_AFTER


def hold(tx: Connection, tenant_id: str, now: datetime) -> Standing:
    """The tenant's pace; its row is locked until the transaction ends, so that a cap can be counted against it."""
    query, asked = _standing(own_clock=has_own_clock(tx)), {"whose": tenant_id, "now": now}
    row = tx.execute(query, asked).one_or_none()
    if row is None:
        insert_if_absent(tx, tenant_pace, {"tenant_id": tenant_id})
        row = tx.execute(query, asked).one()
    return Standing(row.now, row.held_until, row.failures)


@cache
def _standing(*, own_clock: bool) -> Select[Any]:
    query = select(tenant_pace, moment_given(own_clock=own_clock).label("now"))
    return query.where(tenant_pace.c.tenant_id == bindparam("whose")).with_for_update()


class Pace:
    """Learns from every exchange with an EHR how its tenant stands."""

    def __init__(self, database: Database, clock: Clock, chance: Chance = random.random) -> None:
        self._database = database
        self._clock = clock
        self._chance = chance
        self._troubled: set[str] = set()

    def heed(self, tenant_id: str, standing: Standing) -> None:
        """Remember from a claim that this EHR was in trouble, so that its next answer is worth a row."""
        if standing.failures:
            self._troubled.add(tenant_id)

    @contextmanager
    def exchange(self, tenant_id: TenantId) -> Iterator[None]:
        """Around one exchange with the tenant's EHR: learns from its end, and raises what it raised."""
        try:
            yield
        except VendorError as error:
            self._failed(tenant_id, error)
            raise
        self._answered(tenant_id)

    def _failed(self, tenant_id: TenantId, error: VendorError) -> None:
        sign = Sign.ANSWERS if is_about_one_chart(error) else SIGNS[type(error)]
        if sign is Sign.ANSWERS:
            self._answered(tenant_id)
        if sign is Sign.SILENT:
            self._was_silent(tenant_id)
        if sign in (Sign.BUSY, Sign.SILENT) and (sign is Sign.BUSY or error.retry_after_seconds):
            seconds = min(error.retry_after_seconds or FIRST_PAUSE_SECONDS, LONGEST_ASKED_FOR_SECONDS)
            self._keep_away(tenant_id, timedelta(seconds=seconds))

    def _answered(self, tenant_id: TenantId) -> None:
        """It answers: the breaker closes. Costs nothing while the EHR is well."""
        if tenant_id not in self._troubled:
            return
        opened = tenant_pace.c.held_for == BREAKER
        with self._database.write() as tx:
            tx.execute(
                update(tenant_pace)
                .where(tenant_pace.c.tenant_id == tenant_id, tenant_pace.c.failures > 0)
                .values(
                    failures=0,
                    failing_since=None,
                    held_until=case((opened, None), else_=tenant_pace.c.held_until),
                    held_for=case((opened, ""), else_=tenant_pace.c.held_for),
                )
            )
        self._troubled.discard(tenant_id)

    def _was_silent(self, tenant_id: TenantId) -> None:
        self._troubled.add(tenant_id)
        row = tenant_pace.c.tenant_id == tenant_id
        with self._database.write() as tx:
            standing = hold(tx, tenant_id, self._clock())
            if standing.is_held:
                return  # sent before the others' failures were known: it says nothing new
            failures = standing.failures + 1
            since = func.coalesce(tenant_pace.c.failing_since, moment(tx, standing.now))
            tx.execute(update(tenant_pace).where(row).values(failures=failures, failing_since=since))
            if failures < BREAKS_AFTER:
                return
            until = standing.now + open_for(failures, self._chance())
            tx.execute(update(tenant_pace).where(row).values(held_until=until, held_for=BREAKER))
        log.error("breaker_open", tenant=tenant_id, count=failures)

    def _keep_away(self, tenant_id: TenantId, wait: timedelta) -> None:
        with self._database.write() as tx:
            standing = hold(tx, tenant_id, self._clock())
            until = standing.now + wait
            if standing.held_until is None or standing.held_until < until:
                row = update(tenant_pace).where(tenant_pace.c.tenant_id == tenant_id)
                tx.execute(row.values(held_until=until, held_for=ASKED))


def is_about_one_chart(error: VendorError) -> bool:
    """Whether it says "not now" of this one resource: a chart that somebody has open must not hold all others (C15)."""
    is_one = error.status == LOCKED or (error.status != TOO_MANY and bool(OF_ONE_CHART & set(error.issue_codes)))
    return is_one and isinstance(error, errors.Throttled)


def open_for(failures: int, chance: float) -> timedelta:
    """How long the breaker stays open after so many failures in a row: twice as long each time, spread, capped."""
    seconds = min(OPEN_SECONDS * 2 ** min(failures - BREAKS_AFTER, 8), LONGEST_OPEN_SECONDS)
    return timedelta(seconds=seconds * (1 + SPREAD * chance))


@dataclass(frozen=True)
class Held:
    """A tenant whose EHR is left alone, for whoever watches: why, until when, and since when it has been failing."""

    tenant_id: str
    why: str
    until: datetime | None
    failures: int
    failing_since: datetime | None


def left_alone(tx: Connection, now: datetime) -> list[str]:
    """The tenants whose EHR may not be asked at `now`."""
    is_held = tenant_pace.c.held_until > moment(tx, now)
    return list(tx.execute(select(tenant_pace.c.tenant_id).where(is_held)).scalars())


def troubled(tx: Connection, now: datetime) -> list[Held]:
    """Every tenant whose EHR is held at `now`, or did not answer last."""
    is_held = tenant_pace.c.held_until > moment(tx, now)
    query = select(tenant_pace).where(or_(is_held, tenant_pace.c.failures > 0)).order_by(tenant_pace.c.tenant_id)
    return [
        Held(row.tenant_id, row.held_for, row.held_until, row.failures, row.failing_since) for row in tx.execute(query)
    ]
