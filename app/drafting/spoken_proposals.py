"""What the embedded drafter may safely propose from the words of a visit: no model, and nothing that was not said.

Measurements that the clinician says in the present, what the clinician wants done after so many days, weeks or months,
and allergies that patients state of themselves. Whatever stands in a question, a condition, the past, a target or
somebody's home is left alone: what is missed is written by the clinician, what is wrong would be trusted.
"""

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta

from app.drafting.draft import Evidence, Source
from app.drafting.material import VisitMaterial
from app.drafting.proposals import Proposed
from app.drafting.spoken_numbers import ONES, TENS, number_said
from app.drafting.statement import place, tidied
from app.drafting.transcript import Sentence, read_turns
from vendors.entry_values import SIGNS, Allergy, Content, FollowUp, Sign, VitalSign

_WORD = "|".join((*ONES, *TENS, "hundred", "point"))
NUMBER = rf"(?:\d+(?:\.\d+)?|(?:(?:{_WORD})[\s-]+)*(?:{_WORD}))"
IS = r"(?:\s+(?:today|now|here))?(?:\s+(?:is|of|at))?\s+"
NOT_NOW = re.compile(
    r"\b(?:if|unless|home|was|were|last|before|usually|used to|goal|target|should|under|below|above|drops?|goes"
    r"|yesterday|baseline|maybe|might|about)\b",
    re.IGNORECASE,
)
UNCERTAIN = re.compile(r"\b(?:if|unless|maybe|might|perhaps|until)\b", re.IGNORECASE)


def _spoken(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("NUMBER", NUMBER).replace("IS", IS), re.IGNORECASE)


PRESSURE = _spoken(r"\bpressureIS(?P<upper>NUMBER)(?:\s+over\s+|\s*/\s*)(?P<lower>NUMBER)\b")
MEASUREMENTS: tuple[tuple[Sign, str, re.Pattern[str]], ...] = (
    (Sign.HEART_RATE, "/min", _spoken(r"\b(?:heart rate|pulse)IS(?P<value>NUMBER)\b(?!\s+plus)")),
    (Sign.RESPIRATORY_RATE, "/min", _spoken(r"\b(?:respirations|respiratory rate)IS(?P<value>NUMBER)\b")),
    (
        Sign.OXYGEN_SATURATION,
        "%",
        _spoken(r"\b(?:oxygen|o2 sat|sats?|saturation)(?:\s+saturation)?IS(?P<value>NUMBER)\s*(?:percent|%)"),
    ),
    (Sign.TEMPERATURE, "Cel", _spoken(r"\btemperatureIS(?P<value>NUMBER)\s*(?:degrees\s+)?(?:celsius|°c)")),
    (Sign.TEMPERATURE, "[degF]", _spoken(r"\btemperatureIS(?P<value>NUMBER)\s*(?:degrees\s+)?(?:fahrenheit|°f)")),
    (Sign.WEIGHT, "kg", _spoken(r"\bweigh(?:s|t)IS(?P<value>NUMBER)\s*(?:kilos?|kilograms?|kg)\b")),
    (Sign.WEIGHT, "kg", _spoken(r"\bweighs\s+(?P<value>NUMBER)\s*(?:kilos?|kilograms?|kg)\b")),
)
SPAN = r"in\s+(?P<count>NUMBER)\s+(?P<unit>days?|weeks?|months?)\b"
VISIT = _spoken(r"\b(?:see\s+you(?:\s+back|\s+again)?|come\s+back|return\s+to\s+(?:the\s+)?clinic)\s+" + SPAN)
CHECK = _spoken(r"\b(?P<what>(?:check|recheck|repeat|redo)\s+[^.?!]{3,90}?),?\s+" + SPAN)
ALLERGIC = re.compile(
    r"\b(?:i'm|i\s+am)\s+(?:really\s+|also\s+)?allergic\s+to\s+(?P<substance>[a-z][a-z-]*(?:\s+(?!and\b|but\b|so\b|it\b|"
    r"that\b|since\b|when\b|they\b|i\b|which\b|or\b|at\b|in\b|from\b|as\b)[a-z][a-z-]*)?)",
    re.IGNORECASE,
)
REACTION = re.compile(r"\b(hives|rash|swelling|anaphylaxis|itching|vomiting)\b", re.IGNORECASE)
LONGEST_SPAN = timedelta(days=732)
UNSURE_SUBSTANCES = frozenset(
    {"anything", "something", "everything", "nothing", "it", "that", "them", "this", "any", "some"}
)


def spoken_proposals(material: VisitMaterial) -> Iterator[Proposed]:
    """Every proposal that the transcript bears, in the order in which things were said."""
    transcript = material.transcript
    if transcript is None:
        return
    visited = material.visit.start.date() if material.visit and material.visit.start else None
    for turn in read_turns(transcript.text):
        for sentence in turn.sentences:
            if sentence.is_question:
                continue
            found = _of_clinician(sentence.text, visited) if sentence.clinician else _of_patient(sentence.text)
            for content in found:
                yield Proposed(content, (_cite(transcript, sentence),))


def _of_clinician(text: str, visited: date | None) -> Iterator[Content]:
    yield from _measurements(text)
    yield from _follow_ups(text, visited)


def _measurements(text: str) -> Iterator[VitalSign]:
    for pressure in PRESSURE.finditer(text):
        upper, lower = number_said(pressure["upper"]), number_said(pressure["lower"])
        if upper and lower and _in_the_present(text, pressure) and 0 < float(lower) < float(upper):
            yield VitalSign(sign=Sign.BLOOD_PRESSURE, value=upper, second=lower, unit="mm[Hg]")
    for sign, unit, pattern in MEASUREMENTS:
        for said in pattern.finditer(text):
            value = number_said(said["value"])
            if value and _in_the_present(text, said) and _plausible(sign, unit, value):
                yield VitalSign(sign=sign, value=value, unit=unit)


def _in_the_present(text: str, said: re.Match[str]) -> bool:
    """Nothing in the same part of the sentence says that it is another time's, another place's or a wish."""
    start = max(text.rfind(mark, 0, said.start()) for mark in ",;.")
    end = min((at for mark in ",;" if (at := text.find(mark, said.end())) >= 0), default=len(text))
    return not NOT_NOW.search(text[start + 1 : end])


def _plausible(sign: Sign, unit: str, value: str) -> bool:
    lowest, highest = SIGNS[sign].units[unit]
    return lowest <= float(value) <= highest


def _follow_ups(text: str, visited: date | None) -> Iterator[FollowUp]:
    for pattern in (VISIT, CHECK):
        for said in pattern.finditer(text):
            if UNCERTAIN.search(text[: said.end()]):
                continue
            span = f"in {said['count']} {said['unit']}"
            what = f"{tidied(said['what'])} {span}" if "what" in pattern.groupindex else f"Follow-up visit {span}"
            yield FollowUp(what=what, due=_due(visited, said["count"], said["unit"]))


def _due(visited: date | None, count: str, unit: str) -> date | None:
    number = number_said(count)
    if visited is None or not number.isdigit():
        return None
    if unit.lower().startswith("month"):
        months = visited.month - 1 + int(number)
        year, month = visited.year + months // 12, months % 12 + 1
        due = visited.replace(year=year, month=month, day=min(visited.day, calendar.monthrange(year, month)[1]))
    else:
        due = visited + timedelta(days=int(number) * (7 if unit.lower().startswith("week") else 1))
    return due if due - visited <= LONGEST_SPAN else None


def _of_patient(text: str) -> Iterator[Allergy]:
    for said in ALLERGIC.finditer(text):
        substance = said["substance"].strip()
        if substance.split()[0].lower() not in UNSURE_SUBSTANCES and not UNCERTAIN.search(text):
            reaction = REACTION.search(text, said.end())
            yield Allergy(substance=substance.capitalize(), reaction=reaction[1].lower() if reaction else "")


def _cite(transcript: Source, sentence: Sentence) -> Evidence:
    return Evidence(source_id=transcript.id, start=sentence.start, end=sentence.end, label=place(sentence))
