"""Histories full of faults, and what a run says about them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import create_engine, literal, select
from structlog import get_logger

from app.chaos.ehr import NAMES
from app.chaos.faults import KINDS, OF_NOTICES, Fault
from app.chaos.history import ENTRIES, Act, Doing, History, Note, draw
from app.chaos.moments import Killed, Moments
from app.chaos.play import play
from app.chaos.processes import Processes
from app.chaos.shrink import shortest
from app.chaos.simulation import play_some, played, quiet
from app.chaos.world import World, fresh_world
from app.db import Database
from app.event_log.tables import events
from app.log_lines import configure_logging
from app.projections.write_status import waiting_for_switch
from app.publication.publish import LATEST_START

REFERENCE = (Note(0, 0, 0),)
SIGN_AND_WORK = (Act(Doing.SIGN), Act(Doing.WORK))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with fresh_world() as fresh:
        yield fresh


def test_random_histories_keep_every_promise() -> None:
    """F49, I1, I2, I3, I4, I5, I6, I7."""
    result = play_some(20261122, range(8))

    document = result.document()
    assert document.pop("violations") == []
    assert document.pop("writes") > 8
    assert document.pop("faults")
    assert document.pop("remade") == 0
    assert document.pop("unforeseen") == 0
    assert document == {
        "histories": 8, "seed": 20261122, "lost": 0, "duplicated": 0, "wrong_token": 0, "unsettled": 0
    }  # fmt: skip


def test_an_alarm_is_heard_of_a_logger_that_has_spoken_before() -> None:
    """What a process logged earlier must not make the simulation deaf to its defects."""
    configure_logging()
    log = get_logger()
    log.info("worker_ready")
    with quiet() as alarms:
        log.critical("write_corrupt", error="not possible")
    structlog.reset_defaults()

    assert alarms == ["write_corrupt not possible"]


def test_whoever_stands_still_before_a_write_leaves_the_lock_to_others(tmp_path: Path) -> None:
    """F05: SQLite has one write lock; a history in which it is held by nobody who works proves nothing."""
    database = Database(create_engine(f"sqlite:///{tmp_path / 'a.db'}"), together=False)
    moments, others = Moments(), []

    def others_write(seconds: float) -> None:
        with moments.uncounted(), database.write() as tx:
            others.append((seconds, tx.scalar(select(literal(1)))))

    moments.watch(database.engine)
    moments.expect([Fault("paused", 0, 130)])
    moments.pause = others_write
    with moments.counted(), database.write():
        pass
    database.engine.dispose()
    assert others == [(130, 1)]


def test_what_the_simulation_looks_at_itself_is_never_struck() -> None:
    """Nor while one process stands still and another runs: a fault there would strike what no process does."""
    moments = Moments()
    moments.expect([Fault("killed", 0)])
    with moments.counted(), moments.counted(), moments.uncounted():
        moments.step()
    with moments.counted(), pytest.raises(Killed):
        moments.step()


def test_a_worker_that_stood_still_after_it_began_sends_nothing(world: World) -> None:
    """F32: wherever it stands still beyond its lease, the EHR is not asked to make a second document."""
    longer = LATEST_START.total_seconds() * 60
    with quiet():
        signed, filed = play(world, History(REFERENCE, SIGN_AND_WORK, ()), "sound").steps
        for at in range(signed, filed, (filed - signed) // 16):
            history = History(REFERENCE, SIGN_AND_WORK, (Fault("paused", at, longer),))
            assert play(world, history, f"paused-{at}").violations == [], f"standing still at step {at}"


def test_who_stands_still_meanwhile_keeps_nobody_standing_longer(world: World) -> None:
    """F32: how long a request may be under way is what the vendor's profile promises, and is not for us to stretch."""
    processes, before = Processes(world, []), world.time.now
    world.moments.expect([Fault("paused", 0, 500)])
    with quiet():
        processes.do(lambda: world.moments.pause(100))
    assert world.moments.struck["paused"] == 1
    assert world.time.now - before == timedelta(seconds=100)


# Each leaves us in doubt of a write that is done, or will be, and takes away one of the means to find it again.
DOUBTS = (
    Fault("unmarked_reply_lost", 0),
    Fault("drop_identifier", 0),
    Fault("accepted_then_filed", 0, 2000),
    Fault("condition_racy", 0, 20),
    Fault("reply_lost", 0),
)


@pytest.mark.parametrize("ehr", NAMES)
def test_a_write_in_doubt_is_never_made_twice_at_any_ehr(world: World, ehr: str) -> None:
    """F25, I1, I3: nor where it lost our identifier, comes late, or meets an EHR that would store it again."""
    notes = (Note(NAMES.index(ehr), 0, 0),)
    with quiet():
        for fault in DOUBTS:
            history = History(notes, SIGN_AND_WORK, (fault,))
            assert play(world, history, f"{ehr}-{fault.kind}").violations == [], fault


# Long enough for two absences, and for the second send.
UNTIL_SENT_AGAIN = (Act(Doing.WAIT, seconds=150), Act(Doing.SWEEP), Act(Doing.WORK)) * 4


def test_what_a_person_deleted_before_we_could_look_is_remade_and_counted_apart(world: World) -> None:
    """I1, F27: two were made and one is live; two by a person's hand are put before a person, which is checked too."""
    remade = (*SIGN_AND_WORK, Act(Doing.DELETE), *UNTIL_SENT_AGAIN)
    with quiet():
        for name, acts in (("remade", remade), ("brought-back", (*remade, Act(Doing.BRING_BACK)))):
            outcome = play(world, History(REFERENCE, acts, (Fault("reply_lost", 0),)), name)
            assert (outcome.remade, outcome.violations) == (1, []), name


def test_what_an_ehr_does_for_the_first_time_is_counted_apart_and_never_happens_again(
    world: World,
) -> None:
    """F25, I1: it dropped our identifier, changed the words, and its answer was lost; once, nobody can know of it."""
    notes, unfound = (Note(0, 0, 0), Note(0, 1, 1)), "unrecognisable_reply_lost"
    first = (*SIGN_AND_WORK, *UNTIL_SENT_AGAIN)
    seen = (Act(Doing.SIGN, note=1), Act(Doing.WORK), *first)
    with quiet():
        never_seen = play(world, History(notes, first, (Fault(unfound, 0),)), "first")
        seen_before = play(world, History(notes, seen, (Fault("drop_identifier", 0), Fault(unfound, 2))), "second")
    assert (never_seen.unforeseen, never_seen.violations) == (1, [])
    assert (seen_before.unforeseen, seen_before.violations) == (0, [])
    assert seen_before.faults == {"drop_identifier": 1, unfound: 1}


def test_what_a_person_deleted_and_the_ehr_refuses_the_second_time_is_refused(world: World) -> None:
    """F22, I7: nothing of it is in the chart, whoever removed it."""
    faults = (Fault("reply_lost", 0), Fault("answer_403", 1))
    with quiet():
        outcome = play(world, History(REFERENCE, (*SIGN_AND_WORK, Act(Doing.DELETE), *UNTIL_SENT_AGAIN), faults), "403")
    assert (outcome.violations, outcome.faults) == ([], {"reply_lost": 1, "answer_403": 1})


def test_what_is_switched_off_goes_on_in_no_other_history(world: World) -> None:
    """I7: whoever is to switch it on again may die, too."""
    acts = (Act(Doing.SWITCH_OFF), Act(Doing.WORK))
    with quiet():
        switched, worked = play(world, History(REFERENCE, (Act(Doing.SIGN), *acts), ()), "off").steps[1:]
        history = History(REFERENCE, (Act(Doing.SIGN), *acts), (Fault("killed", worked),))
        assert play(world, history, "off-and-killed").violations == []
        with world.parts.database.read() as tx:
            stays = waiting_for_switch(tx)
    assert (switched < worked, stays) == (True, [])


@pytest.mark.parametrize("ehr", NAMES)
def test_entries_in_doubt_are_never_made_twice_either(world: World, ehr: str) -> None:
    """F06, F10, I1, I3, I4: a vital sign, a problem, a task and a patch of the visit, each with its answer lost."""
    notes = (Note(NAMES.index(ehr), 0, 0, ENTRIES),)
    every_answer_lost = tuple(Fault("reply_lost", at) for at in range(1 + len(ENTRIES)))
    with quiet():
        outcome = play(world, History(notes, SIGN_AND_WORK, every_answer_lost), f"entry-{ehr}")
    assert (outcome.violations, outcome.remade) == ([], 0)
    assert outcome.faults["reply_lost"] > 1


THERE = (Doing.EDIT, Doing.INVALIDATE, Doing.DELETE, Doing.MERGE, Doing.GO_BACK)


@pytest.mark.parametrize("doing", THERE)
def test_whatever_people_do_in_the_ehr_is_found_and_said(world: World, doing: Doing) -> None:
    """F28, F43, F44, I4, I7: of the note and of its entries."""
    notes = (Note(0, 0, 0, ENTRIES),)
    with quiet():
        outcome = play(world, History(notes, (*SIGN_AND_WORK, Act(doing)), ()), f"there-{THERE.index(doing)}")
    assert (outcome.violations, outcome.writes) == ([], 5)


def test_notices_may_come_twice_late_and_forged(world: World) -> None:
    """F31: they are reasons to look, and the forged ones are not even that."""
    acts = (*SIGN_AND_WORK, *(Act(Doing.EDIT), Act(Doing.TELL), Act(Doing.SWEEP)) * len(OF_NOTICES))
    faults = tuple(Fault(kind, at, 100) for at, kind in enumerate(OF_NOTICES))
    with quiet():
        outcome = play(world, History(REFERENCE, acts, faults), "notices")
    assert (outcome.violations, outcome.faults) == ([], dict.fromkeys(OF_NOTICES, 1))


def test_a_correction_waits_where_what_it_corrects_waits_for_a_person(world: World) -> None:
    """F41, I7: the parked original is what the page shows; its correction neither leaves nor counts as forgotten."""
    acts = (*SIGN_AND_WORK, Act(Doing.CORRECT), Act(Doing.WORK))
    history = History(REFERENCE, acts, (Fault("accepted_then_filed", 0, 2000),))
    with quiet():
        assert play(world, history, "waits-for-a-person").violations == []


def test_a_killed_worker_holds_the_whole_note_until_its_lease_ends_and_no_longer(world: World) -> None:
    """F05, I7: the correction is due at once, and waits all the same until somebody may have its note again."""
    acts = (Act(Doing.SIGN, after=30), Act(Doing.CORRECT), Act(Doing.WORK, after=2))
    with quiet():
        _, corrected, _ = play(world, History(REFERENCE, acts, ()), "not-killed").steps
        for step in range(corrected, corrected + 13, 2):  # where the worker takes the note
            history = History(REFERENCE, acts, (Fault("killed", step),))
            assert play(world, history, f"killed-at-{step}").violations == [], step


def test_a_history_is_the_same_for_the_same_seed_and_number() -> None:
    assert draw(7, 3) == draw(7, 3)
    assert draw(7, 3) != draw(8, 3)
    assert len({draw(7, number) for number in range(50)}) == 50


def test_a_history_that_is_played_again_goes_the_same_way() -> None:
    """F49: one that failed could not be looked into if what is due at once were taken in another order each time."""
    seed = 20261122
    for number in range(4):
        ways = []
        for _ in range(2):
            with quiet() as alarms, fresh_world() as again:
                played(again, draw(seed, number), "again", alarms)
                sent = [(one.at, one.ehr, one.method, one.resource_type, one.status) for one in again.wire.sent]
                with again.parts.database.read() as tx:
                    order = (events.c.tenant_id, events.c.sequence)
                    ways.append((sent, tx.execute(select(events.c.tag, events.c.recorded_at).order_by(*order)).all()))
        assert ways[0] == ways[1], f"seed {seed}, history {number}"


def test_every_kind_of_fault_is_drawn_sooner_or_later() -> None:
    drawn = {fault.kind for number in range(3000) for fault in draw(1, number).faults}

    assert drawn == set(KINDS)


def test_a_failing_history_is_shrunk_to_what_makes_it_fail() -> None:
    culprit = Fault("killed", 7)
    history = History(
        (Note(0, 0, 0), Note(1, 1, 1)),
        (Act(Doing.SIGN), Act(Doing.WORK), Act(Doing.SIGN, note=1), Act(Doing.SWEEP)),
        (Fault("paused", 3, 200), culprit, Fault("bell_lost", 0)),
    )

    small = shortest(history, lambda tried: culprit in tried.faults and Act(Doing.SIGN) in tried.acts)

    assert small.faults == (culprit,)
    assert [act.doing for act in small.acts] == [Doing.SIGN]
    assert len(small.notes) == 1
