"""May an entry be written as it stands: the rules of FHIR R4 and US Core that the models alone do not know. Pure.

Each rule has a code, the sentence that a clinician reads, and the kinds that it speaks about. All run, so that every
reason shows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal, InvalidOperation

from vendors.entries import SignedEntry, measured_at
from vendors.entry_values import SIGNS, EntryKind, FollowUp, Sign, VisitReason, VitalSign
from vendors.profile import Profile

SNOMED, ICD10 = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SYSTEMS: Mapping[EntryKind, frozenset[str]] = {
    EntryKind.PROBLEM: frozenset({SNOMED, ICD10}),
    EntryKind.ALLERGY: frozenset({SNOMED, RXNORM}),
    EntryKind.MEDICATION: frozenset({RXNORM}),
    EntryKind.VISIT_REASON: frozenset({SNOMED, ICD10}),
}
CLOCKS_APART = timedelta(minutes=5)
LONGEST = 2000
EVERY = frozenset(EntryKind)
VITALS = frozenset({EntryKind.VITAL_SIGN})
THE_VISIT = frozenset({EntryKind.VISIT_REASON})
# The visit is part of what these say: a vital sign of no visit, or an order of none, is nobody's.
IN_A_VISIT = VITALS | THE_VISIT | {EntryKind.MEDICATION}


@dataclass(frozen=True)
class EntryRule:
    """A rule: `broken` tells of an entry at one EHR whether it breaks it."""

    code: str
    says: str
    about: frozenset[EntryKind]
    broken: Callable[[SignedEntry, Profile], bool]


def broken_rules(entry: SignedEntry, profile: Profile) -> tuple[EntryRule, ...]:
    """Return every rule that the entry breaks, in the order of the table; empty: it may be rendered."""
    return tuple(rule for rule in RULES if entry.kind in rule.about and rule.broken(entry, profile))


def _says_nothing(entry: SignedEntry, _profile: Profile) -> bool:
    return not _text(entry).strip()


def _says_too_much(entry: SignedEntry, _profile: Profile) -> bool:
    return len(_text(entry)) > LONGEST


def _text(entry: SignedEntry) -> str:
    content = entry.content
    names = ("what", "name", "substance", "text", "value")
    return next(str(getattr(content, name)) for name in names if hasattr(content, name))


def _no_patient(entry: SignedEntry, _profile: Profile) -> bool:
    kind, _, resource_id = entry.patient.partition("/")
    return kind != "Patient" or not resource_id


def _no_author(entry: SignedEntry, _profile: Profile) -> bool:
    return not entry.author.startswith(("Practitioner/", "PractitionerRole/")) or not entry.author_name


def _no_visit(entry: SignedEntry, profile: Profile) -> bool:
    wanted = entry.kind in IN_A_VISIT or profile.note.encounter_required.value
    return wanted and not (entry.encounter or "").startswith("Encounter/")


def _foreign_code(entry: SignedEntry, _profile: Profile) -> bool:
    coding = getattr(entry.content, "coding", None)
    return coding is not None and (coding.system not in SYSTEMS[entry.kind] or not coding.code)


def _values(entry: SignedEntry) -> tuple[Decimal, ...] | None:
    """Return the numbers of a vital sign; None where one is no number."""
    vital = entry.content
    if not isinstance(vital, VitalSign):
        return None
    written = (vital.value, vital.second) if vital.sign is Sign.BLOOD_PRESSURE else (vital.value,)
    try:
        numbers = tuple(Decimal(one) for one in written)
    except InvalidOperation:
        return None
    return numbers if all(number.is_finite() for number in numbers) else None


def _no_number(entry: SignedEntry, _profile: Profile) -> bool:
    return _values(entry) is None


def _foreign_unit(entry: SignedEntry, _profile: Profile) -> bool:
    vital = entry.content
    return isinstance(vital, VitalSign) and vital.unit not in SIGNS[vital.sign].units


def _implausible(entry: SignedEntry, _profile: Profile) -> bool:
    vital, values = entry.content, _values(entry)
    bounds = SIGNS[vital.sign].units.get(vital.unit) if isinstance(vital, VitalSign) else None
    if values is None or bounds is None:
        return False
    return any(not bounds[0] <= value <= bounds[1] for value in values)


def _pressures_swapped(entry: SignedEntry, _profile: Profile) -> bool:
    values = _values(entry)
    return values is not None and len(values) == 2 and values[0] <= values[1]


def _in_the_future(entry: SignedEntry, _profile: Profile) -> bool:
    return measured_at(entry) > entry.signed_at + CLOCKS_APART


def _already_past(entry: SignedEntry, _profile: Profile) -> bool:
    asked = entry.content
    today = entry.signed_at.astimezone(UTC).date() - timedelta(days=1)  # a day's margin: the clinic has its own zone
    return isinstance(asked, FollowUp) and asked.due is not None and asked.due < today


def _visit_not_read(entry: SignedEntry, _profile: Profile) -> bool:
    base = entry.base or {}
    return f"Encounter/{base.get('id')}" != entry.encounter or base.get("resourceType") != "Encounter"


def _visit_of_another(entry: SignedEntry, _profile: Profile) -> bool:
    reference = str(((entry.base or {}).get("subject") or {}).get("reference", ""))
    return "Patient/" + reference.rpartition("Patient/")[2] != entry.patient


def _said_already(entry: SignedEntry, _profile: Profile) -> bool:
    reason = entry.content
    if not isinstance(reason, VisitReason):
        return False
    texts = {str(one.get("text", "")).strip().lower() for one in (entry.base or {}).get(reason.aspect) or ()}
    return reason.text.strip().lower() in texts


RULES = (
    EntryRule("text-missing", "it says nothing", EVERY, _says_nothing),
    EntryRule("text-too-long", f"it is longer than {LONGEST} characters", EVERY, _says_too_much),
    EntryRule("patient-missing", "it does not name the patient's record", EVERY, _no_patient),
    EntryRule("author-missing", "it does not name your record in the EHR", EVERY, _no_author),
    EntryRule("encounter-missing", "it belongs to a visit, and no visit is open", EVERY, _no_visit),
    EntryRule(
        "code-not-accepted", "its code is from a list that is not used for this", frozenset(SYSTEMS), _foreign_code
    ),
    EntryRule("value-not-a-number", "its value is not a number", VITALS, _no_number),
    EntryRule("unit-not-accepted", "its unit is not one for this measurement", VITALS, _foreign_unit),
    EntryRule("value-implausible", "no living person has this value; check number and unit", VITALS, _implausible),
    EntryRule(
        "pressure-order",
        "the first number of a blood pressure is the higher one",
        VITALS,
        _pressures_swapped,
    ),
    EntryRule("time-in-the-future", "its time is in the future", VITALS, _in_the_future),
    EntryRule("due-in-the-past", "its date has passed", frozenset({EntryKind.FOLLOW_UP}), _already_past),
    EntryRule("encounter-not-read", "the visit that it changes could not be read", THE_VISIT, _visit_not_read),
    EntryRule("encounter-of-another", "the visit that it changes is another patient's", THE_VISIT, _visit_of_another),
    EntryRule("already-there", "the visit says so already", THE_VISIT, _said_already),
)
