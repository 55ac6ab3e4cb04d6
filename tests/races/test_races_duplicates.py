"""When the chart holds our note twice a person must know, whichever way we came to look."""

import requests

from app.writebacks.state import Stage
from tests.service import OpenChart, Service


def file_once_more(service: Service, chart: OpenChart) -> None:
    """What a worker does that slept through its lease between the record of its attempt and its first byte."""
    parts = service.parts
    tenant = chart.launch().tenant_id
    with parts.database.read() as tx:
        payload = parts.artifacts.open(tx, tenant, chart.writeback().queued.payload)
        grant = parts.grants.open(tx, tenant, chart.launch_id, service.clock())
    reply = requests.post(
        f"{service.ehr.local}/epic/api/FHIR/R4/DocumentReference",
        data=payload,
        headers={"Authorization": f"Bearer {grant.access_token}", "Content-Type": "application/fhir+json"},
        timeout=10,
    )
    assert reply.status_code == 201, reply.text


def test_a_note_that_was_filed_without_an_id_and_is_found_twice_is_given_to_a_person(service: Service) -> None:
    """F16, F27."""
    chart = service.signed()
    service.ehr.arm("epic", interaction="create", resource_type="DocumentReference", fault="commit_without_location")
    service.ehr.arm("epic", interaction="search", resource_type="DocumentReference", fault="answer_500")
    service.work()
    assert chart.writeback().stage is Stage.FILED

    file_once_more(service, chart)
    service.clock.advance(seconds=30)
    service.work()

    state = chart.writeback()
    assert (state.stage, state.parked_for) == (Stage.PARKED, "conflict")


def test_a_note_whose_outcome_is_unknown_and_is_found_twice_is_given_to_a_person(service: Service) -> None:
    """F27."""
    chart = service.signed()
    service.ehr.arm("epic", interaction="create", resource_type="DocumentReference", fault="commit_then_500")
    service.work()
    assert chart.writeback().stage is Stage.OUTCOME_UNKNOWN

    file_once_more(service, chart)
    service.clock.advance(seconds=30)
    service.work()

    state = chart.writeback()
    assert (state.stage, state.parked_for) == (Stage.PARKED, "conflict")
