"""`countersign tenant ...`: what an administrator can do without a page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from flask import Flask

from app.cli.__main__ import countersign, main
from app.collaborators import EXTENSION
from app.errors import Refused
from app.settings import Settings
from app.tenants.registering import RegistrationRefused
from app.wiring import create_app
from tests.databases import ROOT

pytestmark = pytest.mark.either_database

DOCUMENT = {
    "id": "new-clinic",
    "organization": "New Clinic",
    "vendor": "epic",
    "environment": "sandbox",
    "fhir_base": "${COUNTERSIGN_SANDBOX_URL}/new/fhir",
    "client_id": "new",
    "authentication": {"method": "private_key_jwt"},
    "frame_origins": ["${COUNTERSIGN_SANDBOX_URL}"],
}


@pytest.fixture
def shell(tmp_path: Path, migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The environment of an administrator's shell; returns a place for their files."""
    engines = []

    def create(settings: Settings) -> Flask:
        made = create_app(settings)
        engines.append(made.extensions[EXTENSION].database.engine)
        return made

    # Each command is a process of its own outside of tests, and its connections end with it.
    monkeypatch.setattr("app.cli.reporting.create_app", create)
    monkeypatch.setenv("COUNTERSIGN_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("COUNTERSIGN_SMART_CONFIG", str(ROOT / "smart-config"))
    yield tmp_path
    for engine in engines:
        engine.dispose()


def run(*words: str, said: str | None = None) -> Result:
    return CliRunner().invoke(countersign, ["tenant", *words], input=said)


def told(*words: str, said: str | None = None) -> Any:
    """What the command prints for a script; it must have gone well."""
    result = run(*words, "--json", said=said)
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def registered(folder: Path, **changed: Any) -> Path:
    path = folder / "new.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT | changed))
    return path


def test_a_tenant_is_added_from_a_file_changed_and_retired(shell: Path) -> None:
    added = told("add", str(registered(shell)))
    assert added["fhir_base"] == "http://ehr.localhost:8411/new/fhir"

    changed = told("change", "new-clinic", str(registered(shell, timezone="America/Chicago")))
    assert changed["timezone"] == "America/Chicago"
    shown = told("show", "new-clinic")
    assert (shown["origin"], shown["retired"], shown["phases"]) == ("database", False, {"primary-care": "full"})

    told("retire", "new-clinic")
    assert told("show", "new-clinic")["retired"]
    listed = told("list")
    assert listed["retired"] == ["new-clinic"]
    assert {one["id"]: one["origin"] for one in listed["tenants"]}["harbor-epic"] == "file"


def test_a_tenant_is_added_from_standard_input_or_by_options(shell: Path) -> None:
    told("add", "-", said=yaml.safe_dump(DOCUMENT))
    options = {
        "id": "second",
        "organization": "Second",
        "vendor": "athenaone",
        "environment": "production",
        "fhir-base": "https://ehr.example/fhir",
        "client-id": "2",
        "secret": "sealed:client",
        "frame-origin": "https://ehr.example",
    }
    told("add", *(word for name, value in options.items() for word in (f"--{name}", value)))
    told("secret", "keep", "second", "client", said="hush\n")

    shown = told("show", "second")
    assert shown["authentication"]["secret"] == "sealed:client"
    assert shown["phases"] == {"primary-care": "draft_only"}
    assert "hush" not in json.dumps(shown)


def test_every_mistake_is_said_at_once(shell: Path) -> None:
    result = run("add", str(registered(shell, vendor="paper", id="harbor-epic")))
    assert isinstance(result.exception, RegistrationRefused)
    assert {problem.field for problem in result.exception.problems} == {"vendor", "id"}


def test_a_mistake_is_one_line_and_no_traceback(
    shell: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["countersign", "tenant", "add", str(registered(shell, vendor="paper"))])
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value).startswith("countersign: vendor: 'paper' has no profile.")
    assert "\n" not in str(ended.value)


def test_a_phase_and_a_switch_are_set_and_shown(shell: Path) -> None:
    assert told("phase", "harbor-epic", "primary-care", "low_risk")["before"] == "full"
    told("switch", "off", "harbor-epic", "--workflow", "emergency", "--reason", "a drill")
    shown = told("show", "harbor-epic")
    assert shown["phases"] == {"primary-care": "low_risk", "emergency": "full"}
    assert [(one["workflow"], one["reason"]) for one in shown["switched_off"]] == [("emergency", "a drill")]

    told("switch", "on", "harbor-epic", "--workflow", "emergency", "--reason", "it is over")
    assert told("show", "harbor-epic")["switched_off"] == []
    assert run("switch", "on", "harbor-epic", "--reason", "twice").exit_code == 1
    assert run("switch", "off", "harbor-epic").exit_code == 2


def test_keys_are_rotated_listed_and_retired(shell: Path) -> None:
    """A60."""
    first = told("key", "rotate", "harbor-epic")
    assert not first["signs"]
    assert isinstance(run("key", "rotate", "harbor-epic").exception, Refused)

    told("key", "retire", "harbor-epic", first["kid"])
    keys = told("key", "list", "harbor-epic")["keys"]
    assert [key["signs"] for key in keys].count(True) == 1
    assert "private" not in json.dumps(keys).lower()
