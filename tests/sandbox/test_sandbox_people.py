import importlib
import json
from datetime import UTC, datetime

import pytest

from sandbox.people.calendar import Calendar
from sandbox.people.clinic import Clinic
from sandbox.people.ids import Ids
from sandbox.people.patient_file import Person, load_people, load_practice
from sandbox.people.seeding import person_resources, practice_resources
from sandbox.personality import load_personality, personality_names
from tests.ehr import RunningSandbox

PEOPLE = load_people()
NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)


def _named(family: str) -> Person:
    return next(person for person in PEOPLE if person.family == family)


@pytest.mark.parametrize("ehr", personality_names())
def test_every_resource_of_every_patient_is_valid_r4(ehr: str) -> None:
    ids, practice = Ids(load_personality(ehr).identifiers), load_practice()
    clinic = Clinic(ids, Calendar(NOW), practice.organization)
    resources = list(practice_resources(ids, practice))
    for person in PEOPLE:
        resources += person_resources(clinic, person)
    assert len(resources) > 150
    for resource in resources:
        kind = resource["resourceType"]
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        getattr(module, kind).model_validate(resource)
    places = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    assert len(places) == len(set(places))
    assert _references(resources) <= set(places)


@pytest.mark.parametrize("ehr", personality_names())
def test_what_an_ehr_serves_is_valid_r4_too(sandbox: RunningSandbox, ehr: str) -> None:
    for kind in load_personality(ehr).fhir.resources:
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        for resource in sandbox.qa(ehr, f"resources/{kind}"):
            getattr(module, kind).model_validate(resource)


def test_the_twelve_patients_are_the_same_in_every_ehr(sandbox: RunningSandbox) -> None:
    names = [[patient["name"] for patient in sandbox.qa(ehr, "patients")] for ehr in personality_names()]
    assert len(names[0]) == len(PEOPLE) == 12
    assert names[0] == names[1] == names[2]
    assert "Rivera, Ana" in names[0]


def test_every_chart_has_more_than_one_clinician_to_open_it() -> None:
    assert len(load_practice().practitioners) >= 2


def test_ana_riveras_dose_in_the_chart_is_not_the_one_that_is_spoken() -> None:
    ana = _named("Rivera")
    assert (ana.mrn, str(ana.born)) == ("1002345", "1962-03-14")
    assert ana.medications[0].text.startswith("lisinopril 20 mg")
    assert "lisinopril ten milligrams" in ana.transcripts["v3"]


def test_most_visits_have_a_transcript_of_a_real_visits_length() -> None:
    lengths = {p.family: [len(text.splitlines()) for text in p.transcripts.values()] for p in PEOPLE}
    assert lengths["Sorensen"] == [0], "recorded, and nothing heard"
    assert lengths["Varga"] == [], "not recorded"
    assert sum(max(turns, default=0) >= 25 for turns in lengths.values()) >= 9


def test_one_patient_has_two_visits_on_one_day_whenever_the_ehr_is_set_up() -> None:
    george = _named("Whitfield")
    for hour in range(24):
        calendar = Calendar(NOW.replace(hour=hour))
        days = {calendar.start(george.visit(key)).date() for key in ("v2", "v3")}
        assert len(days) == 1


def test_no_visit_lies_in_the_future() -> None:
    for hour in range(24):
        now = NOW.replace(hour=hour)
        calendar = Calendar(now)
        assert all(calendar.start(visit) <= now for person in PEOPLE for visit in person.visits)


def test_one_patient_has_no_open_visit_and_one_writes_spanish() -> None:
    assert not any(visit.open for visit in _named("Okafor").visits)
    maria = _named("Ortega")
    assert "hormigas" in next(d.text for d in maria.documents if d.language == "es")
    assert "los siento dormidos" in maria.transcripts["v2"]


def _references(resources: list[dict[str, object]]) -> set[str]:
    found = set()
    for part in json.dumps(resources).split('"reference": "')[1:]:
        found.add(part.partition('"')[0])
    return found
