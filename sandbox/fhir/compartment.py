"""Whose chart a resource belongs to (https://hl7.org/fhir/R4/compartmentdefinition-patient.html)."""

from collections.abc import Callable
from typing import Any

PatientOf = Callable[[str, str], str | None]


def patient_of(resource: dict[str, Any], of_stored: PatientOf) -> str | None:
    """The id of the patient a resource is about; for a Provenance, of what it is the provenance of."""
    if resource["resourceType"] == "Patient":
        return resource.get("id")  # none yet while it is being created
    for name in ("subject", "patient", "for"):
        reference = resource.get(name, {}).get("reference", "")
        if "Patient/" in reference:
            return str(reference.rpartition("Patient/")[2].partition("/")[0])
    for target in resource.get("target", []):
        found = _patient_of_target(target.get("reference", ""), of_stored)
        if found:
            return found
    return None


def _patient_of_target(reference: str, of_stored: PatientOf) -> str | None:
    parts = reference.partition("/_history/")[0].split("/")
    return of_stored(parts[-2], parts[-1]) if len(parts) >= 2 else None
