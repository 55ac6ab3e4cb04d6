"""The reference personality: plain FHIR R4, everything works."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import TIMEOUT, App, base64_of


@pytest.fixture
def app(sandbox: RunningSandbox) -> App:
    return App(sandbox).launched()


def test_a_create_answers_location_etag_and_the_stored_resource(app: App) -> None:
    reply = app.fhir("POST", "DocumentReference", {**app.note("Ünïcode"), "id": "mine", "meta": {"versionId": "9"}})
    assert reply.status_code == 201
    stored = reply.json()
    assert stored["id"] != "mine"
    assert reply.headers["ETag"] == 'W/"1"'
    base = app.opened["iss"]
    assert reply.headers["Location"] == f"{base}/DocumentReference/{stored['id']}/_history/1"
    read = app.fhir("GET", f"DocumentReference/{stored['id']}")
    assert read.headers["ETag"] == 'W/"1"'
    assert read.json()["content"][0]["attachment"]["data"] == base64_of("Ünïcode")


@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        ("return=minimal", None),
        ("return=representation", "DocumentReference"),
        ("return=OperationOutcome", "OperationOutcome"),
    ],
)
def test_prefer_is_honoured(app: App, prefer: str, kind: str | None) -> None:
    reply = app.fhir("POST", "DocumentReference", app.note(), Prefer=prefer)
    assert reply.status_code == 201
    assert (reply.json()["resourceType"] if reply.content else None) == kind


def test_an_update_needs_the_version_it_read(app: App) -> None:
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    place = f"DocumentReference/{note['id']}"
    amended = {**note, "docStatus": "amended"}
    first = app.fhir("PUT", place, amended, If_Match='W/"1"')
    assert (first.status_code, first.headers["ETag"]) == (200, 'W/"2"')
    stale = app.fhir("PUT", place, amended, If_Match='W/"1"')
    assert stale.status_code == 412
    assert stale.json()["resourceType"] == "OperationOutcome"
    assert app.fhir("GET", f"{place}/_history/1").json()["docStatus"] == "final"
    history = app.fhir("GET", f"{place}/_history").json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["PUT", "POST"]


def test_a_json_patch_changes_one_element_and_a_failed_test_changes_nothing(app: App) -> None:
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    place, content_type = f"DocumentReference/{note['id']}", "application/json-patch+json"
    patch = [{"op": "test", "path": "/status", "value": "current"}]
    change = {"op": "replace", "path": "/status", "value": "entered-in-error"}
    done = app.fhir("PATCH", place, [*patch, change], Content_Type=content_type, If_Match='W/"1"')
    assert (done.status_code, done.json()["status"]) == (200, "entered-in-error")
    assert app.fhir("PATCH", place, [*patch, change], Content_Type=content_type).status_code == 422
    stale = app.fhir("PATCH", place, [change], Content_Type=content_type, If_Match='W/"1"')
    assert stale.status_code == 412


def test_a_deleted_resource_is_gone_and_its_history_stays(app: App) -> None:
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    place = f"DocumentReference/{note['id']}"
    assert app.fhir("DELETE", place).status_code == 204
    assert app.fhir("GET", place).status_code == 410
    assert app.fhir("GET", f"{place}/_history").json()["total"] == 2


def test_a_conditional_create_has_its_three_outcomes(app: App) -> None:
    note = app.note()
    identifier = note["identifier"][0]
    condition = f"identifier={identifier['system']}|{identifier['value']}"
    first = app.fhir("POST", "DocumentReference", note, If_None_Exist=condition)
    again = app.fhir("POST", "DocumentReference", note, If_None_Exist=condition)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    app.fhir("POST", "DocumentReference", note)
    assert app.fhir("POST", "DocumentReference", note, If_None_Exist=condition).status_code == 412


def test_ten_conditional_creates_at_once_make_one_note(app: App) -> None:
    note = app.note()
    identifier = note["identifier"][0]
    condition = f"identifier={identifier['system']}|{identifier['value']}"
    with ThreadPoolExecutor(10) as pool:
        replies = list(
            pool.map(
                lambda _: app.fhir("POST", "DocumentReference", note, If_None_Exist=condition).status_code, range(10)
            )
        )
    assert sorted(replies) == [200] * 9 + [201]


def test_searches_narrow_by_what_is_asked(app: App) -> None:
    app.fhir("POST", "DocumentReference", {**app.note(), "date": "2031-05-06T10:00:00Z"})
    encounter = app.grant["encounter"]

    def total(query: str) -> int:
        return int(app.fhir("GET", f"DocumentReference?patient=1001&{query}").json()["total"])

    assert total("date=ge2031-05-06&date=lt2031-05-07") == 1
    assert total("date=2031-05") == 1
    assert total("date=gt2031-05-06") == 0
    assert total(f"encounter=Encounter/{encounter}&type=http://loinc.org|11506-3") >= 1
    assert total("type=nothing") == 0
    assert total("category=clinical-note,intake") == total("category=clinical-note") + total("category=intake")
    assert total("author=Practitioner/dr-1&docstatus=final") >= 2
    assert app.fhir("GET", "Encounter?patient=1001&status=in-progress").json()["total"] == 1
    assert app.fhir("GET", "MedicationRequest?patient=Patient/1001&status=active").json()["total"] == 3
    assert app.fhir("GET", "Observation?patient=1001&category=laboratory").json()["total"] == 4
    assert app.fhir("GET", "Patient?_id=1001").json()["total"] == 1


def test_pages_are_followed_to_the_end_without_loss(app: App) -> None:
    url, seen = f"{app.base}/Observation?patient=1001&_count=4", []
    while url:
        path = url.partition("/fhir/")[2]
        bundle = app.fhir("GET", path).json()
        assert len(bundle["entry"]) <= 4
        seen += [entry["resource"]["id"] for entry in bundle["entry"]]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    assert len(seen) == len(set(seen)) == bundle["total"]


def test_b22_every_document_has_a_responsible_organisation(app: App) -> None:
    """B22."""
    bundle = app.fhir("GET", "DocumentReference?patient=1002&_revinclude=Provenance:target").json()
    documents = [entry for entry in bundle["entry"] if entry["search"]["mode"] == "match"]
    provenances = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
    assert len(documents) >= 3
    assert all(entry["resource"]["custodian"]["reference"].startswith("Organization/") for entry in documents)
    assert provenances
    assert all(agent["onBehalfOf"] for provenance in provenances for agent in provenance["agent"])


def test_a_provenance_is_found_by_its_version_specific_target(app: App) -> None:
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    target = f"DocumentReference/{note['id']}/_history/1"
    provenance = {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": "2026-11-22T10:00:00Z",
        "agent": [{"who": {"reference": "Practitioner/dr-1"}}],
    }
    assert app.fhir("POST", "Provenance", provenance).status_code == 201
    assert app.fhir("GET", f"Provenance?target=DocumentReference/{note['id']}").json()["total"] == 1
    assert app.fhir("GET", f"Provenance?target={target}").json()["total"] == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/fhir+json", 400),
        ('{"resourceType": "Patient"}', "application/fhir+json", 400),
        ('{"resourceType": "DocumentReference"}', "application/fhir+json", 422),
        ('{"resourceType": "DocumentReference"}', "text/plain", 415),
    ],
)
def test_a_bad_body_gets_an_operation_outcome(app: App, body: str, content_type: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {app.grant['access_token']}", "Content-Type": content_type}
    reply = requests.post(f"{app.base}/DocumentReference", data=body, headers=headers, timeout=TIMEOUT)
    assert reply.status_code == status
    assert reply.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic abc"])
def test_without_a_valid_token_there_is_nothing(app: App, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    reply = requests.get(f"{app.base}/Patient/1001", headers=headers, timeout=TIMEOUT)
    assert reply.status_code == 401
    assert "Bearer" in reply.headers["WWW-Authenticate"]


def test_strict_handling_refuses_an_unknown_parameter_and_lenient_says_what_it_ignored(app: App) -> None:
    path = "Condition?patient=1001&shoe-size=43"
    assert app.fhir("GET", path, Prefer="handling=strict").status_code == 400
    entries = app.fhir("GET", path).json()["entry"]
    assert entries[-1]["search"]["mode"] == "outcome"


def test_the_qa_api_tells_which_token_wrote_what(sandbox: RunningSandbox, app: App) -> None:
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    write = sandbox.qa("reference", "writes")[-1]
    assert (write["resource_type"], write["id"], write["interaction"]) == ("DocumentReference", note["id"], "create")
    assert write["token_sha256"] == sandbox.qa("reference", "tokens")[-1]["token_sha256"]
    assert (write["subject"], write["patient"]) == ("dr-1", "1001")


def test_a_person_can_change_a_note_in_the_chart_behind_the_apps_back(sandbox: RunningSandbox, app: App) -> None:
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    place = f"DocumentReference/{note['id']}"
    changed = json.loads(json.dumps(note))
    changed["content"][0]["attachment"]["data"] = base64_of("Edited in the chart")
    requests.put(f"{sandbox.local}/qa/reference/resources/{place}", json=changed, timeout=TIMEOUT).raise_for_status()
    assert app.fhir("GET", place).json()["meta"]["versionId"] == "2"
    assert sandbox.qa("reference", "writes")[-1]["version"] == 1
