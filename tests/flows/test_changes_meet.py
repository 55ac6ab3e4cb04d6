"""Changes that meet something else on their way: a switch, another window, our own mistakes, our own sweeper."""

from typing import Any

import pytest

from app.notes.commands import Kind, Reason
from app.outbox.rows import MOST_CRASHES
from app.projections.follower import catch_up
from app.worker import resume_switched_on
from app.writebacks.state import Stage
from tests.flows.test_changing import EHR, begin, correct, retract, rewrite_first_line, use_only, writes
from tests.flows.test_following import as_it_was, edit, look, place  # noqa: F401 - a fixture
from tests.flows.test_lost_identifiers import count
from tests.flows.test_reconciling import pass_time
from tests.flows.test_switches import turn
from tests.service import TENANTS, OpenChart, Service

pytestmark = pytest.mark.either_database


@pytest.fixture
def chart(service: Service) -> OpenChart:
    """A note that stands in the chart, with its Provenance."""
    signed = service.signed(ehr=EHR)
    service.work()
    assert signed.writeback().stage is Stage.VERIFIED
    return signed


def corrected(chart: OpenChart) -> dict[str, str]:
    """A correction that is ready to be signed; returns what the sign page's form sends."""
    begin(chart, Kind.CORRECTION, Reason.MISTAKE)
    rewrite_first_line(chart, "Cough for six weeks, dry.")
    chart.settle()
    return chart.sign_form()


def test_a_note_is_not_filed_after_its_correction_was_handed_over_to_be_copied(service: Service) -> None:
    """F42, I1: switched off between signature and send; what has not left is taken back before it is corrected."""
    notes = count(service)
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    begin(chart, Kind.CORRECTION, Reason.MISTAKE)
    turn(service, off=True, tenant=TENANTS[EHR])
    service.work()
    assert chart.writeback().parked_for == "switched_off"

    refused = chart.sign()
    assert refused.status_code == 409
    assert "Take the note back instead" in refused.text
    assert chart.post("/note/take-back").status_code == 303
    assert chart.sign().status_code == 303
    turn(service, off=False, tenant=TENANTS[EHR])
    catch_up(service.parts.database)
    resume_switched_on(service.parts)
    service.work()

    assert [write.stage for write in writes(chart)] == [Stage.CANCELLED, Stage.AWAITING_COPY]
    assert count(service) == notes


def test_a_correction_that_was_given_up_in_another_window_is_not_called_signed(
    service: Service, chart: OpenChart
) -> None:
    """F40: whoever pressed the button must not believe that the chart will say what they corrected."""
    form = corrected(chart)
    assert chart.post("/note/give-up").status_code == 303

    assert chart.post("/sign", **form).status_code == 409
    assert len(chart.note().state.signatures) == 1


def test_a_second_click_on_a_signed_correction_gives_the_same_answer(service: Service, chart: OpenChart) -> None:
    """F40."""
    form = corrected(chart)

    assert [chart.post("/sign", **form).status_code for _ in range(2)] == [303, 303]
    assert len(chart.note().state.signatures) == 2


@pytest.fixture
def broken(service: Service) -> OpenChart:
    """A note that stands in the chart, and on whose Provenance our own code broke until it was put aside."""
    work: Any = service.parts.drain._work

    def breaks(lease: Any, state: Any) -> None:
        raise KeyError("ours")

    work[Stage.VERIFIED], real = breaks, work[Stage.VERIFIED]
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    pass_time(service, MOST_CRASHES + 2, seconds=60)
    work[Stage.VERIFIED] = real
    assert (chart.writeback().stage, chart.writeback().provenance_settled) == (Stage.VERIFIED, False)
    return chart


def test_a_retraction_does_not_wait_for_a_provenance_that_was_put_aside(service: Service, broken: OpenChart) -> None:
    """F46, C38: what must not stand in the chart is marked there without an administrator."""
    assert retract(broken).status_code == 303
    pass_time(service, 3, seconds=60)

    assert [write.stage for write in writes(broken)] == [Stage.SUPERSEDED, Stage.VERIFIED]


@pytest.mark.usefixtures("as_it_was")
def test_a_note_is_followed_while_its_provenance_is_put_aside(service: Service, broken: OpenChart) -> None:
    """F28, F46."""
    edit(service, "edit_text", place(broken), text="Something else.")
    look(service)

    assert broken.writeback().stage is Stage.OVERRIDDEN


@pytest.mark.parametrize("way", ["in_place", "retract"])
def test_what_our_own_change_did_is_not_recorded_as_somebody_elses(
    service: Service, chart: OpenChart, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """F28, F41: the sweeper looks between the EHR's answer and our reading back."""
    if way == "retract":
        assert retract(chart).status_code == 303
    else:
        use_only(service, monkeypatch, way)
        correct(chart)
    service.ehr.arm(EHR, fault="answer_500", interaction="read", resource_type="DocumentReference", times=None)
    service.work()
    service.ehr.clear_faults(EHR)
    look(service)
    assert [write.stage for write in writes(chart)] == [Stage.VERIFIED, Stage.FILED]

    pass_time(service, 3, seconds=60)
    first, second = writes(chart)
    assert (first.stage, first.change_there, second.stage) == (Stage.SUPERSEDED, "", Stage.VERIFIED)
