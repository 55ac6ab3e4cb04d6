"""What the launch is about: patient, visit and hints, from the token response and from nowhere else (A33).

Nothing here follows the chart: the EHR does not tell when the user moves to another patient (A34).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launch.errors import ContextMissing, TenantMismatch
from launch.style import LaunchStyle

FHIR_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
REFERENCE = re.compile(r"[\x21-\x7e]{1,2048}")
INTENT = re.compile(r"[\x21-\x7e]{1,200}")
CONTEXT_LIMIT = 50


@dataclass(frozen=True)
class ContextReference:
    """One entry of `fhirContext`: what else the launch concerns, such as an imaging study."""

    reference: str | None
    canonical: str | None
    identifier: tuple[str, str] | None
    role: str


@dataclass(frozen=True)
class LaunchContext:
    """The ids that the EHR gave. `need_patient_banner` is true unless the EHR clearly said no.

    `style` are the EHR's colours and sizes, each checked; whoever renders decides whether to follow them.
    """

    patient: str
    encounter: str | None
    need_patient_banner: bool
    intent: str | None = None
    fhir_context: tuple[ContextReference, ...] = ()
    style: LaunchStyle | None = None


def launch_context(
    response: Mapping[str, Any], *, encounter_required: bool, expected: Mapping[str, str]
) -> LaunchContext:
    """Read the context from a token response (SMART App Launch 2.2, launch context).

    Raises `TenantMismatch` when a member that the registration expects differs, and `ContextMissing`
    without a patient, or without a visit where the registration needs one. Unknown members are ignored
    (A39).
    """
    _require_expected(response, expected)
    patient = _fhir_id(response.get("patient"))
    if patient is None:
        raise _no_patient()
    encounter = _fhir_id(response.get("encounter"))
    if encounter is None and encounter_required:
        raise _no_encounter()
    return LaunchContext(
        patient=patient,
        encounter=encounter,
        need_patient_banner=_needs_banner(response.get("need_patient_banner")),
        intent=_intent(response.get("intent")),
        fhir_context=_fhir_context(response.get("fhirContext")),
    )


def _require_expected(response: Mapping[str, Any], expected: Mapping[str, str]) -> None:
    for member, value in expected.items():
        if response.get(member) != value:
            raise TenantMismatch(f"the token response's {member} is not the registered one")


def _fhir_id(value: object) -> str | None:
    return value if isinstance(value, str) and FHIR_ID.fullmatch(value) else None


def _needs_banner(value: object) -> bool:
    # One EHR sends the string "false" where the specification has a boolean.
    return not (value is False or (isinstance(value, str) and value.strip().lower() == "false"))


def _intent(value: object) -> str | None:
    return value if isinstance(value, str) and INTENT.fullmatch(value) else None


def _fhir_context(value: object) -> tuple[ContextReference, ...]:
    entries = value[:CONTEXT_LIMIT] if isinstance(value, list) else []
    return tuple(found for entry in entries if (found := _context_reference(entry)))


def _context_reference(entry: object) -> ContextReference | None:
    if isinstance(entry, str):
        # The form of the first drafts: a bare reference. Still sent by older servers.
        entry = {"reference": entry}
    if not isinstance(entry, dict):
        return None
    found = ContextReference(
        reference=_matching(entry.get("reference")),
        canonical=_matching(entry.get("canonical")),
        identifier=_identifier(entry.get("identifier")),
        role=_matching(entry.get("role", "launch")) or "",
    )
    has_subject = found.reference or found.canonical or found.identifier
    return found if has_subject and found.role and not _restates_launch(found) else None


def _restates_launch(entry: ContextReference) -> bool:
    # The patient and visit of the launch have members of their own; here they need another role, so an entry
    # without one could only contradict them.
    return entry.role == "launch" and (entry.reference or "").startswith(("Patient/", "Encounter/"))


def _matching(value: object) -> str | None:
    return value if isinstance(value, str) and REFERENCE.fullmatch(value) else None


def _identifier(value: object) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return None
    system, code = _matching(value.get("system")), _matching(value.get("value"))
    return (system or "", code) if code else None


def _no_patient() -> ContextMissing:
    return ContextMissing(
        "patient",
        "The EHR opened Countersign without a patient, and a note belongs to exactly one.",
        "Open the patient's chart first, then start Countersign from inside it.",
    )


def _no_encounter() -> ContextMissing:
    return ContextMissing(
        "encounter",
        "The EHR opened Countersign without a visit, and this organisation files notes only into a visit.",
        "Open the visit in the chart first, then start Countersign from inside it.",
    )
