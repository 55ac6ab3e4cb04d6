"""Which adapter speaks for which vendor; the only module that knows concrete vendors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vendors.athenaone import AthenaOne
from vendors.contract import VendorAdapter
from vendors.ecw import ECW
from vendors.epic import Epic
from vendors.fhir_r4 import FHIRR4
from vendors.profile import ProfileRefused, load_profile

# Veradigm differs from plain FHIR R4 in nothing that its profile does not say as data.
ADAPTERS: Mapping[str, type[FHIRR4]] = {
    "athenaone": AthenaOne,
    "ecw": ECW,
    "epic": Epic,
    "reference": FHIRR4,
    "veradigm": FHIRR4,
}


def load_adapters(directory: Path) -> dict[str, VendorAdapter]:
    """Return every vendor's adapter by name, from the profiles in a directory.

    Raises ProfileRefused where a vendor has no profile, a profile no vendor, or a profile lacks an answer.
    """
    strangers = sorted({path.stem for path in directory.glob("*.yaml")} - set(ADAPTERS))
    if strangers:
        raise ProfileRefused(f"{directory}: no adapter is registered for {', '.join(strangers)}")
    return {name: adapter(load_profile(directory / f"{name}.yaml")) for name, adapter in ADAPTERS.items()}
