"""Several writers on the log at once: expected versions hold, the sequence has no gaps, the chain stays whole."""

from datetime import UTC, datetime

import pytest

from app.db import Database
from app.errors import StreamMoved
from app.event_log.append import append
from app.event_log.read import read_after, read_stream
from app.event_log.verify import verify
from app.notes.events import ClaimConfirmed
from app.tenants.events import LaunchCompleted
from tests.races.at_once import at_once, failures
from tests.races.conftest import Connect

TENANT = "harbor-epic"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ROUNDS = 5


def say(database: Database, stream: str, expected: int, claim: str, tenant: str = TENANT) -> int:
    with database.write() as tx:
        event = ClaimConfirmed(claim_id=claim)
        return append(tx, tenant, stream, expected, [event], actor="a#b", causation="test", now=NOW)


def test_of_two_appends_with_the_same_expected_version_one_wins_and_the_other_learns_that_the_stream_moved(
    connect: Connect,
) -> None:
    first, second = connect(), connect()

    for round_ in range(ROUNDS):
        answers = at_once(
            lambda at=round_: say(first, "note:1", at, "first"),
            lambda at=round_: say(second, "note:1", at, "second"),
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["StreamMoved", "int"]

    with first.read() as tx:
        assert [recorded.version for recorded in read_stream(tx, TENANT, "note:1")] == list(range(1, ROUNDS + 1))
        assert verify(tx).ok


def test_the_very_first_events_of_a_tenant_may_arrive_together(connect: Connect) -> None:
    databases = [connect() for _ in range(4)]

    answers = at_once(*(lambda d=d, n=n: say(d, f"note:{n}", 0, "c") for n, d in enumerate(databases)))

    assert answers == [1, 1, 1, 1]
    with databases[0].read() as tx:
        assert verify(tx).ok


def test_many_writers_on_different_streams_of_one_tenant_leave_no_gap_and_a_whole_chain(connect: Connect) -> None:
    writers, each = 6, 12

    def write_stream(database: Database, stream: str) -> None:
        for version in range(each):
            say(database, stream, version, f"c{version}")

    databases = [connect() for _ in range(writers)]
    answers = at_once(*(lambda d=d, n=n: write_stream(d, f"note:{n}") for n, d in enumerate(databases)))

    assert failures(answers) == []
    with connect().read() as tx:
        recorded = read_after(tx, TENANT, 0)
        assert [one.sequence for one in recorded] == list(range(1, writers * each + 1))
        report = verify(tx)
        assert (report.events, report.problems) == (writers * each, ())


def test_tenants_have_sequences_of_their_own_that_do_not_disturb_each_other(connect: Connect) -> None:
    databases = {tenant: connect() for tenant in "abc"}

    def write(database: Database, tenant: str) -> None:
        for version in range(8):
            say(database, "note:1", version, "c", tenant)

    answers = at_once(*(lambda t=tenant, d=database: write(d, t) for tenant, database in databases.items()))

    assert failures(answers) == []
    with connect().read() as tx:
        assert [[one.sequence for one in read_after(tx, tenant, 0)] for tenant in "abc"] == [list(range(1, 9))] * 3
        assert verify(tx).ok


def test_an_append_that_fails_half_way_leaves_nothing_and_the_next_one_takes_its_place(connect: Connect) -> None:
    database = connect()
    say(database, "note:1", 0, "kept")
    launch = LaunchCompleted(
        launch_id="l",
        issuer="i",
        subject="s",
        fhir_user="Practitioner/1",
        patient="Patient/1",
        encounter=None,
        scopes="",
    )

    with pytest.raises(StreamMoved), database.write() as tx:  # noqa: PT012 - both in one transaction
        append(tx, TENANT, "launch:l", 0, [launch], actor="i#s", causation="launch", now=NOW)
        append(tx, TENANT, "note:1", 7, [ClaimConfirmed(claim_id="c")], actor="i#s", causation="x", now=NOW)

    say(database, "note:1", 1, "next")
    with database.read() as tx:
        assert [one.sequence for one in read_after(tx, TENANT, 0)] == [1, 2]
        assert verify(tx).ok
