"""Medication doses in free text, and whether they agree with the chart."""

import re
from dataclasses import dataclass

from app.drafting.material import Entry
from app.drafting.spoken_numbers import ONES, TENS, numbers_in

UNITS = {
    "mg": "mg", "milligram": "mg", "milligrams": "mg", "mcg": "mcg", "microgram": "mcg", "micrograms": "mcg",
    "g": "g", "gram": "g", "grams": "g", "unit": "units", "units": "units", "ml": "ml",
}  # fmt: skip
NUMBER_WORDS = "|".join((*ONES, *TENS, "hundred", "thousand", "point"))
DOSE = re.compile(
    rf"(?P<number>\d+(?:[.,]\d+)?|(?:(?:{NUMBER_WORDS})[\s-]?)+)\s*"
    rf"(?P<unit>{'|'.join(sorted(UNITS, key=len, reverse=True))})\b",
    re.IGNORECASE,
)
CHANGE = re.compile(
    r"\b(increas\w*|decreas\w*|chang\w*|switch\w*|bump\w*|lower\w*|rais\w*|start\w*|titrat\w*|reduc\w*|"
    r"(?:go|going|move|moving|double|doubling|cut|cutting) (?:\w+ ){0,3}(?:up|down|to|back)|up to|down to|instead)\b",
    re.IGNORECASE,
)
# "Stop the lisinopril, and start losartan fifty milligrams": that dose is another medication's.
ANOTHER = re.compile(r"\b(?:and|start\w*|then|switch\w*|stop\w*)\b", re.IGNORECASE)
FARTHEST = 60


@dataclass(frozen=True)
class DoseDifference:
    """The text names a charted medication with another dose than the chart's."""

    entry: Entry
    said: str
    charted: str
    is_change: bool
    start: int
    end: int


def dose_difference(text: str, medications: list[Entry]) -> DoseDifference | None:
    """The first dose in `text` that differs from the charted dose of the medication named there, if any."""
    for entry in medications:
        named = re.search(rf"\b{re.escape(entry.name.split()[0])}\b", text, re.IGNORECASE) if entry.name else None
        charted = DOSE.search(entry.source.text)
        said = named and _nearest_dose(text, named.end())
        if named and charted and said and _figures(said) != _figures(charted):
            is_change = bool(CHANGE.search(text))
            return DoseDifference(entry, said[0].strip(), charted[0].strip(), is_change, said.start(), said.end())
    return None


def _nearest_dose(text: str, place: int) -> re.Match[str] | None:
    after = DOSE.search(text, place)
    between = text[place : after.start()] if after else ""
    return None if ANOTHER.search(between) or len(between) > FARTHEST else after


def _figures(dose: re.Match[str]) -> tuple[frozenset[str], str]:
    values = numbers_in(dose["number"])
    return frozenset({max(values, key=float)} if values else set()), UNITS[dose["unit"].lower()]
