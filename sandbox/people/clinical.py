"""Condition, MedicationRequest, AllergyIntolerance and Observation."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sandbox.people.calendar import written
from sandbox.people.clinic import Clinic
from sandbox.people.patient_file import Allergy, Lab, Medication, Person, Problem, Vitals

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
TAKEN_AFTER = timedelta(minutes=4)

# attribute of Vitals: LOINC code, name, unit to show, UCUM unit
SIMPLE_VITALS = {
    "pulse": ("8867-4", "Heart rate", "/min", "/min"),
    "temperature_f": ("8310-5", "Body temperature", "degF", "[degF]"),
    "respirations": ("9279-1", "Respiratory rate", "/min", "/min"),
    "oxygen": ("59408-5", "Oxygen saturation", "%", "%"),
    "weight_kg": ("29463-7", "Body weight", "kg", "kg"),
    "height_cm": ("8302-2", "Body height", "cm", "cm"),
}


def condition_resource(clinic: Clinic, person: Person, number: int, problem: Problem) -> dict[str, Any]:
    """A problem-list entry."""
    codings = [{"system": SNOMED, "code": problem.snomed}, {"system": ICD10, "code": problem.icd10}]
    return {
        "resourceType": "Condition",
        "id": clinic.ids.of("Condition", f"{person.key}-problem-{number}"),
        "clinicalStatus": _coded(f"{TERMINOLOGY}/condition-clinical", problem.status),
        "verificationStatus": _coded(f"{TERMINOLOGY}/condition-ver-status", "confirmed"),
        "category": [_coded(f"{TERMINOLOGY}/condition-category", "problem-list-item")],
        "code": {"coding": codings, "text": problem.text},
        "subject": clinic.ids.reference("Patient", person.key),
        "onsetDateTime": written(problem.since),
        "recordedDate": written(problem.since),
    }


def medication_resource(clinic: Clinic, person: Person, number: int, medication: Medication) -> dict[str, Any]:
    """A medication order."""
    return {
        "resourceType": "MedicationRequest",
        "id": clinic.ids.of("MedicationRequest", f"{person.key}-med-{number}"),
        "status": medication.status,
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{"system": RXNORM, "code": medication.rxnorm, "display": medication.text}],
            "text": medication.text,
        },
        "subject": clinic.ids.reference("Patient", person.key),
        "authoredOn": written(medication.since),
        "requester": clinic.ids.reference("Practitioner", medication.practitioner),
        "dosageInstruction": [{"text": medication.directions}],
    }


def allergy_resource(clinic: Clinic, person: Person, number: int, allergy: Allergy) -> dict[str, Any]:
    """An allergy or intolerance."""
    return {
        "resourceType": "AllergyIntolerance",
        "id": clinic.ids.of("AllergyIntolerance", f"{person.key}-allergy-{number}"),
        "clinicalStatus": _coded(f"{TERMINOLOGY}/allergyintolerance-clinical", "active"),
        "verificationStatus": _coded(f"{TERMINOLOGY}/allergyintolerance-verification", "confirmed"),
        "type": allergy.kind,
        "code": {"coding": [{"system": RXNORM, "code": allergy.rxnorm}], "text": allergy.text},
        "patient": clinic.ids.reference("Patient", person.key),
        "reaction": [{"manifestation": [{"text": allergy.reaction}], "severity": allergy.severity}],
    }


def no_known_allergies(clinic: Clinic, person: Person) -> dict[str, Any]:
    """Somebody asked, and there are none."""
    return {
        "resourceType": "AllergyIntolerance",
        "id": clinic.ids.of("AllergyIntolerance", f"{person.key}-nka"),
        "clinicalStatus": _coded(f"{TERMINOLOGY}/allergyintolerance-clinical", "active"),
        "verificationStatus": _coded(f"{TERMINOLOGY}/allergyintolerance-verification", "confirmed"),
        "code": {"coding": [{"system": SNOMED, "code": "716186003"}], "text": "No known allergies"},
        "patient": clinic.ids.reference("Patient", person.key),
    }


def vital_resources(clinic: Clinic, person: Person, number: int, vitals: Vitals) -> Iterator[dict[str, Any]]:
    """One Observation per vital sign; blood pressure is one with two components."""
    visit = person.visit(vitals.visit)
    taken = written(clinic.calendar.start(visit) + TAKEN_AFTER)
    shared = {
        "encounter": clinic.ids.reference("Encounter", f"{person.key}-{visit.key}"),
        "effectiveDateTime": taken,
    }
    for name, (loinc, text, unit, code) in SIMPLE_VITALS.items():
        value = getattr(vitals, name)
        if value is not None:
            measured = {"valueQuantity": _quantity(value, unit, code)}
            key = f"{person.key}-vital-{number}-{loinc}"
            yield {
                **_observation(clinic, person, key, category="vital-signs", loinc=loinc, text=text),
                **shared,
                **measured,
            }
    if vitals.blood_pressure:
        systolic, diastolic = vitals.blood_pressure.split("/")
        parts = [
            ("8480-6", "Systolic blood pressure", systolic),
            ("8462-4", "Diastolic blood pressure", diastolic),
        ]
        key = f"{person.key}-vital-{number}-85354-9"
        pressure = _observation(clinic, person, key, category="vital-signs", loinc="85354-9", text="Blood pressure")
        yield {**pressure, **shared, "component": [_component(*part) for part in parts]}


def lab_resource(clinic: Clinic, person: Person, number: int, lab: Lab) -> dict[str, Any]:
    """One laboratory result."""
    key = f"{person.key}-lab-{number}"
    interpretation = _coded(f"{TERMINOLOGY}/v3-ObservationInterpretation", lab.flag)
    return {
        **_observation(clinic, person, key, category="laboratory", loinc=lab.loinc, text=lab.text),
        "effectiveDateTime": written(clinic.calendar.day(lab.days_ago)),
        "valueQuantity": {"value": lab.value, "unit": lab.unit},
        "interpretation": [interpretation],
    }


def _observation(clinic: Clinic, person: Person, key: str, *, category: str, **code: str) -> dict[str, Any]:
    loinc, text = code["loinc"], code["text"]
    return {
        "resourceType": "Observation",
        "id": clinic.ids.of("Observation", key),
        "status": "final",
        "category": [_coded(f"{TERMINOLOGY}/observation-category", category)],
        "code": {"coding": [{"system": LOINC, "code": loinc, "display": text}], "text": text},
        "subject": clinic.ids.reference("Patient", person.key),
    }


def _component(loinc: str, text: str, value: str) -> dict[str, Any]:
    code = {"coding": [{"system": LOINC, "code": loinc, "display": text}], "text": text}
    return {"code": code, "valueQuantity": _quantity(int(value), "mmHg", "mm[Hg]")}


def _quantity(value: float, unit: str, code: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
