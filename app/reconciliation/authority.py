"""Who wins, field by field, for whatever both sides hold: a total table over what we write. Pure.

Nothing here is ever a reason to write: where the two sides differ, the chart is left as people made it.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.reconciliation.compare import Comparison
from app.tenants.switches import RESOURCES
from app.writebacks.events import WritebackQueued


class Authority(StrEnum):
    """Whose word counts for a field after the write was filed."""

    SIGNATURE = "signature"  # fixed by it; a later change in the EHR is a person's override: it stands and is recorded
    EHR = "ehr"  # the EHR's to keep: its change is no news about what was signed
    COUNTERSIGN = "countersign"  # our mark; a lost one is named, and weakens finding it again, nothing else


S, E, C = Authority.SIGNATURE, Authority.EHR, Authority.COUNTERSIGN
REST = "everything else that was signed"
OURS = {"identifier": C, "label": C}
WORKFLOW = {"status": E, "businessStatus": E, "executionPeriod": E, "owner": E, "lastModified": E, "priority": E}

FIELDS: Mapping[str, Mapping[str, Authority]] = {
    "DocumentReference": {
        "text": S, "author": S, "patient": S, "encounter": S, "type": S, "status": S, "docStatus": S, "relatesTo": S,
        "date": E, "description": E, "category": E, "custodian": E, "period": E, **OURS, REST: E,
    },
    "Condition": {"clinicalStatus": E, "abatementDateTime": E, "display": E, **OURS, REST: S},
    "Observation": {"display": E, "issued": E, **OURS, REST: S},
    "AllergyIntolerance": {"clinicalStatus": E, "lastOccurrence": E, "display": E, **OURS, REST: S},
    "Task": {**WORKFLOW, "display": E, **OURS, REST: S},
    "Communication": {"status": E, "received": E, "recipient": E, "display": E, **OURS, REST: S},
    "Encounter": {"reasonCode": S, "type": S, "subject": S, "display": E, **OURS, REST: E},
    # That a proposal becomes an order is the prescriber's act in the EHR, and what we hope for.
    "MedicationRequest": {"status": E, "intent": E, "display": E, **OURS, REST: S},
    "Provenance": {**OURS, REST: S},
}  # fmt: skip
if missing := set(RESOURCES) - FIELDS.keys():
    raise TypeError(f"nobody said who wins for {sorted(missing)}")


def authority(resource_type: str, name: str) -> Authority:
    """Whose word counts for this field of this resource type."""
    fields = FIELDS[resource_type]
    return fields.get(name, fields[REST])


def weighed(order: WritebackQueued, comparison: Comparison) -> Comparison:
    """The comparison without what is the EHR's to change. A retraction signs the status alone, whatever the type."""
    if order.mutation == "retract":
        return comparison
    kind = order.resource_type
    serious = tuple(name for name in comparison.serious if authority(kind, name) is not Authority.EHR)
    harmless = tuple(name for name in comparison.harmless if authority(kind, name) is not Authority.EHR)
    return Comparison(harmless, serious)
