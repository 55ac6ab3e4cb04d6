"""The rows of what was filed: when each is looked at next, and what the last look found.

The looks grow apart: what was edited is mostly edited soon. Whoever learns that something may have changed, by a notice
of the EHR or because a chart was opened, makes the rows due at once; that costs a read and can do no harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest

from sqlalchemy import ColumnElement, Connection, case, func, literal, select, update

from app.db import UTCDateTime, upsert
from app.ids import TenantId, WritebackId
from app.reconciliation.tables import followed as table
from app.writebacks.handlers import load

FIRST_LOOK = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(days=30)
# For so long a look may take; a sweeper that died leaves it due again after this.
UNDER_WAY = timedelta(minutes=5)


@dataclass(frozen=True)
class Followed:
    """One filed resource and what is known of its looks."""

    writeback_id: WritebackId
    tenant_id: TenantId
    checks: int
    absences: int


def pause(checks: int) -> timedelta:
    """How long after so many looks the next one comes: twice as long each time, up to a month."""
    doubling: int = 2 ** min(checks, 20)
    return min(FIRST_LOOK * doubling, LONGEST_PAUSE)


def follow(
    tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, patient: str, resource: str, now: datetime
) -> None:
    """Look at `resource` from now on, in the transaction that found it in the chart."""
    values = {"patient": patient, "resource": resource, "next_at": now + FIRST_LOOK, "checks": 0, "absences": 0}
    upsert(tx, table, [{"writeback_id": writeback_id, "tenant_id": tenant_id, **values}])


def seek(tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, now: datetime) -> None:
    """Look for it from now on, in the transaction that stopped or ended it, if the EHR may show it yet.

    What is looked for already goes on in its own rhythm, so that one which stops again and again does so ever more
    seldom.
    """
    state = load(tx, tenant_id, writeback_id)
    is_sought = (table.c.writeback_id == writeback_id) & table.c.next_at.isnot(None)
    if state.may_still_appear and not tx.execute(select(table.c.writeback_id).where(is_sought)).first():
        order = state.queued
        follow(tx, tenant_id, writeback_id, order.patient, f"{order.resource_type}/{state.resource_id or ''}", now)


def due(tx: Connection, now: datetime, most: int) -> list[Followed]:
    """What is to be looked at now, at most so many of each tenant, and of the tenants in turn.

    A sweep ends when its time is over: a large backlog of one must not take all of it, sweep after sweep.
    """
    waits = select(table.c.tenant_id).where(table.c.next_at <= now).group_by(table.c.tenant_id)
    tenants = tx.execute(waits.order_by(func.min(table.c.next_at), table.c.tenant_id)).scalars().all()
    found = [_rows(tx, (table.c.tenant_id == one) & (table.c.next_at <= now), most) for one in tenants]
    return [row for turn in zip_longest(*found) for row in turn if row]


def take(tx: Connection, row: Followed, now: datetime) -> bool:
    """Whether this sweeper is the one that looks; another that comes meanwhile leaves it alone."""
    mine = (table.c.writeback_id == row.writeback_id) & (table.c.next_at <= now)
    return tx.execute(update(table).where(mine).values(next_at=now + UNDER_WAY)).rowcount == 1


def looked(
    tx: Connection, row: Followed, now: datetime, version: str | None, read_under: str, *, is_news: bool
) -> None:
    """Note a look that was answered; after news the looks come close again.

    Whoever learnt during the look that something changed made it due: it is looked at again, because the answer may be
    from before.
    """
    checks = 0 if is_news else row.checks + 1
    seen = {"last_version": version, "last_read_at": now, "read_under": read_under}
    _change(tx, row, next_at=_unless_hastened(now, now + pause(checks)), checks=checks, absences=0, **seen)


def look_soon(tx: Connection, writeback_id: WritebackId, now: datetime) -> None:
    """Another write took its place: whether the EHR shows it so is looked at, also where somebody looks just now."""
    which = (table.c.writeback_id == writeback_id) & table.c.next_at.isnot(None)
    tx.execute(update(table).where(which).values(next_at=now, checks=0, absences=0))


def absent(tx: Connection, row: Followed, now: datetime) -> None:
    """Note that it was not there, which counts only when it is so once more after a while."""
    _change(tx, row, next_at=_unless_hastened(now, now + FIRST_LOOK), absences=row.absences + 1, last_read_at=now)


def stands_at(tx: Connection, row: Followed, resource: str) -> None:
    """Of two copies this one counts now: what the EHR says of it makes the row due."""
    _change(tx, row, resource=resource)


def put_off(tx: Connection, row: Followed, now: datetime, pause: timedelta) -> None:
    """Leave it alone for so long; nothing was learnt. Not where somebody learnt meanwhile that it can be read now."""
    _change(tx, row, next_at=_unless_hastened(now, now + pause))


def end(tx: Connection, row: Followed) -> None:
    """Look no more: another write took its place, or a person ended it."""
    _change(tx, row, next_at=None)


def hasten_chart(tx: Connection, tenant_id: TenantId, patient: str, now: datetime) -> int:
    """Somebody opened this patient's chart: what was filed there can be read now. Returns how many rows."""
    return _hasten(tx, (table.c.tenant_id == tenant_id) & (table.c.patient == patient), now)


def hasten_resource(tx: Connection, tenant_id: TenantId, resource: str, now: datetime) -> int:
    """The EHR says that this resource changed. Returns how many rows."""
    return _hasten(tx, (table.c.tenant_id == tenant_id) & (table.c.resource == resource), now)


def hasten_tenant(tx: Connection, tenant_id: TenantId, now: datetime) -> int:
    """Somebody wants to know how everything stands. Returns how many rows."""
    return _hasten(tx, table.c.tenant_id == tenant_id, now)


def hasten_write(tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, now: datetime) -> int:
    """A person asks for another look. Returns how many rows."""
    return _hasten(tx, (table.c.tenant_id == tenant_id) & (table.c.writeback_id == writeback_id), now)


def read_under(tx: Connection, writeback_id: WritebackId) -> tuple[str, datetime | None]:
    """Whose right to read the last answered look had, and when it was; empty before the first."""
    query = select(table.c.read_under, table.c.last_read_at).where(table.c.writeback_id == writeback_id)
    row = tx.execute(query).one_or_none()
    return (row.read_under, row.last_read_at) if row else ("", None)


def _hasten(tx: Connection, which: ColumnElement[bool], now: datetime) -> int:
    """The rows are locked in one order: of two who hasten some of the same ones, one simply waits."""
    later = select(table.c.writeback_id).where(which, table.c.next_at > now)
    locked = later.order_by(table.c.writeback_id).with_for_update().scalar_subquery()
    return tx.execute(update(table).where(table.c.writeback_id.in_(locked)).values(next_at=now)).rowcount


def _unless_hastened(now: datetime, later: datetime) -> ColumnElement[datetime]:
    """`later`, for a row that was taken; one that is due already was hastened since, or its look took too long."""
    return case((table.c.next_at <= now, table.c.next_at), else_=literal(later, UTCDateTime()))


def _rows(tx: Connection, which: ColumnElement[bool], most: int) -> Sequence[Followed]:
    columns = (table.c.writeback_id, table.c.tenant_id, table.c.checks, table.c.absences)
    query = select(*columns).where(which).order_by(table.c.next_at).limit(most)
    return [
        Followed(WritebackId(row.writeback_id), TenantId(row.tenant_id), row.checks, row.absences)
        for row in tx.execute(query)
    ]


def _change(tx: Connection, row: Followed, **values: object) -> None:
    tx.execute(update(table).where(table.c.writeback_id == row.writeback_id).values(**values))
