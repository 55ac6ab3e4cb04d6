"""eClinicalWorks: where it differs from plain FHIR R4 beyond what `smart-config/vendors/ecw.yaml` says as data."""

from __future__ import annotations

from typing import NoReturn

from typing_extensions import override

from vendors.errors import Unsupported
from vendors.fhir_r4 import FHIRR4
from vendors.transport import FHIRTransport


class ECW(FHIRR4):
    """eClinicalWorks lists a Provenance by its `_id` and by nothing else (key W-CS)."""

    @override
    def find_provenance(self, transport: FHIRTransport, target: str) -> NoReturn:
        """Raise Unsupported: a server that ignored `target` would give every Provenance for this note's."""
        raise Unsupported(self.profile.name, "search Provenance")
