"""Fills a new EHR with our people; an EHR that has them already is left alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.ehr import EHR
from sandbox.fhir.attachments import kept_as_binaries
from sandbox.people.calendar import Calendar
from sandbox.people.clinic import Clinic
from sandbox.people.clinical import (
    allergy_resource,
    condition_resource,
    lab_resource,
    medication_resource,
    no_known_allergies,
    vital_resources,
)
from sandbox.people.demographics import (
    encounter_resource,
    organization_resource,
    patient_resource,
    practitioner_resource,
)
from sandbox.people.documents import note_provenance, note_resource, transcript_resource
from sandbox.people.ids import Ids
from sandbox.people.patient_file import Person, Practice, load_people, load_practice
from sandbox.people.transcript_file import load_visits

Resources = Iterator[dict[str, Any]]


def seed(ehr: EHR, transcripts_file: Path | None) -> None:
    """Store everyone that this EHR does not know yet, in one transaction."""
    ids, practice = Ids(ehr.personality.identifiers), load_practice()
    clinic = Clinic(ids, Calendar(datetime.fromtimestamp(ehr.clock.now(), UTC)), practice.organization)
    people = load_people() + (load_visits(transcripts_file) if transcripts_file else [])
    with ehr.database.transaction():
        if ehr.store.read("Organization", ids.of("Organization", practice.organization.key)) is None:
            _store(ehr, practice_resources(ids, practice))
        for person in people:
            if ehr.store.read("Patient", ids.of("Patient", person.key)) is None:
                _store(ehr, person_resources(clinic, person))


def practice_resources(ids: Ids, practice: Practice) -> Resources:
    """The organisation and its clinicians."""
    yield organization_resource(ids, practice.organization)
    for doctor in practice.practitioners:
        yield practitioner_resource(ids, doctor)


def person_resources(clinic: Clinic, person: Person) -> Resources:
    """One patient's whole chart, referenced resources first."""
    yield patient_resource(clinic, person)
    for visit in person.visits:
        yield encounter_resource(clinic, person, visit)
    yield from _facts(clinic, person)
    for number, document in enumerate(person.documents, start=1):
        yield note_resource(clinic, person, number, document)
        yield note_provenance(clinic, person, number, document)
    for key in person.transcripts:
        yield transcript_resource(clinic, person, person.visit(key))


def _facts(clinic: Clinic, person: Person) -> Resources:
    for number, problem in enumerate(person.problems, start=1):
        yield condition_resource(clinic, person, number, problem)
    for number, medication in enumerate(person.medications, start=1):
        yield medication_resource(clinic, person, number, medication)
    for number, allergy in enumerate(person.allergies, start=1):
        yield allergy_resource(clinic, person, number, allergy)
    if person.no_known_allergies:
        yield no_known_allergies(clinic, person)
    for number, vitals in enumerate(person.vitals, start=1):
        yield from vital_resources(clinic, person, number, vitals)
    for number, lab in enumerate(person.labs, start=1):
        yield lab_resource(clinic, person, number, lab)


def _store(ehr: EHR, resources: Resources) -> None:
    for resource in resources:
        stored = resource
        if resource["resourceType"] == "DocumentReference" and ehr.personality.fhir.attachments == "binary":
            patient = resource["subject"]["reference"].rpartition("/")[2]
            stored = kept_as_binaries(ehr.store, resource, patient)
        ehr.store.create(stored)
