"""An EHR that answers 202 and files when it likes: where it did so once, nobody's lost answer is sent again."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app.tenants import habits
from app.tenants.habits import Habit, Seen
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import Stage
from tests.flows.test_failures import after
from tests.flows.test_lost_identifiers import as_it_was, count, findings
from tests.flows.test_reconciling import arm, pass_time, tags
from tests.service import TENANTS, OpenChart, Service
from vendors.contract import Receipt

pytestmark = [pytest.mark.either_database, pytest.mark.usefixtures("as_it_was")]
__all__ = ["as_it_was"]
EHR = "reference"


def accepts(*_: Any) -> Receipt:
    """The EHR takes it, and has not filed it yet."""
    return Receipt(202, None, None, None, b"")


def accepted_and_unheard(service: Service, monkeypatch: pytest.MonkeyPatch) -> OpenChart:
    """A note that the EHR accepted for later, and whose answer was not recorded."""
    chart = service.signed(ehr=EHR)
    with monkeypatch.context() as patched:
        patched.setattr(service.parts.ehrs.adapter(TENANTS[EHR]), "send", after(accepts))
        with pytest.raises(SystemExit):
            service.work()
    assert chart.writeback().stage is Stage.SENDING
    return chart


def is_remembered(service: Service) -> bool:
    with service.parts.database.read() as tx:
        return Habit.FILES_LATER in habits.seen(tx, TENANTS[EHR])


def test_where_a_write_was_once_accepted_for_later_no_absence_is_proof(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C04, F17, F07, I3: a worker dies over a 202; the EHR may file in an hour, whatever its profile says."""
    assert not is_remembered(service)
    first = service.signed(ehr=EHR, patient="Cho, Raymond")
    arm(service, EHR, "commit_then_202")
    service.work()
    assert is_remembered(service)
    notes = count(service)
    chart = accepted_and_unheard(service, monkeypatch)

    pass_time(service, 12, seconds=31)

    state = chart.writeback()
    assert (first.writeback().stage, count(service)) == (Stage.VERIFIED, notes)
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "unproven", 1)
    assert "DocumentReference was answered with 202" in findings(service)


def test_what_the_ehr_does_is_remembered_before_anything_else_is_recorded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F07, F17, I3: the worker dies between the 202 and its record; that it was one is known all the same."""
    notes = count(service)
    chart = service.signed(ehr=EHR)
    with monkeypatch.context() as patched:
        patched.setattr(service.parts.ehrs.adapter(TENANTS[EHR]), "send", accepts)
        patched.setattr(WritebackCommands, "by_worker", killed)
        with pytest.raises(SystemExit):
            service.work()
    assert is_remembered(service)

    pass_time(service, 12, seconds=31)

    assert count(service) == notes
    assert (chart.writeback().parked_for, chart.writeback().attempts) == ("unproven", 1)


def test_that_it_was_accepted_for_later_is_remembered_although_the_database_failed_for_a_moment(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F07, F17: nobody else has heard the answer."""
    chart, note, failures = service.signed(ehr=EHR), habits.note, iter([True])

    def fails_once(*args: Any) -> None:
        note(*args)
        if next(failures, False):
            raise OperationalError("INSERT", None, Exception("the database went away"))

    with monkeypatch.context() as patched:
        patched.setattr(service.parts.ehrs.adapter(TENANTS[EHR]), "send", accepts)
        patched.setattr(habits, "note", fails_once)
        service.work()

    assert is_remembered(service)
    assert (chart.writeback().stage, chart.writeback().unknown_for) == (Stage.OUTCOME_UNKNOWN, "accepted_not_filed")


def test_what_was_called_absent_before_the_first_202_is_asked_for_again_and_not_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F17, I3: it waited to be sent once more, on the word of a profile that the EHR does not keep."""
    notes = count(service)
    chart = accepted_and_unheard(service, monkeypatch)
    while "writeback:absence:proven" not in tags(service, chart):
        service.work()
        service.clock.advance(seconds=31)
    with service.parts.database.write() as tx:
        first = Seen("DocumentReference", "another", service.clock())
        habits.note(tx, TENANTS[EHR], Habit.FILES_LATER, first)
        habits.note(tx, TENANTS[EHR], Habit.FILES_LATER, Seen("Observation", "a third", service.clock()))
        assert habits.seen(tx, TENANTS[EHR]) == {Habit.FILES_LATER: first}

    pass_time(service, 12, seconds=31)

    assert count(service) == notes
    assert (chart.writeback().parked_for, chart.writeback().attempts) == ("unproven", 1)


@pytest.mark.parametrize(("fault", "there", "sent"), [("commit_then_202", 1, 1), ("answer_202", 0, 1)])
def test_a_provenance_that_was_accepted_for_later_is_looked_for_and_not_sent_again(
    service: Service, fault: str, there: int, sent: int
) -> None:
    """C04, F17: accepted is not filed, and a second one could stand beside the first."""
    before, made = count(service, "resources/Provenance"), struck(service, fault)
    chart = service.signed(ehr=EHR)
    arm(service, EHR, fault, resource_type="Provenance", times=5)

    pass_time(service, 20, seconds=31)

    assert is_remembered(service)
    assert chart.writeback().stage is Stage.VERIFIED
    assert chart.writeback().provenance_settled
    assert count(service, "resources/Provenance") == before + there
    assert struck(service, fault) == made + sent
    expected = "writeback:provenance:filed" if there else "writeback:provenance:refused"
    assert expected in tags(service, chart)


def struck(service: Service, fault: str) -> int:
    return int(service.ehr.qa(EHR, "faults")["struck"].get(fault, 0))


def killed(_self: Any, _tx: Any, _lease: Any, command: Any, *_: Any, **__: Any) -> None:
    raise SystemExit
