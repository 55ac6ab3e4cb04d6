"""Finding again what was created: by our identifier, else by listing and comparing.

Sources: FHIR R4 search.html; conformance C19, C20; 0.10 (US Core's required searches name no identifier).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from vendors.contract import Stored, StoredNote
from vendors.notes import identifiers, note_text, stored_note, subject_of
from vendors.replies import version_of
from vendors.transport import FHIRTransport
from vendors.wording import same_words

Params = list[tuple[str, str]]

# Whose it is, by type: Task says `for`, AllergyIntolerance `patient`, the others `subject`.
_OWNERS = ("subject", "patient", "for")
_NOT_COMPARED = frozenset({"id", "meta", "identifier", "text"})


def own_identifier(ours: dict[str, Any]) -> tuple[str, str]:
    """Return system and value of what Countersign calls a rendered resource: always its first identifier.

    An EHR's masterIdentifier, which an update carries back, is not ours.
    """
    first = ours["identifier"][0]
    return str(first["system"]), str(first["value"])


def identifier_params(ours: dict[str, Any]) -> Params:
    """Return the search for a rendered resource by our identifier."""
    return [_patient(ours), ("identifier", "|".join(own_identifier(ours)))]


def patient_params(ours: dict[str, Any]) -> Params:
    """Return plan B's search for an entry: all of this type that the patient has, narrowed as US Core demands."""
    whose = _patient(ours)
    match ours["resourceType"]:
        case "Observation":
            return [whose, ("category", ours["category"][0]["coding"][0]["code"])]
        case "MedicationRequest":
            return [whose, ("intent", ours["intent"])]
        case _:
            return [whose]


def _patient(ours: dict[str, Any]) -> tuple[str, str]:
    return "patient", id_of(next(ours[name] for name in _OWNERS if name in ours))


def id_of(reference: dict[str, Any]) -> str:
    """Return the bare id of a reference."""
    # The bare id is the form of a search value that every vendor's documents show.
    return str(reference["reference"]).rpartition("/")[2]


def day_before(ours: dict[str, Any]) -> str:
    """Return the day before a rendered note was signed."""
    # A day's margin: the EHR dates the note by its own clock and zone.
    signed = datetime.fromisoformat(ours["date"]).astimezone(UTC)
    return (signed - timedelta(days=1)).date().isoformat()


def same_text(ours: dict[str, Any], listed: list[dict[str, Any]], transport: FHIRTransport) -> list[StoredNote]:
    """Return the notes of this patient that say the same and that no identifier of Countersign marks as another."""
    system, _ = own_identifier(ours)
    unmarked = [one for one in listed if all(theirs != system for theirs, _ in identifiers(one))]
    patients = [one for one in unmarked if subject_of(one, transport) == ours["subject"]["reference"]]
    notes = [stored_note(as_stored(one), transport) for one in patients]
    signed = note_text(ours, transport)
    # EHRs rewrap lines or keep their own format; whether what differs then matters is for the comparison to say.
    return [note for note in notes if same_words(signed, note.text)]


def same_resource(ours: dict[str, Any], listed: list[dict[str, Any]], transport: FHIRTransport) -> list[dict[str, Any]]:
    """Return the resources that carry our identifier; else those that hold all that was sent and no mark of ours.

    An EHR may drop an identifier that it was given (C19). To hold every other element, its time and author among them,
    is then what makes a resource the one that was sent; one that was changed is not found again this way.
    """
    mine = own_identifier(ours)
    marked = [one for one in listed if mine in identifiers(one)]
    sent = {name: value for name, value in ours.items() if name not in _NOT_COMPARED}
    unmarked = [one for one in listed if all(system != mine[0] for system, _ in identifiers(one))]
    return marked or [one for one in unmarked if _holds(one, sent, transport)]


def _holds(theirs: object, ours: object, transport: FHIRTransport) -> bool:
    """Tell whether everything of ours stands in theirs, in the same place; what they added does not matter."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and all(_holds(theirs.get(name), ours[name], transport) for name in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and all(any(_holds(one, value, transport) for one in theirs) for value in ours)
    return theirs == ours or (isinstance(theirs, str) and transport.relative(theirs) == ours)


def as_stored(resource: dict[str, Any]) -> Stored:
    """Return a resource from a search's Bundle as if it had been read by itself; a Bundle brings no ETag."""
    body = json.dumps(resource, ensure_ascii=False).encode()
    return Stored(resource, str(resource.get("id", "")), version_of(resource, None), None, body)
