"""What a chart page shows, read from the store as the EHR's own screens would."""

import base64
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sandbox.ehr import EHR
from sandbox.fhir.search_match import values_at
from sandbox.people.display import clinician_names, patient_name

LABS_SHOWN = 8
DOC_STATUS_WORDS = {"final": "Signed", "preliminary": "Needs signature", "amended": "Amended"}
STATUS_WORDS = {"entered-in-error": "Entered in error", "superseded": "Replaced"}


@dataclass(frozen=True)
class Person:
    """The header of a chart."""

    id: str
    name: str
    sex: str
    age: int | None
    born: str
    mrn: str


@dataclass(frozen=True)
class VisitLine:
    """One visit in the list."""

    id: str
    day: str
    reason: str
    clinician: str
    open: bool


@dataclass(frozen=True)
class Note:
    """One note or document."""

    id: str
    title: str
    author: str
    encounter: str
    day: str
    doc_status: str
    status_words: str
    text: str


def person(patient: dict[str, Any]) -> Person:
    """The header for a Patient."""
    born = patient.get("birthDate", "")
    return Person(
        id=patient["id"],
        name=patient_name(patient, upper=True),
        sex=patient.get("gender", "")[:1].upper(),
        age=_age(date.fromisoformat(born)) if born else None,
        born=born,
        mrn=_first(patient, "identifier").get("value", ""),
    )


def visits(ehr: EHR, patient_id: str) -> list[VisitLine]:
    """Every visit, newest first."""
    names = clinician_names(ehr.store)
    found = sorted(ehr.store.current("Encounter", patient_id), key=_started, reverse=True)
    return [
        VisitLine(
            id=encounter["id"],
            day=_day(_started(encounter)),
            reason=_first(encounter, "reasonCode").get("text", "Visit"),
            clinician=names.get(_id(_first(encounter, "participant").get("individual", {})), ""),
            open=encounter["status"] == "in-progress",
        )
        for encounter in found
    ]


def facts(ehr: EHR, patient_id: str) -> dict[str, list[str]]:
    """The chart's lists as lines of text, by heading."""
    store = ehr.store
    return {
        "Problems": [_text_of(condition["code"]) for condition in store.current("Condition", patient_id)],
        "Medications": [_medication(order) for order in store.current("MedicationRequest", patient_id)],
        "Allergies": [_allergy(allergy) for allergy in store.current("AllergyIntolerance", patient_id)],
        "Vitals": _observations(ehr, patient_id, "vital-signs"),
        "Results": _observations(ehr, patient_id, "laboratory"),
    }


def notes(ehr: EHR, patient_id: str) -> list[Note]:
    """Every document of the chart that is not withdrawn, newest first."""
    names, days = clinician_names(ehr.store), {visit.id: visit for visit in visits(ehr, patient_id)}
    documents = ehr.store.current("DocumentReference", patient_id)
    shown = [document for document in documents if document["status"] != "entered-in-error"]
    shown.sort(key=lambda document: document.get("date", document["meta"]["lastUpdated"]), reverse=True)
    return [_note(ehr, document, names, days) for document in shown]


def _note(ehr: EHR, document: dict[str, Any], names: dict[str, str], days: dict[str, VisitLine]) -> Note:
    encounters = document.get("context", {}).get("encounter", [])
    visit = days.get(_id(encounters[0])) if encounters else None
    authors = [names.get(_id(author), author.get("display", "")) for author in document.get("author", [])]
    doc_status = document.get("docStatus", "")
    return Note(
        id=document["id"],
        title=document.get("description") or _text_of(document.get("type", {})),
        author=", ".join(authors),
        encounter=f"{visit.day} · {visit.reason}" if visit else "",
        day=_day(document.get("date", document["meta"]["lastUpdated"])),
        doc_status=doc_status,
        status_words=STATUS_WORDS.get(document["status"], DOC_STATUS_WORDS.get(doc_status, doc_status)),
        text=_text(ehr, document["content"][0]["attachment"]),
    )


def _text(ehr: EHR, attachment: dict[str, Any]) -> str:
    data = attachment.get("data", "")
    if "url" in attachment:
        binary = ehr.store.read("Binary", attachment["url"].rpartition("/")[2])
        data = binary.get("data", "") if binary else ""
    return base64.b64decode(data).decode("utf-8", "replace")


def _text_of(concept: dict[str, Any]) -> str:
    coding = _first(concept, "coding")
    return str(concept.get("text") or coding.get("display") or coding.get("code", "Unnamed"))


def _first(resource: dict[str, Any], name: str) -> dict[str, Any]:
    # Charts also show what apps wrote, and FHIR demands few elements.
    found: dict[str, Any] = next(iter(resource.get(name, [])), {})
    return found


def _medication(order: dict[str, Any]) -> str:
    medication = _text_of(order.get("medicationCodeableConcept", {}))
    return f"{medication}: {_first(order, 'dosageInstruction').get('text', '')}"


def _allergy(allergy: dict[str, Any]) -> str:
    reactions = [_text_of(reaction["manifestation"][0]) for reaction in allergy.get("reaction", [])]
    return ": ".join([_text_of(allergy.get("code", {})), *reactions])


def _observations(ehr: EHR, patient_id: str, category: str) -> list[str]:
    found = [o for o in ehr.store.current("Observation", patient_id) if _is(o, category)]
    newest: dict[str, dict[str, Any]] = {}
    for observation in sorted(found, key=_measured):
        newest[_text_of(observation["code"])] = observation
    return [f"{text}: {_value(o)} ({_day(_measured(o))})" for text, o in newest.items()][:LABS_SHOWN]


def _is(observation: dict[str, Any], category: str) -> bool:
    return any(code == category for code in values_at(observation, "category.coding.code"))


def _value(observation: dict[str, Any]) -> str:
    if "component" in observation:
        return "/".join(str(v) for v in values_at(observation, "component.valueQuantity.value")) + " mmHg"
    quantity = observation.get("valueQuantity", {})
    return f"{quantity.get('value', '')} {quantity.get('unit', '')}"


def _started(encounter: dict[str, Any]) -> str:
    return str(encounter.get("period", {}).get("start", encounter["meta"]["lastUpdated"]))


def _measured(observation: dict[str, Any]) -> str:
    return str(observation.get("effectiveDateTime", observation["meta"]["lastUpdated"]))


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%-d %b %Y}"


def _age(born: date) -> int:
    today = date.today()  # noqa: DTZ011 -- an age on a screen, in the reader's own day
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _id(reference: dict[str, Any]) -> str:
    return str(reference.get("reference", "")).rpartition("/")[2]
