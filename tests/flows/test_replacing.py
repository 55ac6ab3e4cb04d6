"""A correction that replaces the note: if the EHR goes on showing the earlier version, its signer is told."""

from typing import Any

import pytest

from app.writebacks.endings import Person
from app.writebacks.state import Stage
from tests.flows.test_changing import correct, filed, in_chart, writes
from tests.flows.test_failures import dies
from tests.flows.test_following import look
from tests.flows.test_lost_identifiers import as_it_was
from tests.flows.test_reconciling import arm, pass_time
from tests.service import TENANTS, OpenChart, Service

pytestmark = [pytest.mark.either_database, pytest.mark.usefixtures("as_it_was")]
__all__ = ["as_it_was", "filed"]
EHR = "reference"


def left_current(service: Service, chart: OpenChart) -> None:
    """The EHR takes the correction and goes on showing what it replaces."""
    arm(service, EHR, "replaces_ignored")
    correct(chart)
    service.work()


def test_an_earlier_version_that_the_ehr_still_shows_as_current_is_put_before_its_signer(
    service: Service, filed: OpenChart
) -> None:
    """C36, I1: two that contradict each other count in the chart, and whoever opens the first is not told."""
    left_current(service, filed)

    first, second = writes(filed)
    assert in_chart(filed, first)["status"] == in_chart(filed, second)["status"] == "current"
    assert (second.stage, first.stage, first.change_there) == (Stage.VERIFIED, Stage.OVERRIDDEN, "left_current")
    page = filed.get("/note/stopped").text
    assert "still shows this one as current" in page
    assert "Mark this one in" in page


def test_looking_again_does_not_call_it_restored_while_both_still_count(service: Service, filed: OpenChart) -> None:
    """I7: that it is as it was is what is wrong with it."""
    left_current(service, filed)

    assert look(service) > 0

    assert writes(filed)[0].change_there == "left_current"


@pytest.mark.parametrize("ended_by", ["the ehr", "its signer"])
def test_it_ends_when_somebody_marks_it_there_or_says_that_it_may_stay(
    service: Service, filed: OpenChart, ended_by: str
) -> None:
    """I7."""
    left_current(service, filed)
    first, launch = writes(filed)[0], filed.launch()
    which = filed.note().state.signatures[0].writeback_id
    if ended_by == "the ehr":
        service.ehr.edit(EHR, "DocumentReference", {**in_chart(filed, first), "status": "superseded"})
        look(service)
        assert writes(filed)[0].change_there == "replaced"
    service.parts.stopped.end(launch.tenant_id, which, "accept", Person.SIGNER, actor=launch.actor)

    assert writes(filed)[0].stage is Stage.SETTLED
    assert writes(filed)[1].stage is Stage.VERIFIED


def test_a_correction_of_what_lost_our_identifier_leaves_no_two_current_notes_unsaid(service: Service) -> None:
    """F25, C36, I1: signed before the first was filed, it names that one by the identifier that the EHR dropped."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    correct(chart)
    arm(service, EHR, "drop_identifier")
    pass_time(service, 6, seconds=31)

    first, second = writes(chart)
    assert (second.stage, first.stage, first.change_there) == (Stage.VERIFIED, Stage.OVERRIDDEN, "left_current")


def test_what_an_ehr_that_cannot_be_asked_shows_of_the_earlier_version_is_asked_later(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4: the correction counts as verified when it is known what became of the first, and not before."""
    first, adapter = writes(filed)[0], service.parts.ehrs.adapter(TENANTS[EHR])
    read, refusals = adapter.read_note, iter([True])

    def away_once(transport: Any, resource_id: str) -> Any:
        if resource_id == first.resource_id and next(refusals, False):
            dies()
        return read(transport, resource_id)

    correct(filed)
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "read_note", away_once)
        with pytest.raises(SystemExit):
            service.work()
    assert [one.stage for one in writes(filed)] == [Stage.VERIFIED, Stage.FILED]

    pass_time(service, 6, seconds=31)

    assert [one.stage for one in writes(filed)] == [Stage.SUPERSEDED, Stage.VERIFIED]
