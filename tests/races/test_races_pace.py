"""How fast a tenant's EHR is asked, by every worker together: caps, what the EHR asked for, and the breaker."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import select

from app.db import Database
from app.errors import Fenced
from app.ids import TenantId, WritebackId
from app.outbox import pace as tenant_paces
from app.outbox import rows as outbox
from app.outbox.dead_letters import dead_letters
from app.outbox.pace import BREAKS_AFTER, LONGEST_OPEN_SECONDS, OPEN_SECONDS, Pace
from app.outbox.rows import MOST_CRASHES, Lease, Partition
from app.outbox.tables import outbox as rows
from tests.races.at_once import at_once
from tests.races.conftest import Connect
from vendors.errors import NotFound, NotSent, OutcomeUnknown, Throttled, Unavailable, Unsupported, VendorError

TENANT = TenantId("harbor-epic")
PARTITION, OTHERS = Partition(TENANT, "primary-care"), Partition(TENANT, "emergency")
ELSEWHERE = Partition(TenantId("lakeside-athenaone"), "primary-care")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)


class World:
    """An outbox, a clock, and what was learnt of the EHRs."""

    def __init__(self, database: Database) -> None:
        self.database, self.now, self.names = database, NOW, count()
        self.pace = Pace(database, lambda: self.now, chance=lambda: 0)

    def put(self, partition: Partition = PARTITION, notes: tuple[str, ...] = ("",)) -> None:
        with self.database.write() as tx:
            for note in notes:
                name = WritebackId(f"w{next(self.names)}")
                outbox.put(tx, name, partition, self.now, note_id=note or name)

    def claim(self, most: int = 99, partition: Partition = PARTITION) -> tuple[Lease, ...]:
        with self.database.write() as tx:
            return outbox.claim(tx, partition, self.now, LEASE, most).leases

    def ends(self, error: VendorError | None = None, partition: Partition = PARTITION) -> None:
        """One exchange with the EHR."""
        try:
            with self.pace.exchange(partition.tenant_id):
                if error:
                    raise error
        except VendorError:
            pass

    def finish(self, leases: tuple[Lease, ...], due_at: datetime | None = None) -> None:
        with self.database.write() as tx:
            for lease in leases:
                outbox.release(tx, lease, due_at)

    def rung(self) -> list[Partition]:
        with self.database.read() as tx:
            return list(outbox.due_partitions(tx, self.now))

    def breaks(self) -> None:
        for _ in range(BREAKS_AFTER):
            self.ends(SILENCE)


SILENCE = OutcomeUnknown("epic", "create", status=503)


def asked_for(kind: type[VendorError], seconds: float | None) -> VendorError:
    return kind("epic", "create", status=429, retry_after_seconds=seconds)


@pytest.fixture
def world(connect: Connect) -> World:
    return World(connect())


def test_a_tenant_has_no_more_writes_in_flight_than_it_may_over_all_its_workers(world: World, connect: Connect) -> None:
    """F47: three workers and two workflows at once share one cap."""
    world.put(notes=("",) * 9)
    world.put(OTHERS, notes=("",) * 9)
    others = [World(connect()) for _ in range(2)]

    shares = at_once(lambda: world.claim(4), lambda: others[0].claim(4, OTHERS), lambda: others[1].claim(4))

    assert sum(map(len, shares)) == 4
    assert world.claim(4) == ()
    world.finish(shares[0] + shares[1] + shares[2])
    assert len(world.claim(4)) == 4


def test_a_lease_that_ran_out_no_longer_counts_against_the_cap(world: World) -> None:
    """F05, F32: a worker that died holds nothing up for longer than its lease."""
    world.put(notes=("",) * 3)
    assert len(world.claim(2)) == 2

    world.now += LEASE

    assert len(world.claim(2)) == 2


def test_two_writes_of_one_note_are_never_worked_on_at_once(world: World) -> None:
    """F41, C08: writes of one note go one after the other, in the order in which they became due."""
    world.put(notes=("note-1", "note-1", "note-2", "note-1"))

    first = world.claim()
    assert [lease.writeback_id for lease in first] == ["w0", "w2"]
    assert world.claim() == ()
    world.finish(first)

    assert [lease.writeback_id for lease in world.claim()] == ["w1"]


@pytest.mark.parametrize("kind", [Throttled, OutcomeUnknown, Unavailable])
def test_what_the_ehr_asked_of_one_write_holds_the_tenants_whole_queue(world: World, kind: type[VendorError]) -> None:
    """C16, F12, F13: Retry-After of a 429, and of a 503, stops every worker and workflow of this tenant alone."""
    for partition in (PARTITION, OTHERS, ELSEWHERE):
        world.put(partition)
    world.ends(asked_for(kind, 90))
    world.ends(asked_for(kind, 10))  # a shorter wish never shortens what was asked for

    world.now += timedelta(seconds=89)
    assert (world.claim(), world.claim(partition=OTHERS)) == ((), ())
    assert world.rung() == [ELSEWHERE]
    assert len(world.claim(partition=ELSEWHERE)) == 1

    world.now += timedelta(seconds=1)
    assert set(world.rung()) == {PARTITION, OTHERS}
    assert len(world.claim()) == 1


@pytest.mark.parametrize(
    ("status", "codes"), [(423, ()), (423, ("lock-error",)), (409, ("lock-error",)), (422, ("transient",))]
)
def test_a_chart_that_somebody_has_open_holds_only_what_is_for_it(
    world: World, status: int, codes: tuple[str, ...]
) -> None:
    """C15, F47: "not now" about one resource is an answer; else one locked chart would hold all others for ever."""
    world.put()
    world.ends(Throttled("epic", "create", status=status, issue_codes=codes, retry_after_seconds=60))
    assert len(world.claim()) == 1


def test_a_sweep_of_what_was_filed_leaves_an_ehr_alone_that_asked_for_it(world: World) -> None:
    """C16: Retry-After is about every request to this EHR, and about no other's."""
    world.ends(asked_for(Throttled, 90))
    with world.database.read() as tx:
        assert tenant_paces.left_alone(tx, world.now) == [TENANT]
        assert tenant_paces.left_alone(tx, world.now + timedelta(seconds=90)) == []


def test_an_ehr_that_asks_for_days_is_asked_again_within_the_hour(world: World) -> None:
    """C16: a huge Retry-After is obeyed up to an hour."""
    world.put()
    world.ends(asked_for(Throttled, 86_400 * 30))

    world.now += timedelta(hours=1)

    assert len(world.claim()) == 1


def test_after_enough_silence_nothing_leaves_and_then_one_write_goes_ahead(world: World) -> None:
    """F38: the breaker opens, is half open for one write at a time, and closes with the first answer."""
    world.put(notes=("",) * 5)
    world.breaks()

    assert world.claim() == ()
    world.now += timedelta(seconds=OPEN_SECONDS)
    probe = world.claim()
    assert len(probe) == 1
    assert world.claim() == (), "a second write went ahead while the first was still on its way"

    world.ends(SILENCE)
    world.finish(probe, world.now + timedelta(hours=1))
    world.now += timedelta(seconds=OPEN_SECONDS)
    assert world.claim() == (), "it stays open for longer each time"
    world.now += timedelta(seconds=OPEN_SECONDS)
    assert len(world.claim()) == 1

    world.ends()
    assert len(world.claim()) == 3


def test_the_breaker_never_stays_open_for_long(world: World) -> None:
    """F38: an EHR that was away for hours is found again within minutes; nothing ever expires."""
    world.put()
    for _ in range(40):
        world.ends(SILENCE)
        world.now += timedelta(seconds=LONGEST_OPEN_SECONDS)

    assert len(world.claim()) == 1


@pytest.mark.parametrize(
    ("endings", "is_open"),
    [
        ([SILENCE] * BREAKS_AFTER, True),
        ([NotSent("epic", "create")] * BREAKS_AFTER, True),
        ([Unavailable("epic", "read", status=500)] * BREAKS_AFTER, True),
        ([SILENCE] * (BREAKS_AFTER - 1), False),
        ([*[SILENCE] * (BREAKS_AFTER - 1), None, SILENCE], False),
        ([*[SILENCE] * (BREAKS_AFTER - 1), NotFound("epic", "read", status=404), SILENCE], False),
        ([Unsupported("epic", "create")] * 9, False),
    ],
    ids=["no answer", "no connection", "no reading", "one less", "answered between", "refused between", "ours"],
)
def test_only_silence_in_a_row_opens_the_breaker(
    world: World, endings: list[VendorError | None], is_open: bool
) -> None:
    world.put()
    for ending in endings:
        world.ends(ending)

    assert (world.claim() == ()) is is_open


def test_one_worker_learns_from_what_another_met(world: World, connect: Connect) -> None:
    """F38: failures are counted in the database, and any worker's answer closes the breaker for all."""
    world.put()
    another = World(connect())
    for number in range(BREAKS_AFTER):
        (world, another)[number % 2].ends(SILENCE)
    assert (world.claim(), another.claim()) == ((), ())
    world.now = another.now = NOW + timedelta(seconds=OPEN_SECONDS)

    third = World(connect())
    third.now = world.now
    with third.database.write() as tx:
        claim = outbox.claim(tx, PARTITION, third.now, LEASE)
    third.pace.heed(TENANT, claim.standing)
    third.ends()
    third.finish(claim.leases)

    with world.database.read() as tx:
        assert tenant_paces.troubled(tx, world.now) == []


def test_what_failed_together_does_not_come_again_together(world: World) -> None:
    """F47: a pause is up to a quarter longer, by chance, and never shorter than what was recorded."""
    world.put(notes=("",) * 8)
    chances = iter(number / 8 for number in range(8))
    with world.database.write() as tx:
        leases = outbox.claim(tx, PARTITION, NOW, LEASE, 8, lambda: next(chances)).leases
    world.finish(leases, NOW + timedelta(seconds=80))

    with world.database.read() as tx:
        due = tx.execute(select(rows.c.due_at)).scalars().all()
    assert sorted((when - NOW).total_seconds() for when in due) == [80 + 2.5 * number for number in range(8)]


def test_a_lease_is_renewed_while_its_step_goes_on_but_never_once_it_was_overtaken(world: World) -> None:
    """F32."""
    world.put(notes=("", ""))
    kept, overtaken = world.claim()
    with world.database.write() as tx:
        outbox.wake(tx, overtaken.writeback_id, world.now)

    world.now += LEASE * 0.9
    with world.database.write() as tx:
        outbox.renew(tx, [kept, overtaken], world.now, LEASE)
    world.now += LEASE * 0.9

    with world.database.write() as tx:
        outbox.check_fence(tx, kept, world.now)
    with pytest.raises(Fenced), world.database.write() as tx:
        outbox.check_fence(tx, overtaken, world.now)
    world.now += LEASE
    with world.database.write() as tx:
        outbox.renew(tx, [kept], world.now, LEASE)
    with pytest.raises(Fenced), world.database.write() as tx:
        outbox.check_fence(tx, kept, world.now)


def test_a_row_that_always_breaks_our_code_becomes_a_dead_letter_that_can_be_seen_and_woken(world: World) -> None:
    """F46: dead letters live in the database."""
    world.put()
    deaths = []
    for _ in range(MOST_CRASHES):
        [lease] = world.claim()
        with world.database.write() as tx:
            deaths.append(outbox.stumble(tx, lease, world.now, "KeyError"))
    assert deaths == [False] * (MOST_CRASHES - 1) + [True]

    assert world.claim() == ()
    with world.database.read() as tx:
        assert [(one.writeback_id, one.why) for one in dead_letters(tx)] == [("w0", "KeyError")]
    with world.database.write() as tx:
        outbox.wake(tx, WritebackId("w0"), world.now)
    with world.database.read() as tx:
        assert dead_letters(tx) == []
    assert len(world.claim()) == 1
