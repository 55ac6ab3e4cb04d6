"""Changing what is filed already: the whole resource as it was read, with only what was signed in another place.

A full PUT replaces everything, so what the EHR added must go back as it came; a partial one wipes the rest (C38).
What was read is not validated: a chart's oddity is not ours to refuse. What is put into it was rendered and validated.

Sources: FHIR R4 http.html#update, http.html#patch, documentreference.html; RFC 6902; conformance C11, C13, C37, C38.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vendors.contract import RESOURCE_TYPES, Stored
from vendors.notes import canonical_json

Operation = dict[str, Any]

ENTERED_IN_ERROR = "entered-in-error"
# What a corrected note says anew. All else, such as the EHR's own extensions, number or labels, stays as it was read.
_SAID_ANEW = ("docStatus", "type", "date", "author", "description", "content", "custodian", "relatesTo")
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/"


def amended(stored: Stored, rendered: bytes) -> bytes:
    """Return the stored note saying what was rendered anew, as canonical JSON.

    Our new identifier is put first and every earlier one kept: that it stands there proves that this change was made.
    What spoke of the old words goes: a narrative made from them, and whoever else had authenticated them.
    """
    ours: dict[str, Any] = json.loads(rendered)
    said = {name: ours[name] for name in _SAID_ANEW if name in ours}
    held = stored.resource.get("identifier")
    earlier = [one for one in (held if isinstance(held, list) else []) if one not in ours["identifier"]]
    labels = _labelled(stored.resource.get("meta"), ours.get("meta"))
    outdated = {"text", *(f"_{name}" for name in said)}
    if not _is_one_of(stored.resource.get("authenticator"), ours["author"]):
        outdated.add("authenticator")
    kept = {name: value for name, value in stored.resource.items() if name not in outdated}
    identified = {"id": stored.resource_id, "identifier": [*ours["identifier"], *earlier]}
    return canonical_json({**kept, **said, **identified, **labels})


def retracted(stored: Stored) -> bytes:
    """Return the whole resource as it was read, marked as entered in error, as canonical JSON.

    Raises ValueError for a resource that has no such mark.
    """
    mark, dropped = _mark(stored.resource)
    kept = {name: value for name, value in stored.resource.items() if name not in dropped}
    return canonical_json({**kept, **mark, "id": stored.resource_id})


def retraction_patch(stored: Stored) -> bytes:
    """Return the JSON Patch that marks the resource as entered in error, where it still stands as it was read.

    Raises ValueError for a resource that has no such mark.
    """
    mark, dropped = _mark(stored.resource)
    tests = [_test(name, stored.resource) for name in (*mark, *dropped) if name in stored.resource]
    changes: list[Operation] = [{"op": "add", "path": f"/{name}", "value": value} for name, value in mark.items()]
    removals: list[Operation] = [{"op": "remove", "path": f"/{name}"} for name in dropped if name in stored.resource]
    operations = [_test("resourceType", stored.resource), *tests, *changes, *removals]
    return json.dumps(operations, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def version_to_match(stored: Stored) -> str:
    """Return the ETag to name in If-Match, "" where the EHR told no version.

    Without an ETag header the version id says the same: R4 http.html#versions makes it the content of a weak ETag.
    """
    return stored.etag or (f'W/"{stored.version}"' if stored.version else "")


def _is_one_of(held: object, authors: list[dict[str, Any]]) -> bool:
    """Tell whether a reference of the chart's, relative or absolute, names one of our authors."""
    place = f"/{held.get('reference')}" if isinstance(held, dict) else ""
    return any(place.endswith(f"/{author['reference']}") for author in authors)


def _test(name: str, resource: Mapping[str, Any]) -> Operation:
    return {"op": "test", "path": f"/{name}", "value": resource[name]}


def _labelled(meta: object, ours: object) -> dict[str, Any]:
    """The stored meta with our labels among its own; a correction takes none away."""
    theirs = meta if isinstance(meta, dict) else {}
    wanted = ours.get("security", []) if isinstance(ours, dict) else []
    listed = theirs.get("security")
    there = listed if isinstance(listed, list) else []
    missing = [label for label in wanted if _coding(label) not in [_coding(one) for one in there]]
    if not missing:
        return {}
    return {"meta": {**theirs, "security": [*there, *missing]}}


def _coding(label: object) -> tuple[Any, Any]:
    return (label.get("system"), label.get("code")) if isinstance(label, dict) else (None, None)


def _mark(resource: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What says "entered in error" of this type, and what must not stand beside it."""
    marked = MARKS[resource["resourceType"]]
    if marked is None:
        raise ValueError(f"a {resource['resourceType']} cannot be entered in error")
    return marked


def _verification(system: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    code = {"coding": [{"system": f"{_VERIFICATION}{system}", "code": ENTERED_IN_ERROR}]}
    return {"verificationStatus": code}, ("clinicalStatus",)  # con-5 and ait-2 forbid the two together


_BY_STATUS: tuple[dict[str, Any], tuple[str, ...]] = ({"status": ENTERED_IN_ERROR}, ())

# How each type of resource says it, by its value sets in R4; None where R4 has no such word for it.
MARKS: Mapping[str, tuple[dict[str, Any], tuple[str, ...]] | None] = {
    "AllergyIntolerance": _verification("allergyintolerance-verification"),
    "Binary": None,
    "Communication": _BY_STATUS,
    "Condition": _verification("condition-ver-status"),
    "DocumentReference": _BY_STATUS,
    "Encounter": _BY_STATUS,
    "MedicationRequest": _BY_STATUS,
    "Observation": _BY_STATUS,
    "Organization": None,
    "Patient": None,
    "Practitioner": None,
    "PractitionerRole": None,
    "Provenance": None,
    "Task": _BY_STATUS,
}

if set(MARKS) != set(RESOURCE_TYPES):
    raise AssertionError(f"unsaid: {sorted(set(RESOURCE_TYPES) ^ set(MARKS))}")
