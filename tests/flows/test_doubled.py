"""A note of which two copies came to stand in the chart: which of them counts, and what is said of it meanwhile."""

from typing import Any

import pytest

from app.writebacks.state import Stage
from tests.flows.test_following import EHR, edit, look, place
from tests.flows.test_reconciling import arm, our_notes, pass_time
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database


@pytest.fixture(autouse=True)
def as_it_was(service: Service) -> Any:
    """Charts as they were: others use the same EHR."""
    mark = service.ehr.back_up(EHR)
    yield
    service.ehr.act(EHR, "restore_backup", mark=mark)


@pytest.fixture
def chart(service: Service) -> OpenChart:
    """A note that a person deleted before we could ask for it: it was sent again, and then the deletion undone."""
    known = our_notes(service, EHR)
    chart = service.signed(ehr=EHR)
    arm(service, EHR, "commit_then_drop")
    service.work()
    (first,) = set(our_notes(service, EHR)) - set(known)
    edit(service, "delete", f"DocumentReference/{first}")
    pass_time(service, 8, seconds=60)
    edit(service, "restore", f"DocumentReference/{first}", version=1)
    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 2)
    return chart


def other_copy(service: Service, chart: OpenChart) -> str:
    identifier, ours = chart.writeback().queued.identifier.partition("|")[2], chart.writeback().resource_id
    stored = service.ehr.qa(EHR, "resources/DocumentReference")
    marked = [one["id"] for one in stored if identifier in str(one.get("identifier"))]
    return next(one for one in marked if one != ours)


@pytest.mark.parametrize("was_seen", [True, False])
@pytest.mark.parametrize("action", ["invalidate", "delete"])
def test_of_two_copies_the_one_that_people_left_standing_counts(
    service: Service, chart: OpenChart, action: str, *, was_seen: bool
) -> None:
    """F27, I1, I7: whoever clears up may take away ours; the note stands there all the same, once, and is not lost."""
    first = other_copy(service, chart)
    if was_seen:
        look(service)
        assert chart.writeback().change_there == "doubled"
    edit(service, action, place(chart))
    look(service)
    assert chart.writeback().change_there in ("", "doubled")
    look(service)
    state = chart.writeback()
    assert (state.stage, state.resource_id) == (Stage.VERIFIED, first)
    look(service)
    assert chart.writeback().version == state.version, "the same news twice"

    edit(service, "delete", place(chart))
    look(service)
    assert chart.writeback().change_there == "deleted"


def test_whoever_may_read_and_not_search_still_sees_what_people_change(service: Service, chart: OpenChart) -> None:
    """F28, I7: a copy beside it cannot be told then; that says nothing about the note itself."""
    arm(service, EHR, "answer_403", "search", times=50)
    edit(service, "edit_text", place(chart), text="Changed by somebody there.")
    look(service)
    assert chart.writeback().change_there == "edited"


def test_a_copy_that_was_seen_is_not_forgotten_when_nobody_may_search(service: Service, chart: OpenChart) -> None:
    """F27, I4."""
    look(service)
    state = chart.writeback()
    assert state.change_there == "doubled"
    arm(service, EHR, "answer_403", "search", times=50)
    look(service)
    assert chart.writeback().version == state.version
