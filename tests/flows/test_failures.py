"""One failure at a time between signature and chart, and what must come of it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.testing import capture_logs

from app.group_commit import TransactionLost
from app.outbox.pause import UNDELIVERED_TOO_LONG
from app.outbox.relay import JOB_TIMEOUT_SECONDS
from app.outbox.rows import Partition, depths, due_partitions
from app.outbox.tables import outbox
from app.publication.drain import LONGEST_RUN, LONGEST_STEP
from app.tenants.grants import MARGIN
from app.tenants.tables import grants
from app.writebacks.commands import MarkUnknown
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import ACCEPTED_NOT_FILED, Stage, WritebackState
from tests.flows.test_changing import correct, writes
from tests.flows.test_reconciling import arm, file_behind_our_back, our_notes, pass_time
from tests.service import TENANTS, OpenChart, Service
from vendors.contract import Receipt
from vendors.egress import EgressPolicy

pytestmark = pytest.mark.either_database
EHR = "reference"


def dies(*_args: Any, **_kwargs: Any) -> Any:
    """What a process does that is killed here; nothing of ours catches it."""
    raise SystemExit


def after(real: Callable[..., Any]) -> Callable[..., Any]:
    def done_and_then_dies(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        raise SystemExit

    return done_and_then_dies


@pytest.mark.parametrize(
    ("moment", "stage", "attempts"),
    [
        ("before the record", Stage.QUEUED, 1),
        ("before the first byte", Stage.SENDING, 2),
        ("after the answer", Stage.SENDING, 1),
    ],
)
def test_a_worker_that_died_is_followed_by_one_that_sends_only_what_never_left(
    service: Service, monkeypatch: pytest.MonkeyPatch, moment: str, stage: Stage, attempts: int
) -> None:
    """F05, F06, F07: before the attempt is recorded it may be sent; after that the EHR is asked first."""
    before = len(our_notes(service, EHR))
    chart = service.signed(ehr=EHR)
    ehrs, adapter = service.parts.ehrs, service.parts.ehrs.adapter(TENANTS[EHR])
    at: dict[str, tuple[Any, str, Callable[..., Any]]] = {
        "before the record": (ehrs, "under_signers_grant", dies),
        "before the first byte": (adapter, "send", dies),
        "after the answer": (adapter, "send", after(adapter.send)),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*at[moment])
        with pytest.raises(SystemExit):
            service.work()
    assert chart.writeback().stage is stage
    assert service.work() == 0  # its lease still stands

    pass_time(service, 10, seconds=31)

    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, attempts)
    assert len(our_notes(service, EHR)) == before + 1


def test_a_412_on_a_create_means_twins_and_neither_is_touched(service: Service) -> None:
    """F15, F27: the EHR holds two of ours; no third is made, none is taken away, and operations are told."""
    before = len(our_notes(service, EHR))
    chart = service.signed(ehr=EHR)
    for _ in range(2):
        file_behind_our_back(service, chart, EHR)

    with capture_logs() as logged:
        pass_time(service, 3, seconds=30)

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "conflict", 1)
    assert [line["count"] for line in logged if line["event"] == "duplicate_in_chart"] == [2]
    twins = [one for one in service.ehr.qa(EHR, "resources/DocumentReference") if one["id"] in our_notes(service, EHR)]
    assert len(twins) == before + 2
    assert {one["status"] for one in twins[before:]} == {"current"}


@pytest.mark.parametrize(
    ("fault", "said"), [("commit_without_location", ["filed_without_id"]), ("commit_then_garbled", [])]
)
def test_a_yes_that_cannot_be_read_is_a_yes_that_is_looked_up(service: Service, fault: str, said: list[str]) -> None:
    """F16: filed, wherever it is; found by our identifier, and the log says where the EHR did not name it."""
    before = len(our_notes(service, EHR))
    chart = service.signed(ehr=EHR)
    arm(service, EHR, fault)

    with capture_logs() as logged:
        pass_time(service, 3, seconds=30)

    state = chart.writeback()
    assert (state.stage, state.attempts, state.resource_id) == (Stage.VERIFIED, 1, our_notes(service, EHR)[-1])
    assert len(our_notes(service, EHR)) == before + 1
    assert [line["event"] for line in logged if line["log_level"] == "warning"] == said


@pytest.mark.parametrize("fault", ["answer_403", "answer_422"])
def test_a_refusal_is_shown_and_the_note_stays_signed(service: Service, fault: str) -> None:
    """F22, F23: it is not sent again; what is signed anew is a version of its own, under its own identifier."""
    before = len(our_notes(service, EHR))
    chart = service.signed(ehr=EHR)
    arm(service, EHR, fault, options={"code": "business-rule"})

    pass_time(service, 4, minutes=2)

    refused = chart.writeback()
    assert (refused.stage, refused.attempts, len(our_notes(service, EHR))) == (Stage.REJECTED, 1, before)
    status = chart.status()["html"]
    assert "refused the note. It is signed and kept here, and it is not in the chart." in status
    assert "knob" not in status  # nothing of the EHR's own words
    assert chart.note().state.signed is not None

    correct(chart)
    service.work()
    _, anew = writes(chart)
    assert (anew.stage, anew.attempts, len(our_notes(service, EHR))) == (Stage.VERIFIED, 1, before + 1)
    assert identifier(service, chart, anew) != identifier(service, chart, refused)


def identifier(service: Service, chart: OpenChart, write: WritebackState) -> str:
    with service.parts.database.read() as tx:
        payload = service.parts.artifacts.open(tx, chart.launch().tenant_id, write.queued.payload)
    return str(json.loads(payload)["identifier"][0]["value"])


def test_a_rotated_refresh_token_that_died_with_its_process_waits_for_the_signer_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F19: the EHR has ended the old pair, and nobody has the new one."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    service.change_grants(expires_at=service.clock() + timedelta(seconds=10))
    with monkeypatch.context() as patched:
        patched.setattr(service.parts.grants, "renew", dies)
        with pytest.raises(SystemExit):
            service.work()
    with service.parts.database.write() as tx:  # its leases end; the clock stays, or our assertions were of the future
        tx.execute(update(grants).values(renewing_until=None))
        tx.execute(update(outbox).values(leased_until=None))
    service.work()
    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, "reauth")

    people = [one["id"] for one in service.ehr.qa(EHR, "resources/Practitioner")]
    other = next(one for one in people if one not in chart.launch().fhir_user)
    service.open_chart(ehr=EHR, patient="Cho, Raymond", user=other)
    service.work()
    assert chart.writeback().stage is Stage.PARKED

    service.open_chart(ehr=EHR, patient="Cho, Raymond")
    service.work()
    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 1)


def test_a_token_that_could_end_on_the_way_is_not_used(service: Service) -> None:
    """F20: its life is longer than everything that may happen to one request, or nothing is sent under it."""
    limits = EgressPolicy(frozenset())
    longest = limits.connect_timeout_seconds + limits.read_timeout_seconds + limits.body_timeout_seconds
    assert timedelta(seconds=longest) < MARGIN
    chart = service.signed(ehr=EHR)
    sent = len(service.ehr.qa(EHR, "writes"))
    service.change_grants(refresh_token=None, expires_at=service.clock() + MARGIN - timedelta(seconds=5))

    service.work()

    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, "reauth")
    assert (chart.writeback().attempts, len(service.ehr.qa(EHR, "writes"))) == (0, sent)


def test_an_ehr_that_drops_our_identifier_gets_no_second_note(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F25: a search for it finds nothing, and that proves nothing."""
    notes = len(service.ehr.qa(EHR, "resources/DocumentReference"))
    chart = service.signed(ehr=EHR)
    adapter = service.parts.ehrs.adapter(TENANTS[EHR])
    mark = service.ehr.back_up(EHR)
    arm(service, EHR, "drop_identifier")
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "send", after(adapter.send))
        with pytest.raises(SystemExit):
            service.work()

    pass_time(service, 12, seconds=31)

    assert len(service.ehr.qa(EHR, "resources/DocumentReference")) == notes + 1
    state = chart.writeback()
    assert (state.stage, state.attempts, state.differences) == (Stage.VERIFIED, 1, ("identifier",))
    service.ehr.act(EHR, "restore_backup", mark=mark)  # else it could be taken for one of the tests after this one


def test_a_job_that_takes_too_long_for_redis_still_records_what_it_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F33: the limit is above whatever a job may do; where it strikes all the same, what is on the wire is awaited."""
    assert timedelta(seconds=JOB_TIMEOUT_SECONDS) > LONGEST_RUN + LONGEST_STEP
    before = len(our_notes(service, EHR))
    chart = service.signed(ehr=EHR)
    drain = service.parts.drain

    def interrupted(_at_work: object) -> int:
        raise JobTimeoutException

    partition = Partition(chart.launch().tenant_id, chart.writeback().order.workflow)
    with monkeypatch.context() as patched:
        patched.setattr(drain, "_collect", interrupted)
        with pytest.raises(JobTimeoutException):
            drain.run(partition)
    assert chart.writeback().stage is Stage.FILED
    service.work()

    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 1)
    assert len(our_notes(service, EHR)) == before + 1


def test_a_provenance_that_is_not_taken_for_long_is_an_alarm_for_operations(service: Service) -> None:
    """F29: the note is in the chart; that its Provenance still waits shows by its age."""
    chart = service.signed(ehr=EHR)
    arm(service, EHR, "answer_429", resource_type="Provenance", times=50)

    pass_time(service, 5, minutes=8)
    service.ehr.clear_faults(EHR)

    assert (chart.writeback().stage, chart.writeback().provenance_settled) == (Stage.VERIFIED, False)
    with service.parts.database.read() as tx:
        waits = next(one for one in depths(tx, service.clock()) if one.partition.tenant_id == TENANTS[EHR])
    assert waits.undelivered is not None
    assert service.clock() - waits.undelivered > UNDELIVERED_TOO_LONG


@pytest.mark.parametrize(
    "error",
    [OperationalError("COMMIT", {}, Exception("away")), TransactionLost("given up"), PoolTimeout("no connection")],
    ids=["away", "lost", "pool"],
)
def test_an_acceptance_for_later_is_recorded_although_the_database_failed_once(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """F07, F37, I3: else it would count as interrupted, and be sent again while the EHR may yet file it."""
    chart = service.signed(ehr="reference")
    adapter = service.parts.ehrs.adapter(TENANTS["reference"])
    monkeypatch.setattr(adapter, "send", lambda *_: Receipt(202, None, None, None, b""))
    carry_out, failed = WritebackCommands.by_worker, []

    def by_worker(self: Any, tx: Any, lease: Any, command: Any, now: Any, **how: Any) -> None:
        if isinstance(command, MarkUnknown) and not failed:
            failed.append(command.reason)
            raise error
        carry_out(self, tx, lease, command, now, **how)

    monkeypatch.setattr(WritebackCommands, "by_worker", by_worker)
    with service.parts.database.read() as tx:
        (partition,) = due_partitions(tx, service.clock())
    service.parts.drain.run(partition)

    assert failed == [ACCEPTED_NOT_FILED]
    assert chart.writeback().unknown_for == ACCEPTED_NOT_FILED
