"""Patient and visit come from the token response, or the launch stops."""

from typing import Any

import pytest
from launch_harness import Harness, registration_for
from small_ehr import SmallEHR

from launch.context import ContextReference, LaunchContext, launch_context
from launch.errors import ContextMissing, TenantMismatch


def context(**response: Any) -> LaunchContext:
    return launch_context({"patient": "p1", "encounter": "e1", **response}, encounter_required=True, expected={})


@pytest.mark.parametrize("patient", [None, "", 7, "a/b", "../x", "a b", "x" * 65, ["p1"], "p1\n"])
def test_a_launch_without_a_patient_stops(harness: Harness, ehr: SmallEHR, patient: object) -> None:
    """A33."""
    ehr.token_changes = {"patient": patient}

    answer = harness.complete(harness.browser(), ehr)

    assert (answer.status_code, answer.json["code"]) == (400, "context_missing")
    assert "patient" in answer.json["title"]


def test_a_missing_visit_stops_only_where_the_tenant_needs_one(harness: Harness, ehr: SmallEHR) -> None:
    """A33."""
    ehr.token_changes = {"encounter": None}
    assert harness.complete(harness.browser(), ehr).json["code"] == "context_missing"

    harness.registrations.all = [registration_for(ehr, encounter_required=False)]
    assert harness.complete(harness.browser(), ehr).status_code == 303
    assert harness.completed[0].context.encounter is None


@pytest.mark.parametrize(
    ("sent", "needed"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("FALSE", False),
        (None, True),
        (0, True),
        ("", True),
    ],
)
def test_the_banner_is_needed_unless_the_ehr_clearly_says_no(sent: object, needed: bool) -> None:
    """A34; one EHR sends the string "false"."""
    assert context(need_patient_banner=sent).need_patient_banner is needed


def test_fhir_context_is_read_in_its_new_and_its_older_form() -> None:
    """A35."""
    found = context(
        fhirContext=[
            {"reference": "ImagingStudy/1"},
            "DiagnosticReport/2",
            {"canonical": "http://example.org/q|1", "role": "questionnaire"},
            {"identifier": {"system": "urn:x", "value": "3"}},
            {"reference": "Encounter/9", "role": "https://example.org/previous"},
        ]
    ).fhir_context

    assert found == (
        ContextReference("ImagingStudy/1", None, None, "launch"),
        ContextReference("DiagnosticReport/2", None, None, "launch"),
        ContextReference(None, "http://example.org/q|1", None, "questionnaire"),
        ContextReference(None, None, ("urn:x", "3"), "launch"),
        ContextReference("Encounter/9", None, None, "https://example.org/previous"),
    )


@pytest.mark.parametrize(
    "junk",
    [
        None,
        7,
        "x",
        {},
        [7, None, {}, {"role": "launch"}, {"reference": 7}, {"reference": "a b"}, {"identifier": "x"}],
    ],
)
def test_junk_in_fhir_context_is_left_out(junk: object) -> None:
    """A35, A39."""
    assert context(fhirContext=junk).fhir_context == ()


def test_fhir_context_cannot_restate_the_patient_or_the_visit() -> None:
    """A35: they appear there only under another role."""
    found = context(fhirContext=[{"reference": "Patient/other"}, {"reference": "Encounter/other", "role": "launch"}])

    assert (found.patient, found.encounter, found.fhir_context) == ("p1", "e1", ())


@pytest.mark.parametrize(
    ("sent", "read"), [("reconcile", "reconcile"), (None, None), (7, None), ("a b", None), ("", None)]
)
def test_a_junk_intent_is_no_intent(sent: object, read: str | None) -> None:
    """A36."""
    assert context(intent=sent).intent == read


def test_another_organisation_behind_the_same_base_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A38: for EHRs that serve several organisations under one base."""
    harness.registrations.all = [registration_for(ehr, expected_context={"ah_practice": "a-1.Practice-1"})]
    for practice in (None, "a-1.Practice-2", ["a-1.Practice-1"]):
        ehr.token_changes = {"ah_practice": practice}
        assert harness.complete(harness.browser(), ehr).json["code"] == "tenant_mismatch"

    ehr.token_changes = {"ah_practice": "a-1.Practice-1"}
    assert harness.complete(harness.browser(), ehr).status_code == 303


def test_unknown_members_are_ignored() -> None:
    """A39."""
    extras = {
        "__epic.dstu2.patient": "x",
        "https://example.org/x": {},
        "authorization_details": [{}],
        "tenant": 7,
    }

    assert context(**extras) == context()


def test_the_errors_say_what_is_missing() -> None:
    """A33, A38."""
    with pytest.raises(ContextMissing, match="encounter"):
        launch_context({"patient": "p"}, encounter_required=True, expected={})
    with pytest.raises(TenantMismatch, match="tenant"):
        launch_context({"patient": "p"}, encounter_required=False, expected={"tenant": "x"})
