"""DocumentReference for notes, intake forms and visit transcripts, and Provenance for notes."""

import base64
from typing import Any

from sandbox.people.calendar import written
from sandbox.people.clinic import Clinic
from sandbox.people.demographics import visit_period
from sandbox.people.patient_file import Document, Person, Visit

DOCUMENT_KIND = "http://ehr.localhost/fhir/document-kind"
US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
AGENT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
PLAIN_TEXT = "text/plain; charset=utf-8"


def note_resource(clinic: Clinic, person: Person, number: int, document: Document) -> dict[str, Any]:
    """A note or an intake form of an earlier or the present visit."""
    visit = person.visit(document.visit)
    resource = _document(clinic, person, visit, text=document.text, language=document.language)
    is_note = document.category == "clinical-note"
    category = {"system": US_CORE_CATEGORY if is_note else DOCUMENT_KIND, "code": document.category}
    loinc = {"system": "http://loinc.org", "code": document.loinc, "display": document.loinc_display}
    return {
        **resource,
        "id": clinic.ids.of("DocumentReference", f"{person.key}-doc-{number}"),
        "docStatus": "final",
        "type": {"coding": [loinc], "text": document.title},
        "category": [{"coding": [category]}],
        "author": [clinic.ids.reference("Practitioner", document.practitioner)],
        "description": document.title,
    }


def transcript_resource(clinic: Clinic, person: Person, visit: Visit) -> dict[str, Any]:
    """What was said in a visit, as speech recognition heard it."""
    text = person.transcripts[visit.key]
    kind = {"system": DOCUMENT_KIND, "code": "visit-transcript", "display": "Visit transcript"}
    category = {"system": DOCUMENT_KIND, "code": "recording", "display": "Recording"}
    return {
        **_document(clinic, person, visit, text=text, language=person.language),
        "id": clinic.ids.of("DocumentReference", f"{person.key}-transcript-{visit.key}"),
        "type": {"coding": [kind], "text": "Visit transcript"},
        "category": [{"coding": [category]}],
        "description": "Visit transcript",
    }


def note_provenance(clinic: Clinic, person: Person, number: int, document: Document) -> dict[str, Any]:
    """Who wrote a note, and for which organisation (US Core Provenance)."""
    author = {
        "type": {"coding": [{"system": AGENT_TYPE, "code": "author"}]},
        "who": clinic.ids.reference("Practitioner", document.practitioner),
        "onBehalfOf": clinic.ids.reference("Organization", clinic.organization.key),
    }
    return {
        "resourceType": "Provenance",
        "id": clinic.ids.of("Provenance", f"{person.key}-doc-{number}"),
        "target": [clinic.ids.reference("DocumentReference", f"{person.key}-doc-{number}")],
        "recorded": written(clinic.calendar.start(person.visit(document.visit))),
        "agent": [author],
    }


def _document(clinic: Clinic, person: Person, visit: Visit, *, text: str, language: str) -> dict[str, Any]:
    ids, end = clinic.ids, clinic.calendar.end(visit)
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": ids.reference("Patient", person.key),
        "date": written(end or clinic.calendar.now.replace(microsecond=0)),
        "custodian": ids.reference("Organization", clinic.organization.key),
        "content": [{"attachment": _attachment(text, language)}],
        "context": {
            "encounter": [ids.reference("Encounter", f"{person.key}-{visit.key}")],
            "period": visit_period(clinic, visit),
        },
    }


def _attachment(text: str, language: str) -> dict[str, Any]:
    content = text.encode()
    attachment: dict[str, Any] = {"contentType": PLAIN_TEXT, "language": language, "size": len(content)}
    if content:
        attachment["data"] = base64.b64encode(content).decode()
    return attachment
