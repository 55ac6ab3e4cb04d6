"""The drain and an EHR's pace, through the whole app in front of the real sandbox."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Lock
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.outbox.pace import BREAKS_AFTER
from app.outbox.pause import UNDELIVERED_TOO_LONG
from app.outbox.rows import MOST_CRASHES
from app.publication.drain import Work
from app.worker import _told, sweep_once
from app.writebacks.state import Stage
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database
PATIENTS = ("Rivera, Ana", "Ortega, María Guadalupe", "Nair, Priya")


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    _told.clear()
    yield
    _told.clear()


def signed(service: Service) -> list[OpenChart]:
    return [service.signed(patient=name) for name in PATIENTS]


def arm(service: Service, fault: str, **options: Any) -> None:
    service.ehr.arm(
        "epic", **{"interaction": "create", "fault": fault, "resource_type": "DocumentReference", **options}
    )


def instead_of_sending(service: Service, send: Callable[[Any, Any, Work], None]) -> None:
    """What a worker does at the stage where it sends, given what it would have done."""
    work: Any = service.parts.drain._work
    real = work[Stage.QUEUED]
    work[Stage.QUEUED] = lambda lease, state: send(lease, state, real)


def at_the_same_time(service: Service, expected: int) -> list[int]:
    """How many sends were under way together, as seen by each that began."""
    lock, under_way, seen, gate = Lock(), [0], list[int](), Barrier(expected)

    def counted(lease: Any, state: Any, real: Work) -> None:
        with lock:
            under_way[0] += 1
        with suppress(BrokenBarrierError):
            gate.wait(5)
        with lock:
            seen.append(under_way[0])
        real(lease, state)
        with lock:
            under_way[0] -= 1

    instead_of_sending(service, counted)
    return seen


def notes_in(service: Service) -> int:
    writes = service.ehr.qa("reference", "writes")
    return len([one for one in writes if one["resource_type"] == "DocumentReference"])


def metric(service: Service, name: str) -> str:
    text = service.browser().get("/metrics", base_url=service.origin).text
    return next((line for line in text.splitlines() if line.startswith(f"{name}{{")), "")


def test_several_notes_are_on_their_way_at_once(service: Service) -> None:
    """F47: up to the tenant's cap, which here is more than there are."""
    charts = signed(service)
    seen = at_the_same_time(service, len(charts))

    service.work()

    assert max(seen) == len(charts)
    assert {chart.writeback().stage for chart in charts} == {Stage.VERIFIED}


def test_a_tenant_that_takes_one_at_a_time_gets_one_at_a_time(service: Service) -> None:
    """F47."""
    charts = signed(service)
    service.change_tenant("harbor-epic", concurrency=1)
    seen = at_the_same_time(service, 1)

    service.work()

    assert max(seen) == 1
    assert {chart.writeback().stage for chart in charts} == {Stage.VERIFIED}


def test_one_429_holds_every_note_of_the_tenant_and_none_loses_an_attempt(service: Service) -> None:
    """C16, F13: the others are not even sent; afterwards everything is filed once, and no send counts as unclear."""
    charts = signed(service)
    service.change_tenant("harbor-epic", concurrency=1)
    sent = len(service.ehr.qa("epic", "writes"))
    arm(service, "answer_429", seconds=60, times=1)

    service.work()
    service.clock.advance(seconds=59)
    assert service.work() == 0
    assert len(service.ehr.qa("epic", "writes")) == sent
    assert sorted(chart.writeback().attempts for chart in charts) == [0, 0, 1]

    service.clock.advance(seconds=30)
    service.work()

    assert {(chart.writeback().stage, chart.writeback().unclear) for chart in charts} == {(Stage.VERIFIED, 0)}
    assert len(service.ehr.qa("epic", "writes")) == sent + len(charts)


def test_an_ehr_that_is_down_is_left_alone_until_it_answers_and_then_takes_everything(service: Service) -> None:
    """F38, F11, F47: visible to whoever watches, no note is given up, and each is filed once."""
    charts = [service.signed(ehr="reference", patient=name) for name in ("Rivera, Ana", "Cho, Raymond")]
    sent = notes_in(service)
    service.ehr.arm("reference", interaction="create", fault="answer_503", times=None)
    service.ehr.arm("reference", interaction="search", fault="answer_503", times=None)
    for _ in range(5):
        service.work()
        service.clock.advance(seconds=61)
    assert f'tenant="{charts[0].launch().tenant_id}"' in metric(service, "countersign_ehr_failures")
    assert int(metric(service, "countersign_ehr_failures").split()[-1]) >= BREAKS_AFTER
    assert {chart.writeback().stage for chart in charts} == {Stage.OUTCOME_UNKNOWN}

    service.ehr.clear_faults("reference")
    for _ in range(8):
        service.clock.advance(seconds=150)
        service.work()

    assert {chart.writeback().stage for chart in charts} == {Stage.VERIFIED}
    assert notes_in(service) == sent + len(charts)
    assert metric(service, "countersign_ehr_failures") == ""


def test_a_note_that_nobody_delivers_raises_an_alarm(service: Service) -> None:
    """F38: the age of the oldest undelivered note is in the error log, at intervals, and in the metrics."""
    chart = service.signed()
    service.clock.advance(seconds=UNDELIVERED_TOO_LONG.total_seconds() + 60)

    with capture_logs() as logged:
        for _ in range(3):
            sweep_once(service.parts)

    told = [line for line in logged if line["event"] == "undelivered_too_long"]
    assert [(line["tenant"], line["count"], line["detail"]) for line in told] == [
        (chart.launch().tenant_id, 1, "31 minutes")
    ]
    assert int(metric(service, "countersign_outbox_oldest_seconds").split()[-1]) >= 31 * 60


def test_a_note_that_breaks_our_own_code_stops_nobody_and_is_put_aside_where_it_can_be_seen(service: Service) -> None:
    """F46: the others are filed; after its cap the row is a dead letter in the database, in the log and the metrics."""
    broken, *others = signed(service)
    poison = broken.note().state.signed.writeback_id

    def send(lease: Any, state: Any, real: Work) -> None:
        if lease.writeback_id == poison:
            raise KeyError("our own mistake, with a patient's name in it")
        real(lease, state)

    instead_of_sending(service, send)
    with capture_logs() as logged:
        for _ in range(MOST_CRASHES + 1):
            service.work()
            service.clock.advance(minutes=1)
        sweep_once(service.parts)

    assert {chart.writeback().stage for chart in others} == {Stage.VERIFIED}
    assert [line["event"] for line in logged].count("step_crashed") == MOST_CRASHES
    assert any(line["event"] == "dead_letter" and line["writeback"] == poison for line in logged)
    assert "patient's name" not in str(logged)
    assert metric(service, "countersign_dead_letters").endswith(" 1")
