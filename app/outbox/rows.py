"""The outbox's rows are the truth about what still has to leave; queue jobs only point here.

A lease decides who works on a row, and its fencing number decides whose result counts: a worker that was paused past
its lease finds that its number has been overtaken and stops. So the numbers of one write-back never repeat: a row that
is done is kept, due never, until a person's command wakes it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import random
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, func, insert, or_, select, update

from app.db import has_own_clock, moment, moment_given
from app.errors import Corrupt, Fenced
from app.ids import TenantId, WritebackId
from app.outbox import pace
from app.outbox.pace import SPREAD, Chance, Standing
from app.outbox.tables import outbox, tenant_pace

# An order of one note and its proposals is a handful of rows; so many are looked at to find enough other notes.
ROWS_OF_A_NOTE = 4
MOST_CRASHES = 5
# Made once: every step of a worker goes through these. `which` and `number` are a lease's write-back and fence.
_PUT = insert(outbox)
_HELD = (
    (outbox.c.writeback_id == bindparam("which"))
    & (outbox.c.fence == bindparam("number"))
    & outbox.c.leased_until.isnot(None)
)
_LEASE = update(outbox).where(outbox.c.writeback_id == bindparam("which"))
_BUSY = select(outbox.c.note_id).where(
    outbox.c.tenant_id == bindparam("whose"), outbox.c.leased_until > bindparam("now")
)
_DUE = (
    select(outbox.c.writeback_id, outbox.c.tenant_id, outbox.c.fence, outbox.c.note_id)
    .where(outbox.c.tenant_id == bindparam("whose"), outbox.c.workflow == bindparam("in_workflow"))
    .where(outbox.c.due_at <= bindparam("now"))
    .where(or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= bindparam("now")))
    .where(outbox.c.note_id.not_in(bindparam("taken", expanding=True)))
    .order_by(outbox.c.due_at, outbox.c.writeback_id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_RELEASE = update(outbox).where(_HELD).values(due_at=bindparam("again_at"), leased_until=None, crashes=0)


@dataclass(frozen=True)
class Partition:
    """What one drain works through: one workflow of one tenant."""

    tenant_id: TenantId
    workflow: str


@dataclass(frozen=True)
class Lease:
    """The right to work on one write-back; `fence` must still be the row's when the result is stored.

    `chance`, from 0 up to 1, says by how much of its quarter a pause is longer that it ends with. `ahead` is by how
    much the clock of whoever claimed it is ahead of the one that machines share.
    """

    writeback_id: WritebackId
    tenant_id: TenantId
    fence: int
    claimed_at: datetime
    chance: float = 0
    ahead: timedelta = timedelta(0)

    def shared(self, now: datetime) -> datetime:
        """`now` by the clock that machines share, so that one may count from what another did (F39)."""
        return now - self.ahead

    def spread(self, due_at: datetime) -> datetime:
        """`due_at`, and a little later where there is a pause until then; never earlier."""
        return due_at + max(due_at - self.claimed_at, timedelta(0)) * (SPREAD * self.chance)


@dataclass(frozen=True)
class Claim:
    """What a worker got, and how the tenant stood."""

    standing: Standing
    leases: tuple[Lease, ...] = ()


def put(
    tx: Connection,
    writeback_id: WritebackId,
    partition: Partition,
    due_at: datetime,
    launch_id: str = "",
    note_id: str = "",
) -> None:
    """Add a write-back of a note, in the transaction that ordered it."""
    put_all(tx, [waiting(writeback_id, partition, due_at, launch_id, note_id)])


def put_all(tx: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Add what `waiting` made, with one statement."""
    if rows:
        tx.execute(_PUT, rows)


def waiting(
    writeback_id: WritebackId, partition: Partition, due_at: datetime, launch_id: str, note_id: str
) -> dict[str, object]:
    """The row of a write-back that waits, for whoever adds many at once."""
    row = {"writeback_id": writeback_id, "tenant_id": partition.tenant_id, "workflow": partition.workflow}
    sent = {"launch_id": launch_id, "note_id": note_id}
    return row | sent | {"due_at": due_at, "waiting_since": due_at, "fence": 0}


def wake(tx: Connection, writeback_id: WritebackId, due_at: datetime, launch_id: str = "") -> None:
    """Make a write-back that was done due again; every lease from before is overtaken by it.

    It goes on under the grant of `launch_id`, where one is given. Raises `Corrupt` when it was never put here: it would
    wait for ever.
    """
    row = update(outbox).where(outbox.c.writeback_id == writeback_id)
    under = {"launch_id": launch_id} if launch_id else {}
    afresh = {"due_at": due_at, "waiting_since": due_at, "crashes": 0, "dead_since": None, "dead_for": None}
    woken = tx.execute(row.values(**afresh, fence=outbox.c.fence + 1, leased_until=None, **under))
    if woken.rowcount != 1:
        raise Corrupt("A write that was never queued cannot go on.")


def hold(tx: Connection, writeback_id: WritebackId) -> bool:
    """Lock a write-back's row until the transaction ends, before anything else of it is locked or read.

    Returns whether something of it is still to be done by a worker.
    """
    row = select(outbox.c.due_at).where(outbox.c.writeback_id == writeback_id).with_for_update()
    return tx.execute(row).scalar_one_or_none() is not None


def overtake(tx: Connection, writeback_id: WritebackId) -> None:
    """Let no lease from before hold any more; when the write-back is due stays as it is."""
    row = update(outbox).where(outbox.c.writeback_id == writeback_id)
    tx.execute(row.values(fence=outbox.c.fence + 1, leased_until=None))


def stop(tx: Connection, writeback_id: WritebackId) -> None:
    """Make a write-back due never; every lease from before is overtaken by it, so that no send can begin under one.

    A person ended it: it is no dead letter any more.
    """
    row = update(outbox).where(outbox.c.writeback_id == writeback_id)
    done = {"due_at": None, "leased_until": None, "dead_since": None, "dead_for": None}
    tx.execute(row.values(**done, fence=outbox.c.fence + 1))


def claim(
    tx: Connection, partition: Partition, now: datetime, lease: timedelta, most: int = 1, chance: Chance = random
) -> Claim:
    """Lease the partition's longest-due free rows, at most one of each note. Commits with the caller's transaction.

    The tenant never has more than `most` rows leased, over all its partitions and workers: one, while its breaker is
    half open, and none while its EHR is left alone. The tenant's pace is locked meanwhile, so that counts are true.
    """
    standing = pace.hold(tx, partition.tenant_id, now)
    if standing.is_held:
        return Claim(standing)
    busy = tx.execute(_BUSY, {"whose": partition.tenant_id, "now": standing.now}).scalars().all()
    wanted = (1 if standing.is_probing else most) - len(busy)
    if wanted <= 0:
        return Claim(standing)
    until = standing.now + lease
    leases = [
        Lease(row.writeback_id, row.tenant_id, row.fence + 1, standing.now, chance(), now - standing.now)
        for row in _due(tx, partition, standing.now, busy, wanted)
    ]
    if leases:
        changed = [{"which": one.writeback_id, "fence": one.fence, "leased_until": until} for one in leases]
        tx.execute(_LEASE, changed)
    return Claim(standing, tuple(leases))


def _due(tx: Connection, partition: Partition, now: datetime, busy: Sequence[str], wanted: int) -> Iterator[Any]:
    """The rows to lease next: the longest-due ones, none of a note that is being worked on, one of each other note."""
    taken = {note for note in busy if note}
    asked = {"whose": partition.tenant_id, "in_workflow": partition.workflow, "now": now, "taken": sorted(taken)}
    for row in tx.execute(_DUE, asked | {"most": wanted * ROWS_OF_A_NOTE}).all():
        if wanted and row.note_id not in taken:
            taken |= {row.note_id} - {""}
            wanted -= 1
            yield row


def renew(tx: Connection, leases: Iterable[Lease], now: datetime, lease: timedelta) -> None:
    """Let the leases that still hold go on from now; one that was ended or overtaken stays so."""
    longer = update(outbox).where(_HELD, outbox.c.leased_until > moment(tx, now))
    until = tx.execute(select(moment(tx, now))).scalar_one() + lease
    which = [{"which": one.writeback_id, "number": one.fence} for one in leases]
    if which:
        tx.execute(longer.values(leased_until=until), which)


def release(tx: Connection, lease: Lease, due_at: datetime | None) -> None:
    """End the lease with the result in the same transaction: due again at `due_at`, or done when None.

    A pause is made a little longer, by the lease's own share, so that what failed together does not come again
    together (F47). Raises `Fenced` when the lease was ended or overtaken; the caller's transaction must then end.
    Whoever changes a write-back overtakes its lease, so one that only ran out may still be ended: nothing has happened
    since.
    """
    ended = {"which": lease.writeback_id, "number": lease.fence, "again_at": due_at and lease.spread(due_at)}
    if tx.execute(_RELEASE, ended).rowcount != 1:
        raise Fenced("Another worker has taken this write over.")


def stumble(tx: Connection, lease: Lease, again_at: datetime, why: str) -> bool:
    """End the lease of a step that ended in an error of ours; True when that was too often: it is a dead letter now.

    A dead letter stays in its row, visible to operations, until it is woken (F46). Raises `Fenced`.
    """
    mine = {"which": lease.writeback_id, "number": lease.fence}
    crashes = tx.execute(select(outbox.c.crashes).where(_HELD).with_for_update(), mine).scalar()
    if crashes is None:
        raise Fenced("Another worker has taken this write over.")
    ended: dict[str, object] = {"crashes": crashes + 1, "leased_until": None, "due_at": again_at}
    is_dead = bool(crashes + 1 >= MOST_CRASHES)
    if is_dead:
        ended |= {"due_at": None, "dead_since": lease.claimed_at, "dead_for": why}
    tx.execute(update(outbox).where(_HELD).values(**ended), mine)
    return is_dead


def check_fence(tx: Connection, lease: Lease, now: datetime) -> None:
    """Raises `Fenced` unless this lease still holds; locks the row until the transaction ends."""
    mine = {"which": lease.writeback_id, "number": lease.fence, "now": now}
    if tx.execute(_still_held(own_clock=has_own_clock(tx)), mine).one_or_none() is None:
        raise Fenced("The lease on this write has ended.")


def sent_under(tx: Connection, tenant_id: TenantId, launch_id: str) -> dict[WritebackId, datetime | None]:
    """The write-backs of one launch's grant, and when each is due: never again by itself, where None."""
    query = select(outbox.c.writeback_id, outbox.c.due_at).where(
        outbox.c.tenant_id == tenant_id, outbox.c.launch_id == launch_id
    )
    return {row.writeback_id: row.due_at for row in tx.execute(query)}


def due_partitions(tx: Connection, now: datetime) -> Iterable[Partition]:
    """Every partition that has a free row due, and whose EHR may be asked now: what a sweep must ring for."""
    held = select(tenant_pace.c.tenant_id).where(tenant_pace.c.held_until > moment(tx, now))
    query = (
        select(outbox.c.tenant_id, outbox.c.workflow)
        .where(or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now))
        .where(outbox.c.due_at <= now, outbox.c.tenant_id.not_in(held))
        .distinct()
    )
    return [Partition(row.tenant_id, row.workflow) for row in tx.execute(query)]


@cache
def _still_held(*, own_clock: bool) -> Select[tuple[int]]:
    held = select(outbox.c.fence).where(_HELD, outbox.c.leased_until > moment_given(own_clock=own_clock))
    return held.with_for_update()


@dataclass(frozen=True)
class Depth:
    """How much waits in one partition: in all, due by now, and since when the first of the due ones is.

    `undelivered` is since when somebody waits for the one that waits longest, due or not.
    """

    partition: Partition
    waiting: int
    due: int
    oldest: datetime | None
    undelivered: datetime | None


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
            func.min(outbox.c.waiting_since).label("undelivered"),
        )
        .where(outbox.c.due_at.isnot(None))
        .group_by(outbox.c.tenant_id, outbox.c.workflow)
        .order_by(outbox.c.tenant_id, outbox.c.workflow)
    )
    return [
        Depth(Partition(row.tenant_id, row.workflow), row.waiting, row.due, row.oldest, row.undelivered)
        for row in tx.execute(query)
    ]
