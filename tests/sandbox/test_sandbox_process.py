import json
import signal
from pathlib import Path

import pytest
import requests

from tests.ehr import running_sandbox
from tests.sandbox.smart_app import REDIRECT_URI, SECRET, TIMEOUT, App

CLIENTS = {
    "reference": [
        {
            "client_id": "secret-app",
            "redirect_uris": [REDIRECT_URI],
            "launch_url": "http://app.localhost:1/launch",
            "auth": {"method": "client_secret_basic", "secret": SECRET},
        }
    ]
}


def test_a_restarted_ehr_keeps_its_charts_and_its_tokens(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, CLIENTS) as first:
        app = App(first).launched()
        note = app.fhir("POST", "DocumentReference", app.note()).json()
        assert app.grant["access_token"] not in (tmp_path / "sandbox.log").read_text()
    assert first.process.returncode == 0
    with running_sandbox(tmp_path, CLIENTS, port=int(first.local.rpartition(":")[2])) as second:
        app.sandbox = second
        assert app.fhir("GET", f"DocumentReference/{note['id']}").json()["id"] == note["id"]
        assert len(second.qa("reference", "patients")) == 12


def test_a_hanging_request_does_not_keep_the_sandbox_from_stopping(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, CLIENTS) as running:
        running.arm("reference", interaction="metadata", fault="hang", seconds=60)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{running.local}/reference/fhir/metadata", timeout=0.3)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(timeout=8)


def test_visits_from_a_transcript_file_become_patients_without_names(tmp_path: Path) -> None:
    visits = [{"src": f"[doctor] hi , visit {number} .", "tgt": "CHIEF COMPLAINT"} for number in range(103)]
    file = tmp_path / "visits.json"
    file.write_text(json.dumps({"data": visits}), encoding="utf-8")
    with running_sandbox(tmp_path / "home", CLIENTS, transcripts=file) as running:
        assert len(running.qa("reference", "patients")) == 112
        app = App(running, patient=running.patient("reference", "001, Visit")).launched()
        assert app.grant["encounter"]
        kind = "http://ehr.localhost/fhir/document-kind|visit-transcript"
        found = app.fhir("GET", f"DocumentReference?patient={app.grant['patient']}&type={kind}").json()
        assert found["total"] == 1


def test_an_ehr_without_a_registered_app_says_so(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, {}) as running:
        reply = requests.post(f"{running.local}/epic/charts/e1001/launches", timeout=TIMEOUT)
        assert (reply.status_code, reply.json()) == (409, {"error": "No app is registered at this EHR."})


@pytest.mark.parametrize("content", ["", "[]", '{"data": [{"tgt": "no transcript"}]}'])
def test_a_transcript_file_of_another_shape_is_named_with_what_was_expected(tmp_path: Path, content: str) -> None:
    file = tmp_path / "visits.json"
    file.write_text(content, encoding="utf-8")
    with (
        pytest.raises(RuntimeError, match=r"visits\.json cannot be used\. Expected JSON"),
        running_sandbox(tmp_path / "home", CLIENTS, transcripts=file),
    ):
        pass
