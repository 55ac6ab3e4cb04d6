import time

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
    ("fault", "stored"),
    [("drop_connection", 0), ("commit_then_drop", 1), ("reset_connection", 0), ("commit_then_reset", 1)],
)
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


def test_b23_x_provenance_is_ignored(sandbox: RunningSandbox, app: App) -> None:
    """B23."""
    before = len(sandbox.qa("reference", "resources/Provenance"))
    sandbox.arm("reference", fault="x_provenance_ignored")
    assert app.fhir("POST", "DocumentReference", app.note(), X_Provenance="{}").status_code == 201
    assert len(sandbox.qa("reference", "resources/Provenance")) == before


def test_an_unknown_knob_is_refused_with_the_list_of_knobs(sandbox: RunningSandbox) -> None:
    fault = {"interaction": "create", "fault": "catch_fire"}
    reply = requests.post(f"{sandbox.local}/qa/epic/faults", json=fault, timeout=TIMEOUT)
    assert reply.status_code == 422
    assert reply.json()["knobs"] == sorted(KNOBS)


def test_what_stands_in_the_wrong_place_is_refused_and_not_ignored(sandbox: RunningSandbox) -> None:
    """B23: `seconds` among the knob's own options would mean the thirty seconds that nobody asked for."""
    fault = {"interaction": "create", "fault": "accept_then_file", "options": {"seconds": 86400}}
    reply = requests.post(f"{sandbox.local}/qa/epic/faults", json=fault, timeout=TIMEOUT)
    assert (reply.status_code, "seconds: beside options" in reply.text) == (422, True)
    assert sandbox.qa("epic", "faults")["armed"] == []


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
    # What hung in another test may be logged just now.
    last = [one for one in sandbox.qa("reference", "requests") if one["interaction"] == "read"][-1]
    assert (last["status"], last["fault"]) == (500, "answer_500")
    assert app.grant["access_token"] not in str(last)
