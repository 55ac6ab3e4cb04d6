"""Those who sign at the same moment are entered together, on both databases; each stands or falls alone."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event

import pytest
from sqlalchemy import event, func, select

from app.artifacts.store import ArtifactStore
from app.bench.notes import bench_launch
from app.bench.signatures import TENANT, docket_of, prepare
from app.clock import system_clock
from app.db import Database
from app.event_log.tables import events
from app.event_log.verify import verify
from app.ids import LaunchId
from app.notes.entering import Entering
from app.outbox.tables import outbox
from app.sealing import Keyring
from app.tenants.ending import end_launch, hold_launches
from app.tenants.launches import end_of_others, new_launch, record
from app.writebacks.docket import Docket
from app.writebacks.tables import ledger
from tests.races.at_once import at_once, failures
from tests.races.conftest import Connect

KEPT = ArtifactStore(Keyring({"k": bytes(32)}))
OURS, ENDED, THEIRS = LaunchId("a-ours"), LaunchId("b-ended"), LaunchId("c-theirs")
Act = Callable[[], object]


@pytest.fixture
def database(connect: Connect) -> Database:
    opened = connect()
    with opened.write() as tx:
        for name in (OURS, ENDED, THEIRS):
            record(tx, new_launch(bench_launch(TENANT, "https://ehr.example", system_clock(), name)))
        end(tx, ENDED)
    return opened


def end(tx: object, launch: LaunchId) -> None:
    end_launch(tx, TENANT, launch, "signed_out", actor="a#b", now=system_clock())  # type: ignore[arg-type]


def dockets(count: int) -> list[Docket]:
    return [docket_of(KEPT, one) for one in prepare(count)]


def count(database: Database, *tables: object) -> list[int]:
    with database.read() as tx:
        return [tx.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]  # type: ignore[call-overload]


def behind(entering: Entering, *signatures: tuple[LaunchId, Docket]) -> list[object]:
    """Their answers, all of whom came while another one was being entered."""
    begun, (first,) = Event(), dockets(1)

    def wait_for_all(_tx: object) -> None:
        begun.set()
        while len(entering._tenants[TENANT]._waiting) < len(signatures):
            pass

    def enter(launch: LaunchId, docket: Docket) -> None:
        begun.wait(10)
        entering.enter(launch, docket)

    first.then(wait_for_all)
    calls: list[Act] = [lambda one=one: enter(*one) for one in signatures]  # type: ignore[misc]
    return at_once(lambda: entering.enter(OURS, first), *calls)[1:]


def test_those_who_sign_at_once_share_a_commit_and_each_note_is_entered_once(database: Database) -> None:
    """F02: in one log without gaps, and in the outbox."""
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)

    answers = behind(Entering(database, system_clock), *((OURS, one) for one in dockets(5)))

    assert answers == [None] * 5
    assert len(commits) == 2
    assert count(database, ledger, outbox) == [6, 6]
    with database.read() as tx:
        assert verify(tx).ok


def test_whose_note_moved_or_whose_session_ended_fails_alone(database: Database) -> None:
    """F40: of two signatures of one note the later one finds it signed, and nobody else fails with it."""
    (note,) = prepare(1)
    same, again = docket_of(KEPT, note), docket_of(KEPT, note)
    late, sound = dockets(2)
    signatures = [(OURS, same), (THEIRS, again), (ENDED, late), (THEIRS, sound)]

    answers = behind(Entering(database, system_clock), *signatures)

    assert answers[3] is None
    assert sorted(type(one).__name__ for one in answers[:2]) == ["NoneType", "StreamMoved"]
    assert type(answers[2]).__name__ == "LaunchEnded"
    assert count(database, ledger, outbox) == [3, 3]
    with database.read() as tx:
        assert verify(tx).ok


def test_when_the_commit_fails_nobody_goes_on_as_if_it_were_signed(database: Database) -> None:
    """F48."""

    def broken(_connection: object) -> None:
        raise OSError("no space left on device")

    event.listen(database.engine, "commit", broken)
    answers = behind(Entering(database, system_clock), *((OURS, one) for one in dockets(3)))
    event.remove(database.engine, "commit", broken)

    assert [type(one) for one in answers] == [OSError] * 3
    assert count(database, ledger, outbox) == [0, 0]


def test_those_who_sign_and_whoever_ends_sessions_do_not_deadlock(connect: Connect, database: Database) -> None:
    """E12: sessions are locked in one order and before the log, by both; in another order one would be thrown out."""
    entering, other = Entering(database, system_clock), connect()

    def end_both() -> None:
        with other.write() as tx:
            hold_launches(tx, [THEIRS, OURS])
            for launch in (THEIRS, OURS):
                end(tx, launch)

    signing: list[Act] = [
        lambda one=one, launch=launch: entering.enter(launch, one)  # type: ignore[misc]
        for one, launch in zip(dockets(6), [THEIRS, OURS] * 3, strict=True)
    ]

    answers = at_once(*signing, end_both)

    refused = failures(answers)
    assert {type(one).__name__ for one in refused} <= {"LaunchEnded"}
    assert count(database, outbox) == [6 - len(refused)]
    with database.read() as tx:
        ended = select(func.count()).select_from(events).where(events.c.tag == "launch:ended")
        assert tx.execute(ended).scalar_one() == 3


def test_whoever_ends_sessions_of_several_tenants_takes_their_logs_in_one_order(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shared workstations hold sessions of two tenants, in another order: else each waits for the other."""
    database, now = connect(), system_clock()
    opened = [new_launch(bench_launch(tenant, "https://ehr.example", now, tenant)) for tenant in ("z-one", "a-two")]
    whoever = replace(opened[0].launch, subject="somebody else")
    logs: list[object] = []
    monkeypatch.setattr("app.tenants.launches.end_launch", lambda _tx, tenant, *_args, **_more: logs.append(tenant))
    with database.write() as tx:
        for one in opened:
            record(tx, one)
    presented = {one.launch.launch_id: one.browser_secret for one in opened}

    with database.write() as tx:
        assert end_of_others(tx, presented, whoever, now) == {"z-one", "a-two"}

    assert logs == ["a-two", "z-one"]
