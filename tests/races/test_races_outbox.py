"""Several workers on the outbox at once: a lease decides who works, its fence decides whose result counts."""

from datetime import UTC, datetime, timedelta

import pytest

from app.db import Database
from app.errors import Corrupt, Fenced
from app.ids import TenantId, WritebackId
from app.outbox import rows as outbox
from app.outbox.rows import Lease, Partition
from tests.races.at_once import at_once
from tests.races.conftest import Connect

PARTITION = Partition(TenantId("harbor-epic"), "primary-care")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)


def put(database: Database, *names: str) -> None:
    with database.write() as tx:
        for name in names:
            outbox.put(tx, WritebackId(name), PARTITION, NOW)


def claim(database: Database, now: datetime = NOW) -> Lease | None:
    with database.write() as tx:
        return next(iter(outbox.claim(tx, PARTITION, now, LEASE).leases), None)


def finish(database: Database) -> Lease:
    lease = claim(database)
    assert lease is not None
    with database.write() as tx:
        outbox.release(tx, lease, None)
    return lease


def wake(database: Database) -> None:
    with database.write() as tx:
        outbox.wake(tx, WritebackId("w1"), NOW)


def test_of_many_workers_that_claim_the_same_row_one_gets_it(connect: Connect) -> None:
    """F04."""
    workers = [connect() for _ in range(5)]
    put(workers[0], "w1")

    leases = at_once(*(lambda worker=worker: claim(worker) for worker in workers))

    assert sorted(lease is not None for lease in leases) == [False] * 4 + [True]


def test_many_workers_share_the_rows_and_none_gets_one_twice(connect: Connect) -> None:
    """F04."""
    names = [f"w{number}" for number in range(12)]
    workers = [connect() for _ in range(4)]
    put(workers[0], *names)

    def claim_all(worker: Database) -> list[str]:
        """Each time one more may be in flight than the time before."""
        taken: list[str] = []
        for most in range(1, len(names) + 1):
            with worker.write() as tx:
                taken += [lease.writeback_id for lease in outbox.claim(tx, PARTITION, NOW, LEASE, most).leases]
        return taken

    taken = at_once(*(lambda worker=worker: claim_all(worker) for worker in workers))

    assert sorted(name for share in taken for name in share) == sorted(names)


def test_a_lease_that_has_ended_can_be_taken_over_with_a_higher_fence(connect: Connect) -> None:
    database = connect()
    put(database, "w1")
    first = claim(database)

    assert first is not None
    assert claim(database, NOW + LEASE - timedelta(seconds=1)) is None
    second = claim(database, NOW + LEASE)

    assert second is not None
    assert second.fence == first.fence + 1


@pytest.mark.parametrize("due_at", [None, NOW + timedelta(minutes=1)], ids=["done", "due again"])
def test_a_worker_with_an_overtaken_fence_cannot_end_the_others_lease(
    connect: Connect, due_at: datetime | None
) -> None:
    """F32, F36."""
    database = connect()
    put(database, "w1")
    zombie = claim(database)
    successor = claim(database, NOW + LEASE)
    assert zombie is not None
    assert successor is not None

    with pytest.raises(Fenced), database.write() as tx:
        outbox.release(tx, zombie, due_at)
    with pytest.raises(Fenced), database.write() as tx:
        outbox.check_fence(tx, zombie, NOW)

    with database.write() as tx:
        outbox.check_fence(tx, successor, NOW + LEASE)
        outbox.release(tx, successor, None)


def test_a_worker_whose_own_lease_has_ended_stops_even_when_nobody_took_over(connect: Connect) -> None:
    """F32."""
    database = connect()
    put(database, "w1")
    lease = claim(database)
    assert lease is not None

    with pytest.raises(Fenced), database.write() as tx:
        outbox.check_fence(tx, lease, NOW + LEASE)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_leases_go_by_the_databases_clock_and_not_by_a_workers(connect: Connect) -> None:
    """F39: the clock of one machine is a day ahead, that of another a day behind; neither takes a lease that holds."""
    shared = Database(connect().engine, own_clock=True)
    with shared.write() as tx:
        outbox.put(tx, WritebackId("w1"), PARTITION, datetime.now(UTC) - timedelta(minutes=1))

    lease = claim(shared, datetime.now(UTC) - timedelta(days=1))

    assert lease is not None
    assert claim(shared, datetime.now(UTC) + timedelta(days=1)) is None
    with shared.write() as tx:
        outbox.check_fence(tx, lease, datetime.now(UTC) + timedelta(days=1))


def test_what_is_done_is_neither_swept_nor_claimed_until_it_is_woken(connect: Connect) -> None:
    database = connect()
    put(database, "w1")
    finish(database)

    assert claim(database, NOW + timedelta(days=1)) is None
    with database.read() as tx:
        assert outbox.due_partitions(tx, NOW + timedelta(days=1)) == []

    wake(database)

    with database.read() as tx:
        assert outbox.due_partitions(tx, NOW) == [PARTITION]
    assert claim(database) is not None


def test_fences_of_one_write_never_repeat_when_it_is_done_and_woken(connect: Connect) -> None:
    database = connect()
    put(database, "w1")

    fences = []
    for _ in range(3):
        fences.append(finish(database).fence)
        wake(database)

    assert fences == sorted(set(fences))


@pytest.mark.parametrize("due_at", [None, NOW + timedelta(minutes=1)], ids=["done", "due again"])
def test_a_worker_from_before_the_write_was_done_and_woken_ends_nothing(
    connect: Connect, due_at: datetime | None
) -> None:
    database = connect()
    put(database, "w1")
    zombie = claim(database)
    assert zombie is not None
    assert claim(database, NOW + LEASE) is not None  # the successor, which parks the write
    with database.write() as tx:
        outbox.wake(tx, WritebackId("w1"), NOW)

    with pytest.raises(Fenced), database.write() as tx:
        outbox.release(tx, zombie, due_at)

    assert claim(database) is not None


def test_a_lease_from_before_the_waking_ends_even_when_nobody_claimed_since(connect: Connect) -> None:
    database = connect()
    put(database, "w1")
    before = claim(database)
    assert before is not None
    wake(database)

    with pytest.raises(Fenced), database.write() as tx:
        outbox.release(tx, before, None)
    with pytest.raises(Fenced), database.write() as tx:
        outbox.check_fence(tx, before, NOW)

    assert claim(database) is not None


def test_a_lease_ends_once(connect: Connect) -> None:
    database = connect()
    put(database, "w1")
    lease = finish(database)

    with pytest.raises(Fenced), database.write() as tx:
        outbox.release(tx, lease, NOW)
    with pytest.raises(Fenced), database.write() as tx:
        outbox.check_fence(tx, lease, NOW)


def test_a_write_that_was_never_put_cannot_be_woken(connect: Connect) -> None:
    with pytest.raises(Corrupt):
        wake(connect())
