"""Names as a page shows them."""

from typing import Any

from sandbox.fhir.store import Store


def patient_name(patient: dict[str, Any], *, upper: bool = False) -> str:
    """Family, given."""
    # Charts also show what apps wrote, and FHIR demands few elements.
    name: dict[str, Any] = next(iter(patient.get("name", [])), {})
    family = name.get("family", "Unnamed")
    return ", ".join([family.upper() if upper else family, " ".join(name.get("given", []))])


def clinician_names(store: Store) -> dict[str, str]:
    """Everyone who can open a chart: id and name."""
    return {doctor["id"]: doctor["name"][0]["text"] for doctor in store.current("Practitioner")}
