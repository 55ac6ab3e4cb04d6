"""What ends a write that waits for a person, and who may end it."""

import pytest

from app.notes.versions import ACCEPTED, IN_CHART_BY_HAND
from app.pages.status import PARKED
from app.writebacks.endings import OF_STAGE, OUTCOMES, PARKED_FOR, REFERENCE, Ending, Person, endings_for, endings_of
from app.writebacks.events import WritebackParked, WritebackResumed
from app.writebacks.fold import evolve
from app.writebacks.state import MANUAL, Stage, WritebackState
from tests.factories import an_order, recorded

ALIVE = {Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED, Stage.AWAITING_COPY}
DONE = {Stage.VERIFIED, Stage.CANCELLED, Stage.SUPERSEDED, Stage.SETTLED, Stage.COPIED}


def test_every_reason_for_which_a_write_stops_has_words_and_endings() -> None:
    """I7: nothing stops without a way on that its signer can see."""
    assert set(PARKED_FOR) == PARKED.keys()


@pytest.mark.parametrize("reason", PARKED_FOR)
def test_whatever_stopped_its_signer_can_end(reason: str) -> None:
    """I7: and giving up is always among it, since a person may have written the note elsewhere."""
    state = WritebackState(stage=Stage.PARKED, parked_for=reason, parked_from=Stage.QUEUED)
    endings = endings_for(state, Person.SIGNER)
    assert Ending.ABANDON in endings
    assert endings_of(state)[0] is not Ending.ABANDON


@pytest.mark.parametrize("stage", Stage)
def test_a_write_waits_for_a_person_exactly_where_nothing_goes_on_by_itself(stage: Stage) -> None:
    assert bool(OF_STAGE[stage]) == (stage not in ALIVE | DONE | {Stage.PARKED})


def test_a_note_that_stands_is_not_given_up_for_its_provenance() -> None:
    state = WritebackState(stage=Stage.PARKED, parked_for="reauth", parked_from=Stage.VERIFIED)
    assert endings_of(state) == (Ending.SIGN_IN,)


def test_only_the_signer_speaks_of_the_chart() -> None:
    """Operations may have the EHR asked, or give up with a ticket; what is in a chart its clinician says."""
    for reason in PARKED_FOR:
        state = WritebackState(stage=Stage.PARKED, parked_for=reason, parked_from=Stage.FILED)
        of_operations = set(endings_for(state, Person.OPERATIONS))
        assert of_operations <= {Ending.LOOK_AGAIN, Ending.SWITCH_ON, Ending.ABANDON}
        assert of_operations, reason


def test_what_is_written_down_is_what_a_later_change_of_the_note_goes_by() -> None:
    assert {OUTCOMES[Ending.IN_CHART], OUTCOMES[Ending.COPY]} == IN_CHART_BY_HAND
    assert OUTCOMES[Ending.ACCEPT] == ACCEPTED


@pytest.mark.parametrize("written", ["DocumentReference/88", "INC-4711", "a#1"])
def test_a_reference_is_a_resource_or_a_ticket(written: str) -> None:
    assert REFERENCE.fullmatch(written)


@pytest.mark.parametrize("written", ["Mrs Rivera has a cough", "", "\n", "x" * 200, "<b>"])
def test_a_reference_never_holds_words_about_a_patient(written: str) -> None:
    assert not REFERENCE.fullmatch(written)


def test_a_person_who_looked_at_unclear_sends_forgives_them() -> None:
    """F46: the cap counts what happened since somebody looked."""
    parked = WritebackState(stage=Stage.QUEUED, order=an_order(), unclear=5)
    parked = evolve(parked, recorded(WritebackParked(reason=MANUAL)))
    resumed = evolve(parked, recorded(WritebackResumed(launch_id="launch-2")))
    assert (resumed.stage, resumed.unclear) == (Stage.QUEUED, 0)
    other = evolve(parked._replace(parked_for="reauth"), recorded(WritebackResumed(launch_id="launch-2")))
    assert other.unclear == 5
