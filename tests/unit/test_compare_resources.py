"""Structured resources, patches and retractions against what the EHR holds: what counts, and what does not."""

import json
from typing import Any

import pytest

from app.reconciliation.compare_resources import compare_entry, compare_patched, compare_retracted

SENT: dict[str, Any] = {
    "resourceType": "Observation",
    "meta": {"security": [{"system": "s", "code": "AIAST"}]},
    "identifier": [{"system": "urn:countersign:entry", "value": "1"}],
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5", "display": "Body temperature"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-11-22T12:00:00+00:00",
    "valueQuantity": {"value": 38.2, "code": "Cel"},
}


def held(**changed: Any) -> dict[str, Any]:
    own = {"id": "9", "text": {"status": "generated"}, "issued": "2026-11-22T12:01:00Z"}
    return {**json.loads(json.dumps(SENT)), **own, **changed}


@pytest.mark.parametrize(
    ("changed", "harmless", "serious"),
    [
        ({}, (), ()),
        ({"subject": {"reference": "https://ehr.example/fhir/Patient/1"}}, (), ()),
        ({"effectiveDateTime": "2026-11-22T13:00:00+01:00"}, (), ()),
        ({"code": {"coding": [{"system": "http://loinc.org", "code": "8310-5", "display": "Temp"}]}}, ("display",), ()),
        ({"identifier": []}, ("identifier",), ()),
        ({"meta": {}}, ("label",), ()),
        ({"valueQuantity": {"value": 38.3, "code": "Cel"}}, (), ("valueQuantity",)),
        ({"subject": {"reference": "Patient/11"}}, (), ("subject",)),
        ({"effectiveDateTime": "2026-11-22T12:00:00+01:00"}, (), ("effectiveDateTime",)),
        ({"status": "entered-in-error"}, (), ("status",)),
    ],
)
def test_what_was_sent_must_be_there_and_what_was_added_is_the_ehrs(
    changed: dict, harmless: tuple, serious: tuple
) -> None:
    """C28, C29: whatever was signed is compared, field by field."""
    found = compare_entry(json.dumps(SENT).encode(), held(**changed))
    assert (found.harmless, found.serious) == (harmless, serious)


@pytest.mark.parametrize(("status", "same"), [("entered-in-error", True), ("current", False)])
def test_a_patch_is_there_when_what_it_set_is(status: str, same: bool) -> None:
    """C13."""
    patch = [{"op": "test", "path": "/status", "value": "current"}]
    patch += [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
    assert compare_patched(json.dumps(patch).encode(), {"status": status}).same is same


def test_a_retraction_must_leave_the_content() -> None:
    """C38: the mark alone is not enough."""
    sent = {
        "resourceType": "DocumentReference",
        "status": "entered-in-error",
        "content": [{"attachment": {"data": "YQ=="}}],
    }
    payload = json.dumps(sent).encode()
    assert compare_retracted(payload, sent).same
    assert compare_retracted(payload, {**sent, "content": []}).serious == ("content",)
    assert compare_retracted(payload, {**sent, "status": "current"}).serious == ("status",)
