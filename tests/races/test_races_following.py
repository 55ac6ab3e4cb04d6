"""Several sweepers and several notices at once: one looks, one is new; and a large backlog starves nobody."""

from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import select

from app.db import Database
from app.ids import TenantId, WritebackId
from app.reconciliation import followed
from app.reconciliation.notices import Notices
from app.reconciliation.tables import followed as table
from app.reconciliation.tables import notices
from tests.races.at_once import at_once, wait_until_somebody_waits
from tests.races.conftest import Connect

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
MINE, OTHERS = TenantId("harbor-epic"), TenantId("lakeside-athenaone")


def follow(database: Database, tenant_id: TenantId, *names: str) -> None:
    with database.write() as tx:
        for name in names:
            followed.follow(tx, tenant_id, WritebackId(name), "Patient/1", f"DocumentReference/{name}", NOW)


def test_of_two_sweepers_one_looks(connect: Connect) -> None:
    """F04: and one that died in its look leaves it due again after a while."""
    databases = [connect(), connect()]
    follow(databases[0], MINE, "a")
    with databases[0].read() as tx:
        (row,) = followed.due(tx, LATER, 5)

    def take(database: Database) -> bool:
        with database.write() as tx:
            return followed.take(tx, row, LATER)

    taken = at_once(*(lambda one=one: take(one) for one in databases))
    assert sorted(taken) == [False, True]
    with databases[0].read() as tx:
        assert followed.due(tx, LATER + timedelta(minutes=1), 5) == []
        assert followed.due(tx, LATER + followed.UNDER_WAY, 5) == [row]


def test_a_large_backlog_of_one_tenant_starves_no_other(connect: Connect) -> None:
    database = connect()
    follow(database, MINE, *(f"mine-{number}" for number in range(30)))
    follow(database, OTHERS, "theirs")
    with database.read() as tx:
        rows = followed.due(tx, LATER, 20)
    assert [one.tenant_id for one in rows].count(MINE) == 20
    assert [one.writeback_id for one in rows if one.tenant_id == OTHERS] == ["theirs"]


def test_a_sweep_looks_for_every_tenant_in_turn(connect: Connect) -> None:
    """I7: it may end after any look; whose first row waits longest comes first."""
    database = connect()
    follow(database, OTHERS, "a", "b", "c")
    follow(database, MINE, "d", "e")
    with database.write() as tx:
        followed.hasten_write(tx, MINE, WritebackId("e"), NOW)
    with database.read() as tx:
        rows = followed.due(tx, LATER, 20)
    assert [one.tenant_id for one in rows] == [MINE, OTHERS, MINE, OTHERS, OTHERS]


def test_a_notice_that_comes_during_a_look_is_not_lost(connect: Connect) -> None:
    """F31: what was being read then may be from before; the next look could else be a month away."""
    database = connect()
    follow(database, MINE, "a", "b", "c")
    with database.write() as tx:
        first, second, third = followed.due(tx, LATER, 5)
        for one in (first, second, third):
            assert followed.take(tx, one, LATER)
        assert followed.hasten_chart(tx, MINE, "Patient/1", LATER) == 3
        followed.looked(tx, first, LATER, "1", "signer", is_news=False)
        followed.absent(tx, second, LATER)
        followed.put_off(tx, third, LATER, timedelta(days=1))  # nobody might read it before the chart was opened
        assert {one.writeback_id for one in followed.due(tx, LATER, 5)} == {"a", "b", "c"}


def test_the_looks_grow_apart_up_to_a_month(connect: Connect) -> None:
    assert [followed.pause(checks) for checks in (0, 1, 5)] == [timedelta(minutes=minutes) for minutes in (15, 30, 480)]
    assert followed.pause(40) == followed.LONGEST_PAUSE
    database = connect()
    follow(database, MINE, "a")
    with database.write() as tx:
        (row,) = followed.due(tx, LATER, 5)
        assert followed.take(tx, row, LATER)
        followed.looked(tx, row, LATER, "1", "signer", is_news=False)
        assert followed.due(tx, LATER + timedelta(minutes=29), 5) == []
        (again,) = followed.due(tx, LATER + timedelta(minutes=30), 5)
        assert (again.checks, again.absences) == (1, 0)
        assert followed.hasten_resource(tx, MINE, "DocumentReference/a", LATER) == 1
        assert followed.hasten_resource(tx, OTHERS, "DocumentReference/a", LATER) == 0
        assert followed.due(tx, LATER, 5) == [again]
        followed.end(tx, again)
        assert followed.hasten_chart(tx, MINE, "Patient/1", LATER) == 0
        assert followed.due(tx, LATER + timedelta(days=365), 5) == []


def test_of_two_copies_of_a_notice_one_is_new(connect: Connect) -> None:
    """F31: also when both arrive at the same moment."""
    body = b'{"id": "e1", "type": "t", "resource": "DocumentReference/a", "occurred_at": "2026-11-22T10:00:00+00:00"}'
    databases = [connect(), connect()]
    taken = at_once(*(lambda one=one: Notices(one, lambda: NOW).take(MINE, body) for one in databases))
    assert sorted(taken) == [False, True]
    with databases[0].read() as tx:
        assert len(tx.execute(select(notices)).all()) == 1


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_those_who_hasten_the_same_rows_lock_them_in_one_order(connect: Connect) -> None:
    """F05: else two of them could wait for each other. SQLite has no rows to lock."""
    mine, other, third = connect(), connect(), connect()
    with mine.write() as tx:
        for number, name in enumerate("cadb"):  # in this order they are found
            followed.follow(tx, MINE, WritebackId(name), "Patient/1", f"DocumentReference/{number}", NOW)
    with mine.write() as tx:
        tx.execute(select(table).where(table.c.writeback_id == "b").with_for_update())
        hastening = Thread(target=hasten_all, args=(other,))
        hastening.start()
        wait_until_somebody_waits(third)
        with third.write() as looking:
            free = select(table.c.writeback_id).with_for_update(skip_locked=True)
            assert set(looking.execute(free).scalars()) == {"c", "d"}
    hastening.join()
    with third.read() as tx:
        assert len(followed.due(tx, NOW, 5)) == 4


def hasten_all(database: Database) -> None:
    with database.write() as tx:
        followed.hasten_chart(tx, MINE, "Patient/1", NOW)
