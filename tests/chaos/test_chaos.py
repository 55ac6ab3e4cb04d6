"""Histories full of faults, and what a run says about them."""

from collections.abc import Iterator

import pytest

from app.chaos.ehr import NAMES
from app.chaos.faults import KINDS, Fault
from app.chaos.history import Act, Doing, History, Note, draw
from app.chaos.play import play
from app.chaos.shrink import shortest
from app.chaos.simulation import play_some, quiet
from app.chaos.world import World, fresh_world
from app.publication.publish import LATEST_START

REFERENCE = (Note(0, 0, 0),)
SIGN_AND_WORK = (Act(Doing.SIGN), Act(Doing.WORK))
# The steps of one sound filing, from the claim to the read-back, lie among these.
STEPS_OF_A_FILING = range(110, 180)


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
    assert document == {
        "histories": 8, "seed": 20261122, "lost": 0, "duplicated": 0, "wrong_token": 0, "unsettled": 0
    }  # fmt: skip


def test_a_worker_that_stood_still_after_it_began_sends_nothing(world: World) -> None:
    """F32: wherever it stands still beyond its lease, the EHR is not asked to make a second document."""
    longer = LATEST_START.total_seconds() * 60
    with quiet():
        for at in STEPS_OF_A_FILING[::4]:
            history = History(REFERENCE, SIGN_AND_WORK, (Fault("paused", at, longer),))
            assert play(world, history, f"paused-{at}").violations == [], f"standing still at step {at}"


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
        for step in range(268, 281):  # about where the worker takes the note
            history = History(REFERENCE, acts, (Fault("killed", step),))
            assert play(world, history, f"killed-at-{step}").violations == [], step


def test_a_history_is_the_same_for_the_same_seed_and_number() -> None:
    assert draw(7, 3) == draw(7, 3)
    assert draw(7, 3) != draw(8, 3)
    assert len({draw(7, number) for number in range(50)}) == 50


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
