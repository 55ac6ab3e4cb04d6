"""Clinical scenarios, replayed through the whole system: `tests/scenarios/`, written to be read by clinicians."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.writebacks.state import Stage
from tests.docs.tables import between, table
from tests.scenarios.endings import ALWAYS, ENDINGS
from tests.scenarios.invariants import violations
from tests.scenarios.player import NOTES, STEPS, Player, split
from tests.service import Service

FOLDER = Path(__file__).parents[1] / "scenarios"
SCENARIOS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}
PROMISED = (
    "multilingual-intake",
    "amendment",
    "duplicate-submit",
    "stale-version",
    "signed-note-correction",
    "partial-network-failure",
    "vendor-timeout",
    "out-of-order-acknowledgements",
    "duplicate-acknowledgements",
    "clock-skew",
    "silently-normalised-note",
    "patient-merge",
    "closed-encounter",
)


@pytest.fixture
def restored(service: Service) -> Iterator[Service]:
    """The EHR goes back to what it was: merged charts and ended visits are not for the tests after this one."""
    marks = {name: service.ehr.back_up(name) for name in ("epic", "reference")}
    yield service
    for name, mark in marks.items():
        service.ehr.clear_faults(name)
        service.ehr.stop_telling(name)
        service.ehr.act(name, "restore_backup", mark=mark)


@pytest.mark.either_database
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_scenario_ends_as_it_says(restored: Service, name: str) -> None:
    """I1 to I7, F10, F24, F31, F39, F40, F43: clinical scenarios, asserted against the EHR's own store."""
    player = played(restored, name)

    for words, expected in SCENARIOS[name]["end"].items():
        ENDINGS[words](player, expected)
    assert violations(player) == []


def played(service: Service, name: str) -> Player:
    scenario = SCENARIOS[name]
    player = Player(service, scenario["ehr"], scenario["patient"])
    for step in scenario["steps"]:
        player.play(step)
    return player


@pytest.mark.either_database
def test_an_end_that_is_another_one_is_noticed(restored: Service) -> None:
    player = played(restored, "06-signed-note-correction")
    wrong: dict[str, Any] = {key: ["nobody says this"] for key in ENDINGS}
    wrong |= {"notes in the chart": 2, "the log holds": {"verified": 1}, "the later note": "appends"}
    wrong |= {
        "the chart says": "productive",
        "the chart does not say": "dry",
        "the note is in the chart of": "Nair, Priya",
    }
    for words, compare in ENDINGS.items():
        with pytest.raises(AssertionError):
            compare(player, wrong[words])


@pytest.mark.either_database
def test_a_promise_that_is_broken_is_noticed(restored: Service) -> None:
    """I1 to I7: something else leaves under our name, by another clinician's access; and a write is left lying."""
    player = played(restored, "13-silently-normalised-note")
    chart, parts = player.chart, restored.parts
    tenant = parts.tenants.require(player.tenant_id)
    colleague = next(one for one in clinicians(player) if f"Practitioner/{one}" != chart.launch().fhir_user)
    other = restored.open_chart(ehr=player.ehr, patient="Nair, Priya", user=colleague)
    with parts.database.read() as tx:
        payload = parts.artifacts.open(tx, tenant.id, chart.writeback().queued.payload)
        token = parts.grants.open(tx, tenant.id, other.launch_id, restored.clock()).access_token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    moved = payload.replace(chart.launch().patient.encode(), other.launch().patient.encode())
    parts.ehrs.session(tenant).post(f"{tenant.fhir_base}/{NOTES}", data=moved, headers=headers)
    player.play({"the clinician drafts a note for": "Cho, Raymond"})
    player.play("the clinician signs")

    assert {one.partition(":")[0] for one in violations(player)} == {"I1", "I2", "I5", "I6", "I7"}


def clinicians(player: Player) -> list[str]:
    return [one["id"] for one in player.service.ehr.qa(player.ehr, "resources/Practitioner")]


def test_the_library_has_every_scenario_that_was_promised() -> None:
    assert [name for name in PROMISED if not any(name in known for known in SCENARIOS)] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_says_everything_in_words_that_exist(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.keys() == {"title", "why", "ehr", "patient", "steps", "end"}
    assert {split(one)[0] for one in scenario["steps"]} <= STEPS.keys()
    assert scenario["end"].keys() <= ENDINGS.keys()
    assert scenario["end"].keys() >= ALWAYS
    assert set(scenario["end"]["writes"]) <= set(Stage)
    assert len((FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()) <= 40


def test_no_word_of_the_language_is_without_a_scenario() -> None:
    said: set[str] = {split(step)[0] for scenario in SCENARIOS.values() for step in scenario["steps"]}
    assert STEPS.keys() - said == set()
    assert ENDINGS.keys() - {words for scenario in SCENARIOS.values() for words in scenario["end"]} == set()


@pytest.mark.parametrize(("name", "words"), [("steps", STEPS), ("ends", ENDINGS), ("scenarios", SCENARIOS)])
def test_the_readme_of_the_library_shows_the_whole_language(name: str, words: dict[str, Any]) -> None:
    rows = [(f"`{key}`", one["title"] if name == "scenarios" else str(one.__doc__)) for key, one in words.items()]
    assert between("tests/scenarios/README.md", name) == table(("Words", "Meaning"), rows)
