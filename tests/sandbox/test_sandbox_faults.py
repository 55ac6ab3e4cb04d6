import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sandbox.qa.knobs import KNOBS
from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import TIMEOUT, App, get_json


@pytest.fixture
def app(sandbox: RunningSandbox) -> App:
    return App(sandbox).launched()


def _notes(sandbox: RunningSandbox) -> int:
    return len(sandbox.qa("reference", "resources/DocumentReference"))


@pytest.mark.parametrize(
    ("fault", "status", "stored"),
    [
        ("answer_500", 500, 0),
        ("commit_then_500", 500, 1),
        ("answer_html", 502, 0),
        ("answer_html_as_success", 200, 0),
        ("answer_empty", 200, 0),
        ("answer_412", 412, 0),
        ("answer_202", 202, 0),
        ("commit_without_location", 201, 1),
        ("commit_then_garbled", 201, 1),
    ],
)
def test_b23_a_fault_answers_wrong_and_stores_or_not(
    sandbox: RunningSandbox, app: App, fault: str, status: int, stored: int
) -> None:
    """B23."""
    before = _notes(sandbox)
    sandbox.arm("reference", interaction="create", resource_type="DocumentReference", fault=fault)
    assert app.fhir("POST", "DocumentReference", app.note()).status_code == status
    assert _notes(sandbox) - before == stored
    assert app.fhir("POST", "DocumentReference", app.note()).status_code == 201, "armed for one time only"


@pytest.mark.parametrize(("fault", "stored"), [("drop_connection", 0), ("commit_then_drop", 1)])
def test_b23_a_dropped_connection_gives_no_answer(sandbox: RunningSandbox, app: App, fault: str, stored: int) -> None:
    """B23."""
    before = _notes(sandbox)
    sandbox.arm("reference", interaction="create", fault=fault)
    with pytest.raises(requests.ConnectionError):
        app.fhir("POST", "DocumentReference", app.note())
    assert _notes(sandbox) - before == stored


@pytest.mark.parametrize(("fault", "stored"), [("hang", 0), ("commit_then_hang", 1)])
def test_b23_a_hanging_server_times_out_and_serves_the_others_meanwhile(
    sandbox: RunningSandbox, app: App, fault: str, stored: int
) -> None:
    """B23."""
    before = _notes(sandbox)
    sandbox.arm("reference", interaction="create", fault=fault, seconds=1.5)
    headers = {"Authorization": f"Bearer {app.grant['access_token']}"}
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{app.base}/DocumentReference", json=app.note(), headers=headers, timeout=0.5)
    started = time.monotonic()
    assert app.fhir("GET", "Patient/1001").status_code == 200
    assert time.monotonic() - started < 1
    assert _notes(sandbox) - before == stored


def test_b23_retry_after_comes_in_seconds_and_as_a_date(sandbox: RunningSandbox, app: App) -> None:
    """B23."""
    sandbox.arm("reference", interaction="create", fault="answer_429", seconds=7)
    sandbox.arm("reference", interaction="create", fault="answer_503_date", seconds=7)
    assert app.fhir("POST", "DocumentReference", app.note()).headers["Retry-After"] == "7"
    assert app.fhir("POST", "DocumentReference", app.note()).headers["Retry-After"].endswith("GMT")


@pytest.mark.parametrize("ehr_patient", [("reference", "1001"), ("epic", "e1001")])
@pytest.mark.parametrize("fault", ["drop_identifier", "drop_label", "drop_author", "rewrite_text"])
def test_b23_what_is_stored_can_differ_from_what_was_sent(
    sandbox: RunningSandbox, fault: str, ehr_patient: tuple[str, str]
) -> None:
    """B23."""
    ehr, patient = ehr_patient
    app = App(sandbox, ehr, patient).launched()
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}
    author = {"reference": f"Practitioner/{'e' if ehr == 'epic' else ''}dr-1"}
    note = app.note(meta={"security": [label]}, author=[author])
    sandbox.arm(ehr, interaction="create", fault=fault)
    stored = app.fhir("POST", "DocumentReference", note, Prefer="return=representation").json()
    assert ("identifier" in stored) == (fault != "drop_identifier")
    assert ("security" in stored["meta"]) == (fault != "drop_label")
    assert ("author" in stored) == (fault != "drop_author")


def test_b23_a_search_can_lag_behind_a_write(sandbox: RunningSandbox, app: App) -> None:
    """B23."""
    sandbox.arm("reference", interaction="create", fault="search_lag", seconds=1)
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    search = f"DocumentReference?patient=1001&identifier={note['identifier'][0]['value']}"
    assert app.fhir("GET", f"DocumentReference/{note['id']}").status_code == 200
    assert app.fhir("GET", search).json()["total"] == 0
    time.sleep(1.1)
    assert app.fhir("GET", search).json()["total"] == 1


def test_b23_a_token_response_can_miss_the_patient_or_name_another(sandbox: RunningSandbox) -> None:
    """B23."""
    sandbox.arm("reference", interaction="token", fault="token_without_patient")
    assert "patient" not in App(sandbox).launched().grant
    sandbox.arm("reference", interaction="token", fault="token_changed", options={"patient": "1002"})
    assert App(sandbox).launched().grant["patient"] == "1002"


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("id_token_changed", {"nonce": None}),
        ("id_token_changed", {"aud": "another-app"}),
        ("id_token_by_another_key", {}),
        ("id_token_unsigned", {}),
    ],
)
def test_b23_an_id_token_can_be_bad_in_every_way(
    sandbox: RunningSandbox, fault: str, options: dict[str, str | None]
) -> None:
    """B23."""
    sandbox.arm("reference", interaction="token", fault=fault, options=options)
    app = App(sandbox).launched()
    keys = KeySet.import_key_set(get_json(sandbox.reachable(app.discovery()["jwks_uri"])))
    if fault == "id_token_changed":
        claims = jwt.decode(app.grant["id_token"], keys, algorithms=["RS256"]).claims
        assert {name: claims.get(name) for name in options} == options
    else:
        with pytest.raises(JoseError):
            jwt.decode(app.grant["id_token"], keys, algorithms=["RS256"])


def test_b23_if_none_exist_can_be_ignored(sandbox: RunningSandbox, app: App) -> None:
    """B23."""
    note = app.note()
    condition = f"identifier=urn:test|{note['identifier'][0]['value']}"
    app.fhir("POST", "DocumentReference", note, If_None_Exist=condition)
    sandbox.arm("reference", interaction="create", fault="condition_ignored")
    assert app.fhir("POST", "DocumentReference", note, If_None_Exist=condition).status_code == 201


def test_b23_if_none_exist_can_be_racy(sandbox: RunningSandbox, app: App) -> None:
    """B23."""
    note = app.note()
    condition = f"identifier=urn:test|{note['identifier'][0]['value']}"
    sandbox.arm("reference", fault="condition_racy", seconds=0.5, times=2)
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(app.fhir, "POST", "DocumentReference", note, If_None_Exist=condition) for _ in range(2)]
        assert [reply.result().status_code for reply in sent] == [201, 201]
    assert app.fhir("POST", "DocumentReference", note, If_None_Exist=condition).status_code == 412, "now there are two"


def test_b23_a_provenance_can_be_refused_alone(sandbox: RunningSandbox, app: App) -> None:
    """B23."""
    sandbox.arm("reference", interaction="create", resource_type="Provenance", fault="answer_422")
    assert app.fhir("POST", "DocumentReference", app.note()).status_code == 201
    assert app.fhir("POST", "Provenance", {"resourceType": "Provenance"}).status_code == 422


def test_b23_x_provenance_is_ignored(sandbox: RunningSandbox, app: App) -> None:
    """B23."""
    before = len(sandbox.qa("reference", "resources/Provenance"))
    assert app.fhir("POST", "DocumentReference", app.note(), X_Provenance="{}").status_code == 201
    assert len(sandbox.qa("reference", "resources/Provenance")) == before


def test_an_unknown_knob_is_refused_with_the_list_of_knobs(sandbox: RunningSandbox) -> None:
    fault = {"interaction": "create", "fault": "catch_fire"}
    reply = requests.post(f"{sandbox.local}/qa/epic/faults", json=fault, timeout=TIMEOUT)
    assert reply.status_code == 422
    assert reply.json()["knobs"] == sorted(KNOBS)


def test_armed_faults_are_shown_and_cleared(sandbox: RunningSandbox) -> None:
    sandbox.arm("epic", interaction="create", fault="hang", times=3)
    shown = sandbox.qa("epic", "faults")
    assert [(fault["fault"], fault["times"]) for fault in shown["armed"]] == [("hang", 3)]
    assert set(shown["knobs"]) == set(KNOBS)
    sandbox.clear_faults("epic")
    assert sandbox.qa("epic", "faults")["armed"] == []


def test_the_request_log_names_the_fault_and_the_fingerprint(sandbox: RunningSandbox, app: App) -> None:
    sandbox.arm("reference", interaction="read", fault="answer_500")
    app.fhir("GET", "Patient/1001")
    last = sandbox.qa("reference", "requests")[-1]
    assert (last["interaction"], last["status"], last["fault"]) == ("read", 500, "answer_500")
    assert app.grant["access_token"] not in str(last)
