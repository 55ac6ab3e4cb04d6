"""Epic and athenaOne, where they are unlike plain R4."""

from typing import Any

import pytest

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import App, answer, base64_of


@pytest.fixture
def epic(sandbox: RunningSandbox) -> App:
    return App(sandbox, "epic", "e1001").launched()


def test_epic_answers_a_create_with_an_empty_body_and_a_relative_location(epic: App) -> None:
    reply = epic.fhir("POST", "DocumentReference", epic.note())
    assert (reply.status_code, reply.content) == (201, b"")
    assert reply.headers["Location"].startswith("DocumentReference/")
    assert "ETag" not in reply.headers
    wished = epic.fhir("POST", "DocumentReference", epic.note(), Prefer="return=representation")
    assert wished.json()["resourceType"] == "DocumentReference"


def test_epic_adds_category_and_author_and_hands_the_text_out_as_a_binary(epic: App) -> None:
    location = epic.fhir("POST", "DocumentReference", epic.note("Tränen")).headers["Location"]
    stored = epic.fhir("GET", location).json()
    assert [c["code"] for category in stored["category"] for c in category["coding"]] == ["clinical-note"]
    assert stored["author"] == [{"reference": "Practitioner/edr-1"}]
    assert stored["identifier"]
    attachment = stored["content"][0]["attachment"]
    assert "data" not in attachment
    text = epic.fhir("GET", attachment["url"])
    assert (text.content.decode(), text.headers["Content-Type"]) == ("Tränen", "text/plain; charset=utf-8")
    as_fhir = epic.fhir("GET", attachment["url"], Accept="application/fhir+json").json()
    assert as_fhir["data"] == base64_of("Tränen")


def test_epic_files_the_same_note_twice_when_it_is_sent_twice(epic: App) -> None:
    note = epic.note()
    condition = f"identifier=urn:test|{note['identifier'][0]['value']}"
    first = epic.fhir("POST", "DocumentReference", note, If_None_Exist=condition)
    second = epic.fhir("POST", "DocumentReference", note, If_None_Exist=condition)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["Location"] != second.headers["Location"]


def test_epic_saves_only_the_first_attachment(epic: App) -> None:
    contents = [{"attachment": {"contentType": "text/plain", "data": base64_of(text)}} for text in ("first", "second")]
    location = epic.fhir("POST", "DocumentReference", epic.note(content=contents)).headers["Location"]
    assert len(epic.fhir("GET", location).json()["content"]) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"context": {}}, "Valid encounter required"),
        ({"context": {"encounter": [{"reference": "Encounter/e1002-v2"}]}}, "Valid encounter required"),
        ({"subject": {"reference": "Patient/nobody"}}, "Invalid subject received"),
        ({"docStatus": "amended"}, "docStatus"),
        ({"type": {"coding": [{"system": "http://loinc.org", "code": "18842-5"}]}}, "type"),
        ({"content": [{"attachment": {"contentType": "text/html", "data": "PGI+"}}]}, "text/plain"),
        ({"content": [{"attachment": {"contentType": "text/plain", "url": "http://x.example/"}}]}, "base64"),
        ({"status": "superseded"}, "current"),
    ],
)
def test_epic_refuses_what_is_not_a_clinical_note_of_this_visit(epic: App, changes: dict[str, Any], words: str) -> None:
    before = len(epic.sandbox.qa("epic", "writes"))
    reply = epic.fhir("POST", "DocumentReference", epic.note(**changes))
    assert reply.status_code == 400
    issue = reply.json()["issue"][0]
    assert words in issue["details"]["text"]
    assert issue["details"]["coding"][0]["code"]
    assert len(epic.sandbox.qa("epic", "writes")) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_epic_cannot_change_a_filed_note(epic: App, method: str) -> None:
    location = epic.fhir("POST", "DocumentReference", epic.note()).headers["Location"]
    assert epic.fhir(method, location, {}).status_code == 405


def test_epic_takes_no_provenance_and_has_no_identifier_search(epic: App) -> None:
    assert epic.fhir("POST", "Provenance", {"resourceType": "Provenance"}).status_code in (403, 405)
    found = epic.fhir("GET", "DocumentReference?patient=e1001&identifier=urn:test|none").json()
    assert found["total"] > 0, "the parameter is ignored, so everything comes back"
    assert epic.fhir("GET", "DocumentReference?identifier=urn:test|none").status_code == 400


def test_epic_says_nothing_found_with_a_warning_entry(epic: App) -> None:
    bundle = epic.fhir("GET", "AllergyIntolerance?patient=enobody").json()
    assert bundle["total"] == 0
    assert bundle["entry"][0]["resource"]["issue"][0]["details"]["coding"][0]["code"] == "4101"


def test_epic_answers_a_missing_api_with_an_empty_403(sandbox: RunningSandbox) -> None:
    app = App(sandbox, "epic", "e1001").launched()
    reply = app.fhir("GET", "Device?patient=e1001")
    assert (reply.status_code, reply.content) in [(403, b""), (404, reply.content)]
    refused = app.fhir("POST", "Condition", {"resourceType": "Condition"})
    assert refused.status_code == 405


def test_athenaone_refuses_the_whole_request_for_one_scope_too_many(sandbox: RunningSandbox) -> None:
    app = App(sandbox, "athenaone", "a-195900.E-1001")
    reads = "launch openid fhirUser user/Patient.read"
    assert answer(app.authorize(scope=f"{reads} user/DocumentReference.write"))["error"] == "invalid_scope"
    assert "code" in answer(app.authorize(scope=reads))


def test_athenaone_names_the_practice_in_token_and_ids_and_takes_no_note(sandbox: RunningSandbox) -> None:
    scope = "launch openid fhirUser user/Patient.read user/DocumentReference.rs user/Binary.read"
    app = App(sandbox, "athenaone", "a-195900.E-1001", scope=scope).launched()
    assert app.grant["ah_practice"] == "a-1.Practice-195900"
    assert app.grant["scope"] == scope
    assert app.grant["encounter"].startswith("a-195900.encounter-")
    reply = app.fhir("POST", "DocumentReference", app.note())
    assert reply.status_code in (403, 405)
    assert reply.json()["resourceType"] == "OperationOutcome"
    assert sandbox.qa("athenaone", "writes") == []


def test_athenaone_checks_the_practice_and_pages_by_cursor(sandbox: RunningSandbox) -> None:
    scope = "launch user/Observation.rs"
    app = App(sandbox, "athenaone", "a-195900.E-1001", scope=scope).launched()
    search = "Observation?patient=a-195900.E-1001&_count=5"
    good = app.fhir("GET", f"{search}&ah-practice=Organization/a-1.Practice-195900")
    assert "cursor=5" in good.json()["link"][1]["url"]
    assert app.fhir("GET", f"{search}&ah-practice=195900").status_code == 403
