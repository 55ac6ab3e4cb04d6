"""A medication order's dosage in words a clinician reads at a glance: "lisinopril 20 mg, once daily".

The EHR's own words win where it sends them; the structured parts are put together only where it does not.
Sources: FHIR R4 dosage.html, datatypes.html#Timing, valueset-units-of-time, v3 GTSAbbreviation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vendors.quantities import concept_words, quantity_words

_TIMES = {1: "once", 2: "twice"}
_UNITS = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
_ADVERBS = {"h": "hourly", "d": "daily", "wk": "weekly", "mo": "monthly", "a": "yearly"}
_CODES = {
    "QD": "once daily",
    "BID": "twice daily",
    "TID": "3 times daily",
    "QID": "4 times daily",
    "QOD": "every 2 days",
    "AM": "every morning",
    "PM": "every afternoon",
    "BED": "at bedtime",
    "WK": "once weekly",
    "MO": "once monthly",
    "Q4H": "every 4 hours",
    "Q6H": "every 6 hours",
}
_WHEN = {
    "HS": "at bedtime",
    "WAKE": "on waking",
    "AC": "before meals",
    "C": "with meals",
    "PC": "after meals",
    "MORN": "in the morning",
    "NOON": "at noon",
    "AFT": "in the afternoon",
    "EVE": "in the evening",
    "NIGHT": "at night",
}


def ingredient(display: str) -> str:
    """Return a drug's name without strength and form: "lisinopril" of "lisinopril 20 MG Oral Tablet"."""
    name = re.split(r"\s+(?=\d)", display.strip(), maxsplit=1)[0].strip(" ,")
    return display.strip() if not name or name[0].isdigit() else name


def medication_words(display: str, dosages: list[Any]) -> str:
    """Return the order in one line: what, how much, how, how often."""
    said = "; ".join(words for words in (_dosage_words(display, one) for one in dosages) if words)
    if not said:
        return display
    if said.lower().startswith(ingredient(display).lower()):
        return said
    # A bare drug name takes the dose as its strength: "lisinopril 20 mg, once daily".
    takes_strength = not _has_digit(display) and not dosages[0].text and _dose(dosages[0])
    return f"{display} {said}" if takes_strength else f"{display}, {said}"


def _dosage_words(display: str, dosage: Any) -> str:
    if dosage.text:
        return str(dosage.text).strip().rstrip(".")
    dose = _dose(dosage)
    parts = ("" if dose.lower() in display.lower() else dose, _route(dosage), " ".join(_frequency(dosage)))
    return ", ".join(part for part in parts if part)


def _has_digit(words: str) -> bool:
    return any(letter.isdigit() for letter in words)


def _dose(dosage: Any) -> str:
    for one in dosage.doseAndRate or []:
        if one.doseQuantity:
            return quantity_words(one.doseQuantity)
        if one.doseRange:
            bounds = (one.doseRange.low, one.doseRange.high)
            return " to ".join(quantity_words(bound) for bound in bounds if bound)
    return ""


def _route(dosage: Any) -> str:
    return concept_words(dosage.route)


def _frequency(dosage: Any) -> Iterator[str]:
    timing = dosage.timing
    if timing is not None:
        repeated = " ".join(_repeat_words(timing.repeat)) if timing.repeat else ""
        yield repeated or _code_words(timing.code)
    if dosage.asNeededCodeableConcept:
        yield f"as needed for {concept_words(dosage.asNeededCodeableConcept)}"
    elif dosage.asNeededBoolean:
        yield "as needed"


def _code_words(code: Any) -> str:
    if code is None:
        return ""
    if code.text and code.text.upper() not in _CODES:
        return str(code.text)
    codes = [str(coding.code).upper() for coding in code.coding or []] + [str(code.text or "").upper()]
    return next((_CODES[one] for one in codes if one in _CODES), concept_words(code))


def _repeat_words(repeat: Any) -> Iterator[str]:
    if repeat.period is not None and repeat.periodUnit in _UNITS:
        yield _rate(repeat.frequency or 1, repeat.period, repeat.periodUnit)
    if repeat.dayOfWeek:
        yield "on " + ", ".join(day.capitalize() for day in repeat.dayOfWeek)
    if repeat.timeOfDay:
        yield "at " + ", ".join(str(time.as_json())[:5] for time in repeat.timeOfDay)
    for moment in repeat.when or []:
        yield _WHEN.get(moment, moment)


def _rate(frequency: int, period: float, unit: str) -> str:
    times = _TIMES.get(frequency, f"{frequency} times")
    if period == 1 and unit in _ADVERBS:
        return f"{times} {_ADVERBS[unit]}"
    every = f"every {period:g} {_UNITS[unit]}{'s' if period != 1 else ''}"
    return every if frequency == 1 else f"{times} {every}"
