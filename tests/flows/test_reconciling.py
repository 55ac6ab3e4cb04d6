"""Asking the EHR what became of a write: what counts as an answer, for how long, and what a person is told."""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import select, update

from app.errors import Corrupt
from app.event_log.read import read_stream
from app.outbox import rows as outbox
from app.outbox.pace import Pace
from app.outbox.tables import outbox as outbox_rows
from app.publication.drain import Drain, Drained
from app.publication.provenance import ProvenancePublication
from app.tenants.tables import grants
from app.writebacks.state import Stage, WritebackState
from tests.service import TENANTS, OpenChart, Service

BASES = {"epic": "/epic/api/FHIR/R4", "reference": "/reference/fhir"}
LONG_ENOUGH = {"epic": (300, 60), "reference": (120, 30)}  # as the profiles say


def our_notes(service: Service, ehr: str) -> list[str]:
    return [
        resource["id"]
        for resource in service.ehr.qa(ehr, "resources/DocumentReference")
        if any(one.get("system") == "urn:countersign:note" for one in resource.get("identifier", []))
    ]


def provenances(service: Service) -> int:
    """How many were ever stored, whether a search shows them yet or not."""
    return len([one for one in service.ehr.qa("reference", "writes") if one["resource_type"] == "Provenance"])


def arm(service: Service, ehr: str, fault: str, interaction: str = "create", **more: Any) -> None:
    known = {"interaction": interaction, "resource_type": "DocumentReference", "times": 1}
    service.ehr.arm(ehr, fault=fault, **(known | more))


def pass_time(service: Service, steps: int, **by: float) -> None:
    """Let the worker look again and again, with tokens that do not end."""
    for _ in range(steps):
        service.work()
        service.clock.advance(**by)
        with service.parts.database.write() as tx:
            tx.execute(update(grants).values(expires_at=service.clock() + timedelta(hours=1)))


def tags(service: Service, chart: OpenChart) -> list[str]:
    note = chart.note()
    with service.parts.database.read() as tx:
        stream = read_stream(tx, note.tenant_id, f"writeback:{note.state.signed.writeback_id}")
        return [one.event.tag for one in stream]


def due_in(service: Service, chart: OpenChart) -> timedelta | None:
    """How long until the write is worked on again; None when nothing is left to do."""
    query = select(outbox_rows.c.due_at).where(outbox_rows.c.writeback_id == chart.note().state.signed.writeback_id)
    with service.parts.database.read() as tx:
        due_at = tx.execute(query).scalar_one_or_none()
    return due_at - service.clock() if isinstance(due_at, datetime) else None


def file_behind_our_back(service: Service, chart: OpenChart, ehr: str) -> None:
    """The note reaches the chart although nobody here was told so."""
    tenant = chart.launch().tenant_id
    with service.parts.database.read() as tx:
        payload = service.parts.artifacts.open(tx, tenant, chart.writeback().queued.payload)
        grant = service.parts.grants.open(tx, tenant, chart.launch_id, service.clock())
    reply = requests.post(
        f"{service.ehr.local}{BASES[ehr]}/DocumentReference",
        data=payload,
        headers={"Authorization": f"Bearer {grant.access_token}", "Content-Type": "application/fhir+json"},
        timeout=10,
    )
    assert reply.status_code == 201, reply.text


@contextmanager
def a_visit_document_whose_text_is_gone(service: Service, chart: OpenChart) -> Iterator[None]:
    """Another document of the same visit, whose attachment leads to a 404."""
    launch = chart.launch()
    document = next(
        one
        for one in service.ehr.qa("epic", "resources/DocumentReference")
        if one["subject"]["reference"] == launch.patient
        and {"reference": launch.encounter}.items() <= (one.get("context", {}).get("encounter") or [{}])[0].items()
        and "url" in one["content"][0]["attachment"]
    )
    broken = copy.deepcopy(document)
    attachment = broken["content"][0]["attachment"]
    attachment["url"] = attachment["url"].rsplit("/", 1)[0] + "/gone"
    service.ehr.edit("epic", "DocumentReference", broken)
    yield
    service.ehr.edit("epic", "DocumentReference", document)


# --- what is an answer


def test_the_missing_text_of_another_document_does_not_hide_our_note(service: Service) -> None:
    chart = service.signed()
    before = len(our_notes(service, "epic"))
    with a_visit_document_whose_text_is_gone(service, chart):
        arm(service, "epic", "commit_then_500")
        pass_time(service, 8, seconds=15)

    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 1)
    assert len(our_notes(service, "epic")) == before + 1


def test_while_a_document_cannot_be_read_nothing_is_said_to_be_absent_and_a_person_is_asked(service: Service) -> None:
    chart = service.signed()
    with a_visit_document_whose_text_is_gone(service, chart):
        arm(service, "epic", "answer_500")
        pass_time(service, 40, seconds=30)

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.absences) == (Stage.PARKED, "unreadable", 0)
    assert "It is not sent again" in chart.status()["html"]


# --- how long absence is asked for


@pytest.mark.parametrize("vendor", ["epic", "reference"])
def test_a_note_that_appears_before_the_longest_execution_has_passed_is_adopted(service: Service, vendor: str) -> None:
    """F10, F26."""
    longest, _ = LONG_ENOUGH[vendor]
    chart = service.signed(ehr=vendor)
    before = len(our_notes(service, vendor))
    arm(service, vendor, "answer_500")
    pass_time(service, (longest - 30) // 10, seconds=10)
    assert (chart.writeback().stage, chart.writeback().absences) == (Stage.OUTCOME_UNKNOWN, 0)

    file_behind_our_back(service, chart, vendor)
    pass_time(service, 20, seconds=10)

    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 1)
    assert len(our_notes(service, vendor)) == before + 1


def test_an_ehr_that_stores_the_note_after_we_stopped_listening_gets_it_once(service: Service) -> None:
    """F10, I1."""
    chart = service.signed(patient="Nair, Priya")
    tenant = service.parts.tenants.require("harbor-epic")
    adapter = service.parts.ehrs.session(tenant).get_adapter(tenant.fhir_base)
    adapter._policy = replace(adapter._policy, read_timeout_seconds=0.5)
    before = len(our_notes(service, "epic"))
    arm(service, "epic", "slow", seconds=2)

    pass_time(service, 3, seconds=11)
    assert chart.writeback().stage is Stage.OUTCOME_UNKNOWN
    time.sleep(2.5)
    pass_time(service, 5, seconds=30)

    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 1)
    assert len(our_notes(service, "epic")) == before + 1


def test_two_absences_lie_a_search_lag_apart_whoever_asks_in_between(service: Service) -> None:
    """F26."""
    longest, lag = LONG_ENOUGH["reference"]
    chart = service.signed(ehr="reference")
    arm(service, "reference", "answer_500")
    service.work()
    service.clock.advance(seconds=longest)
    service.work()
    assert chart.writeback().absences == 1

    make_due(service, chart)
    service.work()
    assert (chart.writeback().stage, chart.writeback().absences) == (Stage.OUTCOME_UNKNOWN, 1)
    service.clock.advance(seconds=lag)
    service.work()
    assert chart.writeback().stage is Stage.QUEUED


def make_due(service: Service, chart: OpenChart) -> None:
    """What the signer's new launch does to a write that waits."""
    with service.parts.database.write() as tx:
        tx.execute(update(outbox_rows).values(due_at=service.clock()))


def test_a_note_that_was_sent_twice_and_stands_twice_is_given_to_a_person_and_not_verified(service: Service) -> None:
    """C07, C09, F27: where a condition was ignored."""
    longest, lag = LONG_ENOUGH["reference"]
    chart = service.signed(ehr="reference")
    arm(service, "reference", "answer_500")
    arm(service, "reference", "condition_ignored", times=2)
    service.work()
    service.clock.advance(seconds=longest)
    service.work()
    service.clock.advance(seconds=lag)
    service.work()
    assert chart.writeback().stage is Stage.QUEUED

    file_behind_our_back(service, chart, "reference")  # the first send, later than anybody thought possible
    pass_time(service, 3, seconds=30)

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "conflict", 2)


def test_a_refusal_because_of_a_duplicate_of_our_own_is_our_own_success(service: Service) -> None:
    """C09, C15."""
    chart = service.signed()
    before = len(our_notes(service, "epic"))
    file_behind_our_back(service, chart, "epic")
    arm(service, "epic", "answer_409")
    pass_time(service, 4, seconds=60)

    assert chart.writeback().stage is Stage.VERIFIED
    assert len(our_notes(service, "epic")) == before + 1


@pytest.mark.parametrize("fault", ["answer_409", "answer_412"])
@pytest.mark.parametrize("vendor", ["epic", "reference"])
def test_a_conflict_with_something_that_is_not_ours_is_given_to_a_person(
    service: Service, vendor: str, fault: str
) -> None:
    """C06, C09, C15, F15."""
    chart = service.signed(ehr=vendor)
    arm(service, vendor, fault)
    pass_time(service, 10, seconds=60)

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "conflict", 1)


# --- what cannot be read


@pytest.mark.parametrize("fault", ["answer_403", "answer_500"])
def test_a_read_back_that_never_succeeds_ends_with_a_person(service: Service, fault: str) -> None:
    """I7."""
    chart = service.signed(patient="Cho, Raymond")
    arm(service, "epic", fault, interaction="read", times=None)
    pass_time(service, 5, minutes=2)
    assert chart.writeback().stage is Stage.FILED
    pass_time(service, 5, minutes=2)

    status = chart.status()
    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, "unreadable")
    assert (status["settled"], due_in(service, chart)) == (True, None)
    assert "It is not sent again" in status["html"]


def test_a_search_that_never_succeeds_ends_with_a_person(service: Service) -> None:
    """I3, I7."""
    chart = service.signed()
    arm(service, "epic", "answer_500")
    arm(service, "epic", "answer_403", interaction="search", times=None)
    pass_time(service, 10, minutes=2)

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "unreadable", 1)


@pytest.mark.parametrize(
    ("interaction", "fault", "stage"),
    [
        ("create", "answer_429", Stage.QUEUED),
        ("create", "answer_503_date", Stage.OUTCOME_UNKNOWN),
        ("read", "answer_429", Stage.FILED),
    ],
)
def test_a_retry_after_is_obeyed(service: Service, interaction: str, fault: str, stage: Stage) -> None:
    """C16, F12."""
    chart = service.signed()
    arm(service, "epic", fault, interaction=interaction, seconds=600)
    service.work()

    wait = due_in(service, chart)
    assert chart.writeback().stage is stage
    assert wait is not None
    assert timedelta(seconds=590) < wait <= timedelta(seconds=600)


# --- the Provenance


def test_our_provenance_is_recognised_by_what_it_says_and_not_by_what_it_contains(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers make contained resources their own, and answer the POST with an error all the same."""
    adapter = service.parts.ehrs.adapter(TENANTS["reference"])
    finding = adapter.find_provenance
    without = {"contained"}
    monkeypatch.setattr(
        adapter,
        "find_provenance",
        lambda *asked: [{k: v for k, v in one.items() if k not in without} for one in finding(*asked)],
    )
    before = provenances(service)
    chart = service.signed(ehr="reference")
    arm(service, "reference", "commit_then_500", resource_type="Provenance", times=None)
    pass_time(service, 20, seconds=15)

    assert provenances(service) == before + 1
    assert tags(service, chart)[-2:] == ["writeback:provenance:begun", "writeback:provenance:filed"]


@pytest.mark.parametrize("name", ["target", "agent", "recorded"])
def test_a_provenance_of_another_note_author_or_instant_is_not_ours(
    service: Service, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """C25."""
    others = {
        "target": [{"reference": "DocumentReference/another"}, "odd"],
        "agent": [{"who": {"reference": "Practitioner/another"}}, "odd", {"who": None}],
        "recorded": "2020-01-01T00:00:00Z",
    }
    adapter = service.parts.ehrs.adapter(TENANTS["reference"])
    finding = adapter.find_provenance
    monkeypatch.setattr(
        adapter, "find_provenance", lambda *asked: [one | {name: others[name]} for one in finding(*asked)]
    )
    before = provenances(service)
    chart = service.signed(ehr="reference")
    arm(service, "reference", "commit_then_500", resource_type="Provenance", times=None)
    pass_time(service, 20, seconds=60)

    assert provenances(service) == before + 2  # the most that an EHR can be sent without a clear answer
    assert tags(service, chart).count("writeback:provenance:begun") == 2
    assert tags(service, chart)[-1] == "writeback:provenance:refused"
    assert (chart.writeback().stage, due_in(service, chart)) == (Stage.VERIFIED, None)


def test_a_worker_killed_after_the_provenance_left_leaves_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C25, F29."""
    before = provenances(service)
    chart = service.signed(ehr="reference")
    arm(service, "reference", "search_lag", resource_type="Provenance", seconds=1)
    with monkeypatch.context() as patched:
        patched.setattr(ProvenancePublication, "_record", dying_after_the_send(ProvenancePublication._record))
        with pytest.raises(SystemExit):
            service.work()
    service.clock.advance(seconds=40)  # its lease has ended
    service.work()
    assert provenances(service) == before + 1  # nothing is found yet, and nothing is sent again yet

    time.sleep(1)
    pass_time(service, 10, seconds=30)

    assert provenances(service) == before + 1
    assert tags(service, chart)[-1] == "writeback:provenance:filed"


def dying_after_the_send(record: Callable[..., None]) -> Callable[..., None]:
    def until_it_left(self: ProvenancePublication, lease: outbox.Lease, command: Any, **kwargs: Any) -> None:
        if not kwargs.get("keep_lease"):
            raise SystemExit
        record(self, lease, command, **kwargs)

    return until_it_left


@pytest.mark.parametrize("ended", ["refused", "expired"])
def test_a_provenance_whose_token_ended_waits_for_its_signer_and_the_note_stays_in_the_chart(
    service: Service, ended: str
) -> None:
    """F29."""
    before = provenances(service)
    chart = service.signed(ehr="reference", patient="Cho, Raymond")
    if ended == "refused":
        arm(service, "reference", "answer_401", resource_type="Provenance", times=2)  # under a renewed token too
        service.work()
    else:
        arm(service, "reference", "answer_500", resource_type="Provenance", interaction="search")
        service.work()
        service.end_tokens()
        service.clock.advance(seconds=30)
        service.work()
        service.clock.ahead *= 0
    state, status = chart.writeback(), chart.status()
    assert (state.parked_from, state.parked_for, state.provenance_settled) == (Stage.VERIFIED, "reauth", False)
    assert due_in(service, chart) is None
    assert "In the chart." in status["html"]
    assert "Provenance" in status["html"]

    service.open_chart(ehr="reference", patient="Cho, Raymond")
    service.work()

    assert provenances(service) == before + 1
    assert chart.writeback().stage is Stage.VERIFIED
    assert tags(service, chart)[-1] == "writeback:provenance:filed"


def test_a_provenance_that_was_certainly_not_taken_is_sent_as_often_as_it_needs(service: Service) -> None:
    """F29."""
    before = provenances(service)
    chart = service.signed(ehr="reference")
    arm(service, "reference", "answer_429", resource_type="Provenance", seconds=20, times=4)
    pass_time(service, 10, seconds=30)

    assert provenances(service) == before + 1
    assert tags(service, chart).count("writeback:provenance:postponed") == 4
    assert tags(service, chart)[-1] == "writeback:provenance:filed"


@pytest.mark.parametrize("interaction", ["create", "search"])
def test_a_provenance_that_the_ehr_does_not_want_is_kept(service: Service, interaction: str) -> None:
    """C26."""
    chart = service.signed(ehr="reference")
    arm(service, "reference", "answer_403", resource_type="Provenance", interaction=interaction)
    service.work()
    assert tags(service, chart)[-1] == "writeback:provenance:refused"
    assert chart.writeback().stage is Stage.VERIFIED


def test_an_ehr_that_can_never_be_asked_about_a_provenance_gets_none(service: Service) -> None:
    before = provenances(service)
    chart = service.signed(ehr="reference")
    arm(service, "reference", "answer_500", resource_type="Provenance", interaction="search", times=None)
    pass_time(service, 12, minutes=2)

    assert provenances(service) == before
    assert tags(service, chart)[-1] == "writeback:provenance:refused"
    assert due_in(service, chart) is None


# --- the drain


def test_a_corrupt_write_whose_lease_was_lost_does_not_stop_the_drain(service: Service) -> None:
    """Putting it off for an hour fails like any other result when another worker has the write by then."""
    charts = [service.signed(), service.signed(patient="Nair, Priya")]

    def overtaken(lease: outbox.Lease, state: WritebackState) -> None:
        taken = {"fence": lease.fence + 1, "leased_until": service.clock() + timedelta(minutes=5)}
        with service.parts.database.write() as tx:
            tx.execute(update(outbox_rows).where(outbox_rows.c.writeback_id == lease.writeback_id).values(**taken))
        raise Corrupt("What is stored contradicts itself.")

    parts, pace = service.parts, Pace(service.parts.database, service.clock)
    drain = Drain(parts.database, service.clock, timedelta(seconds=30), {Stage.QUEUED: overtaken}, pace, parts.tenants)
    partition = outbox.Partition(charts[0].launch().tenant_id, charts[0].writeback().order.workflow)

    assert drain.run(partition) == Drained(steps=2, is_empty=True)
