"""Who wins for a field after filing, and what a change in the EHR is called."""

import json
from typing import Any

import pytest

from app.reconciliation.authority import FIELDS, REST, Authority, authority, weighed
from app.reconciliation.changes import ChangeThere, change_there
from app.reconciliation.compare import Comparison
from app.tenants.switches import RESOURCES
from tests.factories import an_order


def test_somebody_wins_for_every_field_of_whatever_we_write() -> None:
    assert FIELDS.keys() >= set(RESOURCES)
    assert all(REST in fields for fields in FIELDS.values())
    assert authority("Task", "a field that nobody thought of") is Authority.SIGNATURE


@pytest.mark.parametrize(
    ("kind", "mutation", "differs", "left"),
    [
        ("Task", "create", ("status", "owner"), ()),
        ("Task", "create", ("description", "status"), ("description",)),
        ("Condition", "create", ("clinicalStatus",), ()),
        ("Condition", "create", ("verificationStatus",), ("verificationStatus",)),
        ("Encounter", "update", ("status", "period", "reasonCode"), ("reasonCode",)),
        ("MedicationRequest", "create", ("status", "intent"), ()),
        ("MedicationRequest", "create", ("dosageInstruction",), ("dosageInstruction",)),
        ("MedicationRequest", "retract", ("status",), ("status",)),
        ("DocumentReference", "create", ("text", "docStatus"), ("text", "docStatus")),
    ],
)
def test_what_the_ehr_keeps_is_no_news(
    kind: str, mutation: str, differs: tuple[str, ...], left: tuple[str, ...]
) -> None:
    """F28: a closed visit, a finished task and a prescription that was signed are not overrides."""
    order = an_order(resource_type=kind, mutation=mutation)
    assert weighed(order, Comparison((), differs)).serious == left


NOTE = {"resourceType": "DocumentReference", "status": "current", "docStatus": "final"}
CONDITION = {"resourceType": "Condition"}


@pytest.mark.parametrize(
    ("stored", "differences", "merged", "change"),
    [
        (NOTE, ("patient",), True, ChangeThere.MERGED),
        (NOTE, ("patient", "text"), False, ChangeThere.MOVED),
        (NOTE | {"status": "entered-in-error"}, ("status",), False, ChangeThere.INVALIDATED),
        (NOTE | {"status": "superseded"}, ("status",), False, ChangeThere.REPLACED),
        (NOTE | {"docStatus": "amended"}, ("docStatus",), False, ChangeThere.AMENDED),
        (NOTE, ("docStatus",), False, ChangeThere.SIGNED),
        (NOTE, ("text",), False, ChangeThere.EDITED),
        (CONDITION, ("code",), False, ChangeThere.AMENDED),
        (CONDITION, ("onsetDateTime",), False, ChangeThere.EDITED),
        (
            CONDITION | {"verificationStatus": {"coding": [{"code": "refuted"}]}},
            ("verificationStatus",),
            False,
            ChangeThere.INVALIDATED,
        ),
        ({"resourceType": "Observation", "status": "corrected"}, ("status",), False, ChangeThere.AMENDED),
        ({"resourceType": "Task", "for": {}}, ("for",), False, ChangeThere.MOVED),
    ],
)
def test_a_change_in_the_ehr_has_one_name(
    stored: dict[str, Any], differences: tuple[str, ...], *, merged: bool, change: ChangeThere
) -> None:
    """F28, F43: edited, signed, amended, invalidated, merged."""
    order = an_order(resource_type=stored["resourceType"])
    assert change_there(order, differences, json.dumps(stored).encode(), is_merged=merged) is change
