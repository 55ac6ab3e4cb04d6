"""The reference EHR's writes, asked in process: versions, patches, what replaces what, every kind of resource."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sandbox.in_process import Asked

JSON_PATCH = {"Content_Type": "application/json-patch+json"}
PATIENT = {"reference": "Patient/1001"}
CODE = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
VITAL_SIGNS = [{"coding": [{"code": "vital-signs"}]}]


@pytest.fixture(scope="module")
def shared() -> Asked:
    return Asked()


@pytest.fixture
def ehr(shared: Asked) -> Iterator[Asked]:
    yield shared
    shared.ehr.faults.clear()


def test_an_update_under_the_present_version_is_kept_and_a_stale_one_is_not(ehr: Asked) -> None:
    """B23: If-Match decides, and the writes name whose token it was."""
    note = ehr.file()
    place = f"DocumentReference/{note['id']}"
    first = ehr.ask("PUT", place, {**note, "docStatus": "amended"}, If_Match='W/"1"')
    assert (first.status, first.headers["ETag"], first.json["docStatus"]) == (200, 'W/"2"', "amended")
    assert ehr.ask("PUT", place, {**note, "docStatus": "final"}, If_Match='W/"1"').status == 412
    assert ehr.ask("GET", f"{place}/_history/1").json["docStatus"] == "final"
    assert [entry["resource"]["docStatus"] for entry in ehr.ask("GET", f"{place}/_history").json["entry"]] == [
        "amended",
        "final",
    ]
    written = [one for one in ehr.ehr.store.everything() if one.id == note["id"]]
    assert [(one.version.version, one.subject) for one in written] == [(1, "dr-1"), (2, "dr-1")]


def test_a_server_can_demand_versioned_updates_or_ignore_versions(ehr: Asked) -> None:
    """B23."""
    note = ehr.file()
    place = f"DocumentReference/{note['id']}"
    ehr.arm("version_required", interaction="update", times=None)
    assert ehr.ask("PUT", place, note).status == 400
    assert ehr.ask("PUT", place, note, If_Match='W/"1"').status == 200
    ehr.ehr.faults.clear()
    ehr.arm("version_ignored")
    assert ehr.ask("PUT", place, note, If_Match='W/"1"').status == 200, "the last one wins"


def test_a_patch_with_a_failed_test_or_a_stale_version_changes_nothing(ehr: Asked) -> None:
    """B23."""
    note = ehr.file()
    place = f"DocumentReference/{note['id']}"
    test = {"op": "test", "path": "/status", "value": "current"}
    change = {"op": "replace", "path": "/status", "value": "entered-in-error"}
    assert ehr.ask("PATCH", place, [test, change], If_Match='W/"1"', **JSON_PATCH).json["status"] == "entered-in-error"
    assert ehr.ask("PATCH", place, [test, change], If_Match='W/"2"', **JSON_PATCH).status == 422
    assert ehr.ask("PATCH", place, [change], If_Match='W/"1"', **JSON_PATCH).status == 412
    assert ehr.ask("GET", place).headers["ETag"] == 'W/"2"'


@pytest.mark.parametrize("by", ["reference", "identifier"])
def test_what_a_document_replaces_is_superseded(ehr: Asked, by: str) -> None:
    """B23: relatesTo replaces, by reference or by our identifier; a knob leaves the old one current."""
    old = ehr.file("First.")
    place = f"DocumentReference/{old['id']}"
    target = {"reference": place} if by == "reference" else {"identifier": old["identifier"][0]}
    ehr.arm("replaces_ignored", interaction="create")
    relates = [{"code": "replaces", "target": target}]
    ehr.file("Second.", relatesTo=relates)
    assert ehr.ask("GET", place).json["status"] == "current"
    ehr.file("Second.", relatesTo=relates)
    superseded = ehr.ask("GET", place)
    assert (superseded.json["status"], superseded.headers["ETag"]) == ("superseded", 'W/"2"')
    ehr.file("More.", relatesTo=[{"code": "appends", "target": {"reference": place}}])
    assert ehr.ask("GET", place).headers["ETag"] == 'W/"2"', "an addendum changes nothing else"


def test_a_document_replaces_nothing_in_another_chart(ehr: Asked) -> None:
    foreign = ehr.file(subject={"reference": "Patient/1002"})
    ehr.file(relatesTo=[{"code": "replaces", "target": {"reference": f"DocumentReference/{foreign['id']}"}}])
    assert ehr.ask("GET", f"DocumentReference/{foreign['id']}").json["status"] == "current"


ENTRIES: list[tuple[dict[str, Any], str]] = [
    (
        {"resourceType": "Observation", "status": "final", "code": CODE, "category": VITAL_SIGNS, "subject": PATIENT}
        | {"effectiveDateTime": "2031-02-03T10:00:00Z", "valueQuantity": {"value": 71}},
        "category=vital-signs&code=http://loinc.org|8867-4&date=2031-02-03",
    ),
    (
        {"resourceType": "Condition", "code": CODE, "subject": PATIENT, "recordedDate": "2031-02-03"}
        | {"category": [{"coding": [{"code": "problem-list-item"}]}]},
        "category=problem-list-item&recorded-date=2031-02-03",
    ),
    (
        {"resourceType": "AllergyIntolerance", "code": CODE, "patient": PATIENT, "recordedDate": "2031-02-03"},
        "code=8867-4&date=ge2031-02-01",
    ),
    (
        {"resourceType": "Task", "status": "requested", "intent": "order", "for": PATIENT, "authoredOn": "2031-02-03"},
        "status=requested&authored-on=2031-02-03",
    ),
    (
        {"resourceType": "Communication", "status": "completed", "subject": PATIENT, "sent": "2031-02-03T10:00:00Z"},
        "status=completed&sent=2031-02",
    ),
    (
        {"resourceType": "MedicationRequest", "status": "draft", "intent": "proposal", "subject": PATIENT}
        | {"medicationCodeableConcept": CODE, "authoredOn": "2031-02-03"},
        "status=draft&intent=proposal&authoredon=2031-02-03",
    ),
]


@pytest.mark.parametrize(("entry", "query"), ENTRIES, ids=[entry["resourceType"] for entry, _ in ENTRIES])
def test_every_kind_of_entry_is_created_found_updated_and_guarded_by_its_scopes(
    ehr: Asked, entry: dict[str, Any], query: str
) -> None:
    """B23: create, search by identifier and by patient, update, and the c, r, u and s of each scope."""
    kind = entry["resourceType"]
    identifier = {"system": "urn:test", "value": f"entry-{kind}"}
    sent = {**entry, "identifier": [identifier]}
    assert ehr.ask("POST", kind, sent, token=ehr.granted(f"user/{kind}.rus")).status == 403
    stored = ehr.ask("POST", kind, sent, token=ehr.granted(f"user/{kind}.c")).json
    assert ehr.total(f"{kind}?identifier=urn:test|{identifier['value']}") == 1
    assert ehr.total(f"{kind}?patient=1001&{query}") == 1
    assert ehr.total(f"{kind}?patient=1002&{query}") == 0
    place = f"{kind}/{stored['id']}"
    assert ehr.ask("PUT", place, stored, token=ehr.granted(f"user/{kind}.crs"), If_Match='W/"1"').status == 403
    assert ehr.ask("PUT", place, stored, token=ehr.granted(f"user/{kind}.u"), If_Match='W/"1"').status == 200
    assert ehr.ask("GET", place, token=ehr.granted(f"user/{kind}.cus")).status == 403
    assert ehr.ask("GET", f"{kind}?patient=1001", token=ehr.granted(f"user/{kind}.cru")).status == 403


def test_an_encounters_metadata_is_patched_under_its_version(ehr: Asked) -> None:
    visit = ehr.ask("GET", "Encounter?patient=1001&status=in-progress").json["entry"][0]["resource"]
    change = [
        {"op": "test", "path": "/status", "value": "in-progress"},
        {"op": "add", "path": "/reasonCode", "value": [{"text": "Cough"}]},
    ]
    etag = f'W/"{visit["meta"]["versionId"]}"'
    assert ehr.ask("PATCH", f"Encounter/{visit['id']}", change, If_Match=etag, **JSON_PATCH).status == 200
    assert ehr.ask("PATCH", f"Encounter/{visit['id']}", change, If_Match=etag, **JSON_PATCH).status == 412


def test_x_provenance_is_kept_with_what_it_came_with_or_nothing_is(ehr: Asked) -> None:
    agent = {"who": {"reference": "Practitioner/dr-1"}}
    header = '{"recorded": "2026-11-22T10:00:00Z", "agent": [{"who": {"reference": "Practitioner/dr-1"}}]}'
    note = ehr.ask("POST", "DocumentReference", ehr.note(), X_Provenance=header).json
    found = ehr.ask("GET", f"Provenance?target=DocumentReference/{note['id']}").json["entry"][0]["resource"]
    assert found["agent"] == [agent]
    assert found["target"] == [{"reference": f"DocumentReference/{note['id']}/_history/1"}]
    before = len(ehr.ehr.store.current("DocumentReference"))
    assert ehr.ask("POST", "DocumentReference", ehr.note(), X_Provenance="{}").status == 422
    assert len(ehr.ehr.store.current("DocumentReference")) == before


def test_threads_of_one_process_share_an_ehr_in_memory(ehr: Asked) -> None:
    note = ehr.note()
    condition = f"identifier=urn:test|{note['identifier'][0]['value']}"
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(ehr.ask, "POST", "DocumentReference", note, If_None_Exist=condition) for _ in range(8)]
    assert sorted(reply.result().status for reply in sent) == [200] * 7 + [201]
