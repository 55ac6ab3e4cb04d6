"""From fhirclient's R4 models to the chart's values: one function per resource type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from vendors.chart_values import ChartItem, Clinician, Kind, Patient, Visit
from vendors.dosage import ingredient, medication_words
from vendors.quantities import concept_words, first_code, flag_words, observation_value

Relative = Callable[[str], str]

_CLASSES = {
    "AMB": "ambulatory",
    "EMER": "emergency",
    "IMP": "inpatient",
    "ACUTE": "inpatient acute",
    "OBSENC": "observation",
    "VR": "virtual",
    "HH": "home health",
}
# Records that say of themselves that they are not true.
RETRACTED = frozenset({"entered-in-error"})


def patient_value(model: Any, reference: str) -> Patient:
    """Return the patient with the name that the chart uses, official before others."""
    name = _best_name(model.name)
    return Patient(
        reference=reference,
        version=version(model),
        family=(name.family or "") if name else "",
        given=" ".join(name.given or []) if name else "",
        sex=model.gender or "",
        birth_date=_birth_date(model.birthDate),
        mrn=_mrn(model.identifier or []),
    )


def visit_value(model: Any, reference: str, relative: Relative) -> Visit:
    """Return the encounter of the launch."""
    kind = model.class_fhir
    code = (kind.code or "") if kind else ""
    return Visit(
        reference=reference,
        version=version(model),
        status=model.status or "",
        start=moment(model.period.start) if model.period else None,
        end=moment(model.period.end) if model.period else None,
        class_display=(kind.display if kind else None) or _CLASSES.get(code, code),
        reason=", ".join(words for words in map(concept_words, model.reasonCode or []) if words),
        subject=referenced(model.subject, relative) or "",
        organization=referenced(model.serviceProvider, relative),
        class_coding=_token(kind) if kind else "",
        service_types=tuple(map(_token, model.serviceType.coding or [])) if model.serviceType else (),
        types=tuple(_token(coding) for concept in model.type or [] for coding in concept.coding or []),
    )


def _token(coding: Any) -> str:
    return f"{coding.system or ''}|{coding.code or ''}"


def practitioner_value(model: Any, reference: str) -> Clinician:
    """Return the clinician of a Practitioner resource."""
    role = next((concept_words(one.code) for one in model.qualification or []), "")
    return Clinician(reference, _full_name(_best_name(model.name)), role)


def role_value(model: Any, reference: str) -> Clinician:
    """Return the clinician of a PractitionerRole resource."""
    name = (model.practitioner.display or "") if model.practitioner else ""
    return Clinician(reference, name, next(map(concept_words, model.code or []), ""))


def condition_item(model: Any, relative: Relative) -> ChartItem:
    """Return a problem or diagnosis; a status other than active is said in its text."""
    name = concept_words(model.code)
    status = first_code(model.verificationStatus)
    status = status if status in RETRACTED else first_code(model.clinicalStatus)
    text = name if status in ("", "active") else f"{name} ({status})"
    return _item("condition", model, relative, name=name, text=text, recorded=model.recordedDate, status=status)


def medication_item(model: Any, relative: Relative) -> ChartItem:
    """Return a medication order with its dosage in words."""
    display = _medication_display(model)
    text = medication_words(display, model.dosageInstruction or []) if display else ""
    status = model.status or ""
    return _item(
        "medication",
        model,
        relative,
        name=ingredient(display) if display else "",
        text=text if status in ("", "active") else f"{text} ({status})",
        recorded=model.authoredOn,
        status=status,
    )


def allergy_item(model: Any, relative: Relative) -> ChartItem:
    """Return an allergy with its reactions: "Penicillin: hives (moderate)"."""
    name = concept_words(model.code)
    reactions = ", ".join(filter(None, map(_reaction_words, model.reaction or [])))
    status = first_code(model.verificationStatus)
    status = status if status in RETRACTED else first_code(model.clinicalStatus)
    text = f"{name}: {reactions}" if reactions else name
    text = f"{text}, high criticality" if model.criticality == "high" else text
    text = text if status in ("", "active") else f"{text} ({status})"
    return _item("allergy", model, relative, name=name, text=text, recorded=model.recordedDate, status=status)


def vital_item(model: Any, relative: Relative) -> ChartItem:
    """Return a vital sign with its value."""
    return _observation_item("vital", model, relative)


def lab_item(model: Any, relative: Relative) -> ChartItem:
    """Return a laboratory result with its value and flag."""
    return _observation_item("lab", model, relative)


def _observation_item(kind: Kind, model: Any, relative: Relative) -> ChartItem:
    name, value = concept_words(model.code), observation_value(model)
    shown = f"{name} {value}{flag_words(model)}" if value is not None else f"{name}: no value"
    period = model.effectivePeriod
    recorded = model.effectiveDateTime or model.effectiveInstant or (period.start if period else None)
    return _item(
        kind,
        model,
        relative,
        name=name,
        text=shown,
        value=value,
        recorded=recorded,
        status=model.status or "",
    )


def _item(
    kind: Kind,
    model: Any,
    relative: Relative,
    *,
    name: str,
    text: str,
    recorded: Any,
    status: str,
    value: str | None = None,
) -> ChartItem:
    return ChartItem(
        kind=kind,
        reference=f"{model.resource_type}/{model.id}",
        version=version(model),
        name=name,
        text=text,
        value=value,
        recorded=moment(recorded),
        encounter=referenced(model.encounter, relative),
        status=status,
        codes=_codes(getattr(model, "code", None) or getattr(model, "medicationCodeableConcept", None)),
    )


def _codes(concept: Any) -> tuple[str, ...]:
    return tuple(map(_token, concept.coding or [])) if concept is not None else ()


def _medication_display(model: Any) -> str:
    if model.medicationCodeableConcept:
        return concept_words(model.medicationCodeableConcept)
    reference = model.medicationReference
    if reference is None:
        return ""
    if reference.display:
        return str(reference.display)
    inside = {f"#{one.id}": one for one in model.contained or [] if one.resource_type == "Medication"}
    medication = inside.get(reference.reference)
    return concept_words(medication.code) if medication else ""


def _reaction_words(reaction: Any) -> str:
    signs = ", ".join(filter(None, map(concept_words, reaction.manifestation or [])))
    return f"{signs} ({reaction.severity})" if signs and reaction.severity else signs


def _best_name(names: list[Any] | None) -> Any:
    order = {"official": 0, "usual": 1, None: 2}
    return min(names or [], key=lambda name: order.get(name.use, 3), default=None)


def _full_name(name: Any) -> str:
    if name is None:
        return ""
    parts = [*(name.prefix or []), *(name.given or []), name.family, *(name.suffix or [])]
    return str(name.text or " ".join(part for part in parts if part))


def _mrn(identifiers: list[Any]) -> str | None:
    numbers = [one for one in identifiers if one.value and _is_medical_record_number(one)]
    return str(numbers[0].value) if numbers else None


def _is_medical_record_number(identifier: Any) -> bool:
    codings = (identifier.type.coding or []) if identifier.type else []
    return any(coding.code == "MR" for coding in codings)


def _birth_date(value: Any) -> date | None:
    born = value.date if value else None
    # A year or a month alone is no birth date to show or to reckon an age from.
    return born if born is not None and len(value.as_json()) == len("1962-03-14") else None


def version(model: Any) -> str | None:
    """Return the version that was read."""
    return model.meta.versionId if model.meta else None


def referenced(reference: Any, relative: Relative) -> str | None:
    """Return a reference relative to the FHIR base."""
    return relative(reference.reference) if reference and reference.reference else None


def moment(value: Any) -> datetime | None:
    """Return a FHIR dateTime with a zone; a date without a time counts from midnight UTC."""
    read: datetime | None = value.datetime if value else None
    if read is None:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
