"""Organization, Practitioner, Patient and Encounter."""

from typing import Any

from sandbox.people.calendar import written
from sandbox.people.clinic import Clinic
from sandbox.people.ids import Ids
from sandbox.people.patient_file import Organization, Person, Practitioner, Visit

V3_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
MRN_SYSTEM = "http://ehr.localhost/fhir/mrn"
CLASSES = {"AMB": "ambulatory", "VR": "virtual", "EMER": "emergency"}


def organization_resource(ids: Ids, organization: Organization) -> dict[str, Any]:
    """The practice."""
    return {
        "resourceType": "Organization",
        "id": ids.of("Organization", organization.key),
        "active": True,
        "name": organization.name,
    }


def practitioner_resource(ids: Ids, doctor: Practitioner) -> dict[str, Any]:
    """A clinician."""
    name = {
        "family": doctor.family,
        "given": list(doctor.given),
        "prefix": [doctor.prefix],
        "suffix": [doctor.suffix],
        "text": f"{doctor.prefix} {' '.join(doctor.given)} {doctor.family}",
    }
    return {
        "resourceType": "Practitioner",
        "id": ids.of("Practitioner", doctor.key),
        "active": True,
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": doctor.npi}],
        "name": [name],
        "qualification": [{"code": {"text": doctor.specialty}}],
    }


def patient_resource(clinic: Clinic, person: Person) -> dict[str, Any]:
    """A patient."""
    mrn = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "id": clinic.ids.of("Patient", person.key),
        "active": True,
        "identifier": [{"use": "usual", "type": mrn, "system": MRN_SYSTEM, "value": person.mrn}],
        "name": [{"use": "official", "family": person.family, "given": list(person.given)}],
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": person.language}]}}],
        "managingOrganization": clinic.ids.reference("Organization", clinic.organization.key),
    }
    if person.sex:
        resource["gender"] = person.sex
    if person.born:
        resource["birthDate"] = written(person.born)
    return resource


def encounter_resource(clinic: Clinic, person: Person, visit: Visit) -> dict[str, Any]:
    """A visit."""
    ids = clinic.ids
    return {
        "resourceType": "Encounter",
        "id": ids.of("Encounter", f"{person.key}-{visit.key}"),
        "status": "in-progress" if visit.open else "finished",
        "class": {"system": V3_ACT, "code": visit.kind, "display": CLASSES[visit.kind]},
        "type": [{"text": "Office visit" if visit.kind == "AMB" else CLASSES[visit.kind].capitalize()}],
        "subject": ids.reference("Patient", person.key),
        "participant": [{"individual": ids.reference("Practitioner", visit.practitioner)}],
        "period": visit_period(clinic, visit),
        "reasonCode": [{"text": visit.reason}],
        "serviceProvider": ids.reference("Organization", clinic.organization.key),
    }


def visit_period(clinic: Clinic, visit: Visit) -> dict[str, str]:
    """When a visit was; without an end while it is open."""
    period = {"start": written(clinic.calendar.start(visit))}
    end = clinic.calendar.end(visit)
    return period if end is None else {**period, "end": written(end)}
