"""Structured entries as FHIR R4: rendered and checked before they are signed, never in the worker.

Rendering is pure: the same signed entry gives the same bytes for ever. An entry for the visit itself travels as a JSON
Patch with a `test` operation, or as the whole Encounter as it was read, always on the version that was read.

Sources: FHIR R4; US Core vital signs, Condition, AllergyIntolerance; UCUM; conformance C11, C13, C31, C34, C41, D03.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from fhir.resources.R4B.allergyintolerance import AllergyIntolerance
from fhir.resources.R4B.communication import Communication
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.encounter import Encounter
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.task import Task
from pydantic import ValidationError

from vendors.entry_values import (
    RESOURCE_OF,
    SIGNS,
    SPOKEN_UNITS,
    Allergy,
    Coded,
    Content,
    EntryKind,
    FollowUp,
    Medication,
    Message,
    Problem,
    Sign,
    VisitReason,
    VitalSign,
)
from vendors.errors import InvalidResource
from vendors.notes import AI_ASSERTED, LOINC, canonical_json
from vendors.profile import Profile

UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
SYSTOLIC, DIASTOLIC = ("8480-6", "Systolic blood pressure"), ("8462-4", "Diastolic blood pressure")


@dataclass(frozen=True)
class SignedEntry:
    """One entry as a clinician signed it; references are relative to the FHIR base.

    `interaction` is how it travels. `base` is the Encounter as it was read at signing, for what changes the visit.
    """

    identifier_system: str
    identifier_value: str
    patient: str
    encounter: str | None
    author: str
    author_name: str
    signed_at: datetime
    visit_start: datetime | None
    ai_assisted: bool
    interaction: Literal["create", "update", "patch"]
    content: Content = field(repr=False)
    base: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def kind(self) -> EntryKind:
        """Which kind of entry it is."""
        return EntryKind(self.content.kind)


def render_entry(entry: SignedEntry, profile: Profile) -> bytes:
    """Return the entry as canonical JSON: the resource, or the patch. Call `vendors.entry_rules.broken_rules` first.

    Raises InvalidResource where the result is no valid FHIR R4 resource.
    """
    if isinstance(entry.content, VisitReason):
        return _visit_change(entry, entry.content, profile)
    resource = {**_heading(entry), **_own_fields(entry, entry.content)}
    return canonical_json(_validated(entry.kind, resource, profile))


def _own_fields(entry: SignedEntry, content: Content) -> dict[str, Any]:
    match content:
        case VitalSign():
            return _vital_sign(entry, content)
        case FollowUp():
            return _follow_up(entry, content)
        case Problem():
            return _problem(entry, content)
        case Allergy():
            return _allergy(entry, content)
        case Message():
            return _message(entry, content)
        case Medication():
            return _medication(entry, content)
        case VisitReason():
            return {}


def _validated(kind: EntryKind, resource: dict[str, Any], profile: Profile) -> dict[str, Any]:
    try:
        MODELS[kind].model_validate(resource)
    except ValidationError:  # its text quotes the entry
        raise InvalidResource(profile.name, f"render {RESOURCE_OF[kind]}", issue_codes=("structure",)) from None
    return resource


def _heading(entry: SignedEntry) -> dict[str, Any]:
    heading: dict[str, Any] = {
        "resourceType": RESOURCE_OF[entry.kind],
        "identifier": [{"system": entry.identifier_system, "value": entry.identifier_value}],
    }
    if entry.ai_assisted:
        heading["meta"] = {"security": [AI_ASSERTED]}
    if entry.encounter:
        heading["encounter"] = {"reference": entry.encounter}
    return heading


def _vital_sign(entry: SignedEntry, vital: VitalSign) -> dict[str, Any]:
    measured = SIGNS[vital.sign]
    codings = [(measured.loinc, measured.display), *measured.also]
    return {
        "status": "final",
        "category": [{"coding": [{"system": f"{HL7}observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [_loinc(*one) for one in codings], "text": measured.display},
        "subject": {"reference": entry.patient},
        "effectiveDateTime": _instant(measured_at(entry)),
        "performer": [_author(entry)],
        **_measurement(vital),
    }


def measured_at(entry: SignedEntry) -> datetime:
    """Return when a vital sign was taken: as it was said, else at the visit's start, else when it was signed."""
    said = entry.content.measured_at if isinstance(entry.content, VitalSign) else None
    return said or entry.visit_start or entry.signed_at


def _measurement(vital: VitalSign) -> dict[str, Any]:
    if vital.sign is not Sign.BLOOD_PRESSURE:
        return {"valueQuantity": _quantity(vital.value, vital.unit)}
    parts = ((SYSTOLIC, vital.value), (DIASTOLIC, vital.second))
    return {
        "component": [
            {"code": {"coding": [_loinc(*code)]}, "valueQuantity": _quantity(value, vital.unit)}
            for code, value in parts
        ]
    }


def _quantity(value: str, unit: str) -> dict[str, Any]:
    number = Decimal(value)
    exact = int(number) if number == number.to_integral_value() else float(number)
    return {"value": exact, "unit": SPOKEN_UNITS.get(unit, unit), "system": UCUM, "code": unit}


def _follow_up(entry: SignedEntry, asked: FollowUp) -> dict[str, Any]:
    due = {"restriction": {"period": {"end": asked.due.isoformat()}}} if asked.due else {}
    return {
        "status": "requested",
        "intent": "order",
        "description": asked.what,
        "for": {"reference": entry.patient},
        "authoredOn": _instant(entry.signed_at),
        "requester": _author(entry),
        **due,
    }


def _problem(entry: SignedEntry, problem: Problem) -> dict[str, Any]:
    return {
        "clinicalStatus": _status("condition-clinical", "active"),
        "verificationStatus": _status("condition-ver-status", "confirmed"),
        "category": [{"coding": [{"system": f"{HL7}condition-category", "code": "problem-list-item"}]}],
        "code": _concept(problem.name, problem.coding),
        "subject": {"reference": entry.patient},
        "recordedDate": _instant(entry.signed_at),
        "recorder": _author(entry),
        "asserter": _author(entry),
    }


def _allergy(entry: SignedEntry, allergy: Allergy) -> dict[str, Any]:
    reaction = [{"manifestation": [{"text": allergy.reaction}]}] if allergy.reaction else []
    return {
        "clinicalStatus": _status("allergyintolerance-clinical", "active"),
        # The patient said so; that it was tested or seen is for the EHR's own work-up to say.
        "verificationStatus": _status("allergyintolerance-verification", "unconfirmed"),
        "code": _concept(allergy.substance, allergy.coding),
        "patient": {"reference": entry.patient},
        "recordedDate": _instant(entry.signed_at),
        "recorder": _author(entry),
        **({"reaction": reaction} if reaction else {}),
    }


def _message(entry: SignedEntry, message: Message) -> dict[str, Any]:
    return {
        "status": "preparation",  # written and not sent: sending it is the EHR's own step
        "subject": {"reference": entry.patient},
        "sender": _author(entry),
        "payload": [{"contentString": message.text}],
    }


def _medication(entry: SignedEntry, medication: Medication) -> dict[str, Any]:
    return {
        # Never an order: a proposal that stays a draft until a clinician orders it in the EHR.
        "status": "draft",
        "intent": "proposal",
        "medicationCodeableConcept": _concept(medication.name, medication.coding),
        "subject": {"reference": entry.patient},
        "authoredOn": _instant(entry.signed_at),
        "requester": _author(entry),
        **({"dosageInstruction": [{"text": medication.dosage}]} if medication.dosage else {}),
    }


def _visit_change(entry: SignedEntry, reason: VisitReason, profile: Profile) -> bytes:
    base = dict(entry.base or {})
    concept = _concept(reason.text, reason.coding)
    changed = base | {reason.aspect: [*(base.get(reason.aspect) or ()), concept]}
    _validated(EntryKind.VISIT_REASON, changed, profile)
    if entry.interaction != "patch":
        return canonical_json(changed)
    added: dict[str, Any] = {"op": "add", "path": f"/{reason.aspect}", "value": [concept]}
    if base.get(reason.aspect):
        added = {"op": "add", "path": f"/{reason.aspect}/-", "value": concept}
    # Whose visit it is and how it stands, once more where the patch is applied (C13).
    tests = [
        {"op": "test", "path": "/subject/reference", "value": base.get("subject", {}).get("reference")},
        {"op": "test", "path": "/status", "value": base.get("status")},
    ]
    return canonical_json([*tests, added])  # type: ignore[arg-type]


def _concept(text: str, coding: Coded | None) -> dict[str, Any]:
    if coding is None:
        return {"text": text}
    shown = {"display": coding.display} if coding.display else {}
    return {"coding": [{"system": coding.system, "code": coding.code, **shown}], "text": text}


def _loinc(code: str, display: str) -> dict[str, Any]:
    return {"system": LOINC, "code": code, "display": display}


def _status(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{HL7}{system}", "code": code}]}


def _author(entry: SignedEntry) -> dict[str, Any]:
    return {"reference": entry.author, "display": entry.author_name}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


MODELS: Mapping[EntryKind, Any] = {
    EntryKind.VITAL_SIGN: Observation,
    EntryKind.FOLLOW_UP: Task,
    EntryKind.PROBLEM: Condition,
    EntryKind.ALLERGY: AllergyIntolerance,
    EntryKind.MESSAGE: Communication,
    EntryKind.VISIT_REASON: Encounter,
    EntryKind.MEDICATION: MedicationRequest,
}
if MODELS.keys() != set(EntryKind):
    raise TypeError("every kind of entry needs a model")
