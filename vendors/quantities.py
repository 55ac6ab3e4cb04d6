"""FHIR R4 values in words: concepts, quantities, and the value of an observation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LOINC = "http://loinc.org"
_SYSTOLIC, _DIASTOLIC = "8480-6", "8462-4"
# UCUM codes that nobody writes so in a chart.
_SPOKEN_UNITS = {
    "mm[Hg]": "mmHg",
    "/min": "per minute",
    "Cel": "°C",
    "[degF]": "°F",
    "[lb_av]": "lb",
    "[in_i]": "in",
}
_FLAGS = {"H": "high", "HH": "critically high", "L": "low", "LL": "critically low", "A": "abnormal"}


def concept_words(concept: Any) -> str:
    """Return a CodeableConcept's text, else its first display, else its first code, else ""."""
    if concept is None:
        return ""
    codings = concept.coding or []
    displays = [coding.display for coding in codings if coding.display]
    codes = [coding.code for coding in codings if coding.code]
    return str(next(iter([concept.text] if concept.text else displays or codes), "")).strip()


def first_code(concept: Any) -> str:
    """Return the first code of a CodeableConcept, "" where it has none."""
    codings = (concept.coding or []) if concept is not None else []
    return next((str(coding.code) for coding in codings if coding.code), "")


def quantity_words(quantity: Any) -> str:
    """Return "<5 mg/dL"; a number stands as the EHR wrote it, so that 7.0 does not become 7."""
    unit = quantity.unit or quantity.code or ""
    amount = f"{quantity.comparator or ''}{_number(quantity.value)}"
    return f"{amount} {_SPOKEN_UNITS.get(unit, unit)}".strip()


def _number(value: float | None) -> str:
    return "" if value is None else str(value)


def observation_value(observation: Any) -> str | None:
    """Return an observation's value in words: a blood pressure as "128/76 mmHg", a panel part by part."""
    own = _plain_value(observation)
    if own is not None:
        return own
    parts = observation.component or []
    pressure = _blood_pressure(parts)
    if pressure:
        return pressure
    named = [(concept_words(part.code), _plain_value(part)) for part in parts]
    return ", ".join(f"{name} {value}" for name, value in named if value is not None) or None


def _plain_value(holder: Any) -> str | None:
    if holder.valueQuantity:
        return quantity_words(holder.valueQuantity) if holder.valueQuantity.value is not None else None
    if holder.valueCodeableConcept:
        return concept_words(holder.valueCodeableConcept) or None
    if holder.valueBoolean is not None:
        return "yes" if holder.valueBoolean else "no"
    if holder.valueInteger is not None:
        return str(holder.valueInteger)
    return str(holder.valueString) if holder.valueString else None


def _blood_pressure(parts: list[Any]) -> str | None:
    measured = {code: part.valueQuantity for part in parts if part.valueQuantity for code in _loinc(part.code)}
    upper, lower = measured.get(_SYSTOLIC), measured.get(_DIASTOLIC)
    if upper is None or lower is None or len(parts) != 2:
        return None
    return f"{_number(upper.value)}/{quantity_words(lower)}"


def _loinc(concept: Any) -> Iterator[str]:
    for coding in (concept.coding or []) if concept is not None else []:
        if coding.system == _LOINC:
            yield coding.code


def flag_words(observation: Any) -> str:
    """Return " (high)" and the like where the laboratory flagged the value, else ""."""
    for concept in observation.interpretation or []:
        flag = _FLAGS.get(first_code(concept))
        if flag:
            return f" ({flag})"
    return ""
