"""The outbox's rows are the truth about what still has to leave; queue jobs only point here.

A lease decides who works on a row, and its fencing number decides whose result counts: a worker that was paused past
its lease finds that its number has been overtaken and stops. So the numbers of one write-back never repeat: a row that
is done is kept, due never, until a person's command wakes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, case, func, insert, or_, select, update

from app.errors import Corrupt, Fenced
from app.ids import TenantId, WritebackId
from app.outbox.tables import outbox


@dataclass(frozen=True)
class Partition:
    """What one drain works through: one workflow of one tenant."""

    tenant_id: TenantId
    workflow: str


@dataclass(frozen=True)
class Lease:
    """The right to work on one write-back until `until`; `fence` must still be the row's when the result is stored."""

    writeback_id: WritebackId
    tenant_id: TenantId
    fence: int
    until: datetime


def put(tx: Connection, writeback_id: WritebackId, partition: Partition, due_at: datetime, launch_id: str = "") -> None:
    """Add a write-back, due at `due_at`, to be sent under this launch's grant; in the transaction that ordered it."""
    row = {"writeback_id": writeback_id, "tenant_id": partition.tenant_id, "workflow": partition.workflow}
    tx.execute(insert(outbox).values(**row, due_at=due_at, fence=0, launch_id=launch_id))


def wake(tx: Connection, writeback_id: WritebackId, due_at: datetime, launch_id: str = "") -> None:
    """Make a write-back that was done due again; every lease from before is overtaken by it.

    It goes on under the grant of `launch_id`, where one is given. Raises `Corrupt` when it was never put here: it would
    wait for ever.
    """
    row = update(outbox).where(outbox.c.writeback_id == writeback_id)
    under = {"launch_id": launch_id} if launch_id else {}
    woken = tx.execute(row.values(due_at=due_at, fence=outbox.c.fence + 1, leased_until=None, **under))
    if woken.rowcount != 1:
        raise Corrupt("A write that was never queued cannot go on.")


def claim(tx: Connection, partition: Partition, now: datetime, lease: timedelta) -> Lease | None:
    """Lease the partition's longest-due free row; None when nothing is due. Commits with the caller's transaction."""
    query = (
        select(outbox.c.writeback_id, outbox.c.tenant_id, outbox.c.fence)
        .where(outbox.c.tenant_id == partition.tenant_id, outbox.c.workflow == partition.workflow)
        .where(outbox.c.due_at <= now, _free(now))
        .order_by(outbox.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    taken = Lease(row.writeback_id, row.tenant_id, row.fence + 1, now + lease)
    changed = update(outbox).where(outbox.c.writeback_id == row.writeback_id)
    tx.execute(changed.values(fence=taken.fence, leased_until=taken.until))
    return taken


def release(tx: Connection, lease: Lease, due_at: datetime | None) -> None:
    """End the lease with the result in the same transaction: due again at `due_at`, or done when None.

    Raises `Fenced` when the lease was ended or overtaken; the caller's transaction must then end. Whoever changes a
    write-back overtakes its lease, so one that only ran out may still be ended: nothing has happened since.
    """
    changed = tx.execute(update(outbox).where(_held_by(lease)).values(due_at=due_at, leased_until=None))
    if changed.rowcount != 1:
        raise Fenced("Another worker has taken this write over.")


def check_fence(tx: Connection, lease: Lease, now: datetime) -> None:
    """Raises `Fenced` unless this lease still holds; locks the row until the transaction ends."""
    query = select(outbox.c.fence).where(_held_by(lease)).with_for_update()
    if tx.execute(query).one_or_none() is None or lease.until <= now:
        raise Fenced("The lease on this write has ended.")


def sent_under(tx: Connection, tenant_id: TenantId, launch_id: str) -> dict[WritebackId, datetime | None]:
    """The write-backs of one launch's grant, and when each is due: never again by itself, where None."""
    query = select(outbox.c.writeback_id, outbox.c.due_at).where(
        outbox.c.tenant_id == tenant_id, outbox.c.launch_id == launch_id
    )
    return {row.writeback_id: row.due_at for row in tx.execute(query)}


def due_partitions(tx: Connection, now: datetime) -> Iterable[Partition]:
    """Every partition that has a free row due: what a sweep must ring for."""
    query = select(outbox.c.tenant_id, outbox.c.workflow).where(outbox.c.due_at <= now, _free(now)).distinct()
    return [Partition(row.tenant_id, row.workflow) for row in tx.execute(query)]


def _held_by(lease: Lease) -> ColumnElement[bool]:
    mine = (outbox.c.writeback_id == lease.writeback_id) & (outbox.c.fence == lease.fence)
    return mine & outbox.c.leased_until.isnot(None)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now)


@dataclass(frozen=True)
class Depth:
    """How much waits in one partition: in all, due by now, and since when the first of the due ones is."""

    partition: Partition
    waiting: int
    due: int
    oldest: datetime | None


def depths(tx: Connection, now: datetime) -> list[Depth]:
    """Every partition in which something waits: for its time, for a worker, or for the one that has it."""
    is_due = outbox.c.due_at <= now
    query = (
        select(
            outbox.c.tenant_id,
            outbox.c.workflow,
            func.count().label("waiting"),
            func.sum(case((is_due, 1), else_=0)).label("due"),
            func.min(case((is_due, outbox.c.due_at))).label("oldest"),
        )
        .where(outbox.c.due_at.isnot(None))
        .group_by(outbox.c.tenant_id, outbox.c.workflow)
        .order_by(outbox.c.tenant_id, outbox.c.workflow)
    )
    return [
        Depth(Partition(row.tenant_id, row.workflow), row.waiting, row.due, row.oldest) for row in tx.execute(query)
    ]
