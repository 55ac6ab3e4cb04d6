"""Which fields of a proposed entry a clinician may change, what they are called, and the entry with them changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from app.errors import BadInput
from vendors.entry_values import SIGNS, SPOKEN_UNITS, Content, EntryKind, Sign, VitalSign

LONGEST_FIELD = 500
CONTENT: TypeAdapter[Content] = TypeAdapter(Content)


@dataclass(frozen=True)
class EntryField:
    """One field: its name in the entry, its label, and how it is written: text, date or choice."""

    name: str
    label: str
    written_as: str = "text"


FIELDS: Mapping[EntryKind, tuple[EntryField, ...]] = {
    EntryKind.VITAL_SIGN: (EntryField("value", "Value"), EntryField("unit", "Unit", "choice")),
    EntryKind.FOLLOW_UP: (EntryField("what", "What is to be done"), EntryField("due", "Due", "date")),
    EntryKind.PROBLEM: (EntryField("name", "Problem"),),
    EntryKind.ALLERGY: (EntryField("substance", "Substance"), EntryField("reaction", "Reaction")),
    EntryKind.MESSAGE: (EntryField("text", "Message"),),
    EntryKind.VISIT_REASON: (EntryField("text", "Reason"),),
    EntryKind.MEDICATION: (EntryField("name", "Medication"), EntryField("dosage", "Dosage")),
}
# What a code stands for: other words are another thing, and need another code or none.
CODED_BY = frozenset({"name", "substance", "text"})
PRESSURE = (
    EntryField("value", "Upper value"),
    EntryField("second", "Lower value"),
    EntryField("unit", "Unit", "choice"),
)
if FIELDS.keys() != set(EntryKind):
    raise TypeError("every kind of entry needs its fields")


def fields_of(content: Content) -> tuple[EntryField, ...]:
    """The fields of one entry that may be changed."""
    if isinstance(content, VitalSign) and content.sign is Sign.BLOOD_PRESSURE:
        return PRESSURE
    return FIELDS[EntryKind(content.kind)]


def choices_of(content: Content) -> tuple[tuple[str, str], ...]:
    """What the one field that is a choice may be, and the words for it."""
    units = SIGNS[content.sign].units if isinstance(content, VitalSign) else ()
    return tuple((unit, SPOKEN_UNITS.get(unit, unit)) for unit in units)


def with_fields(content: Content, fields: Mapping[str, str]) -> Content:
    """The entry with these fields. Raises `BadInput` for one that does not fit; fields of other kinds are ignored."""
    allowed = {field.name: field for field in fields_of(content)}
    written = {name: _clean(text) for name, text in fields.items() if name in allowed}
    for name, text in written.items():
        if len(text) > LONGEST_FIELD:
            raise BadInput(f"“{allowed[name].label}” can hold {LONGEST_FIELD} characters.", "Shorten it.")
    before = content.model_dump(mode="json")
    values: dict[str, str | None] = {name: text or (None if name == "due" else "") for name, text in written.items()}
    if "coding" in before and any(before[name] != text for name, text in values.items() if name in CODED_BY):
        before["coding"] = None
    try:
        return CONTENT.validate_python(before | values)
    except ValidationError as error:
        wrong = allowed.get(str(error.errors()[0]["loc"][-1]))
        label = wrong.label if wrong else "One of the fields"
        raise BadInput(f"“{label}” cannot be read.", "Write it again; a date is written like 2026-11-22.") from None


def _clean(text: str) -> str:
    """One line, and nothing in it that cannot be displayed."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
