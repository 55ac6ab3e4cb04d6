"""What a person did in the EHR to what was filed: one name for each kind of change. Pure, one total table in order."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from app.reconciliation.compare_resources import STATUS_FIELDS, is_retracted
from app.writebacks.events import WritebackQueued
from app.writebacks.state import CAME_LATE, LEFT_CURRENT

PATIENT_FIELDS = frozenset({"patient", "subject", "for"})


class ChangeThere(StrEnum):
    """What was done in the EHR; each has its words on the page (`pages/chart_now.py`)."""

    MERGED = "merged"
    MOVED = "moved"
    INVALIDATED = "invalidated"
    REPLACED = "replaced"
    AMENDED = "amended"
    SIGNED = "signed"
    EDITED = "edited"
    DELETED = "deleted"
    DOUBLED = "doubled"
    LEFT_CURRENT = LEFT_CURRENT  # nobody did anything, nor in the next
    CAME_LATE = CAME_LATE


def is_about_another_patient(differences: tuple[str, ...]) -> bool:
    """Whether it hangs on another patient's chart now."""
    return bool(PATIENT_FIELDS & set(differences))


def is_void(raw: bytes) -> bool:
    """Whether it was marked as entered in error, so that it does not count as standing there."""
    return _is_invalid(json.loads(raw))


def is_current(raw: bytes) -> bool:
    """Whether a document counts as it stands: neither replaced nor entered in error (R4 DocumentReference.status)."""
    return bool(json.loads(raw).get("status") == "current")


def change_there(
    order: WritebackQueued, differences: tuple[str, ...], raw: bytes, *, is_merged: bool, is_doubled: bool = False
) -> ChangeThere:
    """What was done to it, from what differs and from what stands there; the first that applies.

    `is_merged`: the patient that it was filed for has become another one in the EHR. `is_doubled`: another copy of it
    stands there as well.
    """
    stored = json.loads(raw)
    checks: Mapping[ChangeThere, bool] = {
        ChangeThere.DOUBLED: is_doubled,
        ChangeThere.MERGED: is_merged and is_about_another_patient(differences),
        ChangeThere.MOVED: is_about_another_patient(differences),
        ChangeThere.INVALIDATED: order.mutation != "retract" and _is_invalid(stored),
        ChangeThere.REPLACED: stored.get("status") == "superseded",
        ChangeThere.AMENDED: _is_amended(stored, differences),
        ChangeThere.SIGNED: differences == ("docStatus",) and stored.get("docStatus") == "final",
    }
    return next((change for change, applies in checks.items() if applies), ChangeThere.EDITED)


def _is_invalid(stored: dict[str, Any]) -> bool:
    """Entered in error, or refuted: it was never so (FHIR R4 condition-ver-status, allergyintolerance-verification)."""
    held = stored.get(STATUS_FIELDS.get(str(stored.get("resourceType")), ""), {})
    codings = held.get("coding", ()) if isinstance(held, dict) else ()
    return is_retracted(stored) or any(isinstance(one, dict) and one.get("code") == "refuted" for one in codings)


def _is_amended(stored: dict[str, Any], differences: tuple[str, ...]) -> bool:
    """Said to be amended, or a diagnosis that is another one now (R4 composition-status, observation-status)."""
    kind = stored.get("resourceType")
    if kind in ("Condition", "AllergyIntolerance"):
        return "code" in differences
    return "amended" in (stored.get("docStatus"), stored.get("status")) or stored.get("status") == "corrected"
