"""athenaOne: where it differs from plain FHIR R4 beyond what `smart-config/vendors/athenaone.yaml` says."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from vendors.fhir_r4 import FHIRR4
from vendors.finding import Params, day_before


class AthenaOne(FHIRR4):
    """athenaOne answers a search that is too broad with a fatal `too-costly` outcome (key A-CC)."""

    @override
    def listing(self, ours: dict[str, Any]) -> Params:
        """Return the search for our note, always narrowed to the days since its signature."""
        broad = [pair for pair in super().listing(ours) if pair[0] != "date"]
        return [*broad, ("date", f"ge{day_before(ours)}")]
