"""Judged by somebody else's conformance scenario."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from tests.ehr import RunningSandbox, free_port
from tests.sandbox.smart_app import TIMEOUT, App


def test_sekmets_rest_conformance_scenario_passes_on_the_reference_ehr(sandbox: RunningSandbox, tmp_path: Path) -> None:
    app = App(sandbox).launched()
    settings = {
        "base_url": f"http://127.0.0.1:{free_port()}/fhir",
        "db_path": str(tmp_path / "sekmet.db"),
        "simulator": {"enabled": False},
        "peers": {
            "sandbox": {
                "base_url": app.base,
                "auth": {"type": "bearer", "token": app.grant["access_token"]},
            }
        },
    }
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    sekmet = str(Path(sys.executable).with_name("sekmet"))
    run = [sekmet, "scenario", "run", "conformance_smoke", "--peer", "sandbox", "--no-serve"]
    judged = subprocess.run(
        [*run, "--config", str(file), "--report-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout
    assert "FAILED" not in judged.stdout


@pytest.mark.parametrize("kind", ["Patient", "Encounter", "Condition", "Observation", "AllergyIntolerance"])
def test_a_sparse_resource_from_an_app_does_not_break_the_chart_page(sandbox: RunningSandbox, kind: str) -> None:
    app = App(sandbox, patient="1012").launched()
    me = {"reference": "Patient/1012"}
    sparse = {
        "Patient": {},
        "Encounter": {"status": "planned", "class": {"code": "AMB"}, "subject": me},
        "Condition": {"subject": me, "code": {"coding": [{"code": "R05"}]}},
        "Observation": {"status": "final", "code": {"text": "Mood"}, "subject": me},
        "AllergyIntolerance": {"patient": me},
    }
    created = app.fhir("POST", kind, {"resourceType": kind, **sparse[kind]})
    assert created.status_code == 201, created.text
    patient = created.json()["id"] if kind == "Patient" else "1012"
    assert requests.get(f"{sandbox.local}/reference/charts/{patient}", timeout=TIMEOUT).status_code == 200
    assert requests.get(f"{sandbox.local}/", timeout=TIMEOUT).status_code == 200
    app.fhir("DELETE", f"{kind}/{created.json()['id']}")
