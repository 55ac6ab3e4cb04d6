from zoneinfo import ZoneInfo

import pytest

from app.pages.ending_words import ending_offers
from app.pages.status import ENDED, FILING, PARKED, PROVENANCE_WAITS, STOPPED, WORKING, status
from app.reconciliation.changes import ChangeThere
from app.writebacks.endings import OUTCOMES, Person
from app.writebacks.state import Stage, WritebackState
from tests.factories import NOON, an_order

UTC = ZoneInfo("UTC")


def at(stage: Stage, **fields) -> WritebackState:
    return WritebackState(version=1, stage=stage, order=an_order(), times=((stage, NOON),), **fields)


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_says_where_it_stands_and_what_comes_next(stage: Stage) -> None:
    line = status(at(stage, parked_for="reauth", parked_from=Stage.QUEUED), NOON, "Epic", UTC)
    assert line.sentence.endswith(".")
    assert "{" not in line.sentence
    assert line.settled is (stage not in WORKING)
    assert line.steps[0].state == "done"
    assert any(step.state == "stopped" for step in line.steps) is (stage in STOPPED)


@pytest.mark.parametrize(
    "reason", ["reauth", "address_changed", "conflict", "manual", "missing", "unproven", "unreadable"]
)
def test_every_parked_reason_has_its_sentence(reason: str) -> None:
    assert status(at(Stage.PARKED, parked_for=reason, parked_from=Stage.SENDING), NOON, "Epic", UTC).sentence == PARKED[
        reason
    ].format(ehr="Epic")


@pytest.mark.parametrize("reason", ["reauth", "address_changed"])
def test_a_verified_note_whose_provenance_waits_is_still_in_the_chart(reason: str) -> None:
    line = status(at(Stage.PARKED, parked_for=reason, parked_from=Stage.VERIFIED), NOON, "Epic", UTC)
    assert line.sentence.startswith("In the chart.")
    assert line.sentence.endswith(PROVENANCE_WAITS[reason].format(ehr="Epic"))
    assert [step.state for step in line.steps] == ["done"] * (len(FILING) + 1)


def test_the_time_of_a_fact_is_the_time_when_it_became_one_and_not_that_of_a_resumption() -> None:
    later = NOON.replace(hour=15)
    times = ((Stage.VERIFIED, NOON), (Stage.PARKED, NOON), (Stage.VERIFIED, later))
    state = WritebackState(version=1, stage=Stage.VERIFIED, order=an_order(), times=times)
    assert status(state, NOON, "Epic", UTC).steps[-1].at == status(at(Stage.VERIFIED), NOON, "Epic", UTC).steps[-1].at


def test_a_verified_note_has_every_step_behind_it() -> None:
    assert [step.state for step in status(at(Stage.VERIFIED), NOON, "Epic", UTC).steps] == ["done"] * (len(FILING) + 1)


@pytest.mark.parametrize("outcome", ["filed_by_hand", "accepted", "abandoned", ""])
def test_a_write_that_a_person_ended_shows_only_the_steps_that_it_came_to(outcome: str) -> None:
    """What was given up before it was filed is not called filed or verified."""
    times = ((Stage.QUEUED, NOON), (Stage.SENDING, NOON), (Stage.PARKED, NOON), (Stage.SETTLED, NOON))
    state = WritebackState(version=4, stage=Stage.SETTLED, order=an_order(), settled_as=outcome, times=times)
    line = status(state, NOON, "Epic", UTC)
    assert [step.label for step in line.steps] == ["Signed", "Queued", "Sent", "Ended"]
    assert line.sentence.startswith(ENDED.get(outcome, "A person").format(ehr="Epic"))


def test_what_was_deleted_there_is_not_said_to_be_in_the_chart() -> None:
    line = status(at(Stage.OVERRIDDEN, change_there=ChangeThere.DELETED), NOON, "Epic", UTC)
    assert line.sentence == "It was deleted in Epic. It is not sent again."
    assert line.place == "Epic: was in the chart, and was deleted there by a person"


def test_every_ending_of_a_person_has_its_sentence() -> None:
    assert ENDED.keys() == set(OUTCOMES.values())


@pytest.mark.parametrize(
    ("mutation", "words"), [("create", "I copied it into the chart"), ("retract", "I marked it in the chart")]
)
def test_what_its_signer_did_by_hand_is_a_mark_where_it_is_a_retraction(mutation: str, words: str) -> None:
    state = WritebackState(stage=Stage.REJECTED, order=an_order(mutation=mutation))
    assert next(offer.label for offer in ending_offers(state, Person.SIGNER)) == words
