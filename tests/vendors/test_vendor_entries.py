"""Structured entries: rendered as valid FHIR R4, refused before signing where a rule says no."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vendors.entries import MODELS, SignedEntry, render_entry
from vendors.entry_rules import broken_rules
from vendors.entry_values import (
    RESOURCE_OF,
    Allergy,
    Coded,
    Content,
    EntryKind,
    FollowUp,
    Medication,
    Message,
    Problem,
    Sign,
    VisitReason,
    VitalSign,
)
from vendors.errors import InvalidResource
from vendors.profile import load_profile

PROFILE = load_profile(Path(__file__).parents[2] / "smart-config" / "vendors" / "reference.yaml")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SNOMED = "http://snomed.info/sct"
VISIT: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "9",
    "status": "in-progress",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "subject": {"reference": "Patient/1"},
    "reasonCode": [{"text": "Cough"}],
    "location": [{"location": {"reference": "Location/3"}}],
}
PULSE = VitalSign(sign=Sign.HEART_RATE, value="72", unit="/min")
CONTENTS: tuple[Content, ...] = (
    PULSE,
    VitalSign(sign=Sign.BLOOD_PRESSURE, value="128", second="76", unit="mm[Hg]"),
    VitalSign(sign=Sign.OXYGEN_SATURATION, value="97", unit="%"),
    FollowUp(what="Follow-up visit", due=date(2026, 12, 20)),
    Problem(name="Asthma", coding=Coded(system=SNOMED, code="195967001", display="Asthma")),
    Allergy(substance="Amoxicillin", reaction="hives"),
    Message(text="Please call about the x-ray."),
    VisitReason(text="Cough after a new medicine"),
    Medication(name="losartan 50 mg tablet", dosage="One tablet daily"),
)


def an_entry(content: Content, **changed: Any) -> SignedEntry:
    known = SignedEntry(
        identifier_system="urn:countersign:entry",
        identifier_value="abc",
        patient="Patient/1",
        encounter="Encounter/9",
        author="Practitioner/7",
        author_name="Dr. Kwame Osei",
        signed_at=NOON,
        visit_start=NOON - timedelta(hours=1),
        ai_assisted=True,
        interaction="create",
        content=content,
        base=VISIT if isinstance(content, VisitReason) else None,
    )
    return replace(known, **changed)


def rendered(content: Content, **changed: Any) -> Any:
    return json.loads(render_entry(an_entry(content, **changed), PROFILE))


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content.kind)
def test_every_kind_renders_to_valid_r4_with_identifier_label_patient_visit_and_author(content: Content) -> None:
    """C10, C41, D03."""
    entry = an_entry(content, interaction="update" if isinstance(content, VisitReason) else "create")
    assert broken_rules(entry, PROFILE) == ()
    body = render_entry(entry, PROFILE)
    assert render_entry(entry, PROFILE) == body
    resource = json.loads(body)
    assert MODELS[entry.kind].model_validate(resource)
    assert resource["resourceType"] == RESOURCE_OF[entry.kind]
    if isinstance(content, VisitReason):
        return
    assert resource["identifier"] == [{"system": "urn:countersign:entry", "value": "abc"}]
    assert resource["meta"]["security"][0]["code"] == "AIAST"
    assert resource["encounter"] == {"reference": "Encounter/9"}
    assert {"reference": "Patient/1"} in resource.values()
    assert "Practitioner/7" in body.decode()


def test_a_vital_sign_is_a_us_core_vital_sign() -> None:
    pressure = rendered(CONTENTS[1])
    assert pressure["category"][0]["coding"][0]["code"] == "vital-signs"
    assert pressure["code"]["coding"][0]["code"] == "85354-9"
    assert [part["valueQuantity"]["value"] for part in pressure["component"]] == [128, 76]
    assert {part["valueQuantity"]["code"] for part in pressure["component"]} == {"mm[Hg]"}
    assert [one["code"] for one in rendered(CONTENTS[2])["code"]["coding"]] == ["2708-6", "59408-5"]
    assert rendered(PULSE)["effectiveDateTime"] == "2026-11-22T11:00:00Z"


def test_a_medication_is_never_more_than_a_draft_of_a_proposal() -> None:
    medication = rendered(CONTENTS[8])
    assert (medication["status"], medication["intent"]) == ("draft", "proposal")


def test_a_change_of_the_visit_is_a_patch_that_tests_first_or_the_whole_visit_with_all_that_was_in_it() -> None:
    """C11, C13."""
    patch = rendered(CONTENTS[7], interaction="patch")
    assert [one["op"] for one in patch] == ["test", "test", "add"]
    assert patch[-1] == {"op": "add", "path": "/reasonCode/-", "value": {"text": "Cough after a new medicine"}}
    bare = {key: value for key, value in VISIT.items() if key != "reasonCode"}
    assert rendered(CONTENTS[7], interaction="patch", base=bare)[-1]["path"] == "/reasonCode"
    whole = rendered(CONTENTS[7], interaction="update")
    assert whole["location"] == VISIT["location"]
    assert [one["text"] for one in whole["reasonCode"]] == ["Cough", "Cough after a new medicine"]


@pytest.mark.parametrize(
    ("content", "changed", "code"),
    [
        (FollowUp(what=" "), {}, "text-missing"),
        (Message(text="x" * 2001), {}, "text-too-long"),
        (PULSE, {"patient": "Group/1"}, "patient-missing"),
        (PULSE, {"author": "Patient/1"}, "author-missing"),
        (PULSE, {"author_name": ""}, "author-missing"),
        (PULSE, {"encounter": None}, "encounter-missing"),
        (Problem(name="x", coding=Coded(system="urn:x", code="1")), {}, "code-not-accepted"),
        (Allergy(substance="x", coding=Coded(system=SNOMED, code="")), {}, "code-not-accepted"),
        (PULSE.model_copy(update={"value": "fast"}), {}, "value-not-a-number"),
        (PULSE.model_copy(update={"value": "NaN"}), {}, "value-not-a-number"),
        (PULSE.model_copy(update={"unit": "Cel"}), {}, "unit-not-accepted"),
        (PULSE.model_copy(update={"value": "720"}), {}, "value-implausible"),
        (CONTENTS[1].model_copy(update={"second": ""}), {}, "value-not-a-number"),
        (CONTENTS[1].model_copy(update={"second": "140"}), {}, "pressure-order"),
        (PULSE.model_copy(update={"measured_at": NOON + timedelta(hours=1)}), {}, "time-in-the-future"),
        (FollowUp(what="x", due=date(2026, 11, 1)), {}, "due-in-the-past"),
        (CONTENTS[7], {"base": None}, "encounter-not-read"),
        (CONTENTS[7], {"base": VISIT | {"subject": {"reference": "Patient/2"}}}, "encounter-of-another"),
        (VisitReason(text="cough"), {}, "already-there"),
    ],
)
def test_what_breaks_a_rule_is_named_before_it_is_signed(content: Content, changed: dict[str, Any], code: str) -> None:
    assert code in [rule.code for rule in broken_rules(an_entry(content, **changed), PROFILE)]


def test_what_is_no_valid_resource_is_not_rendered() -> None:
    with pytest.raises(InvalidResource):
        render_entry(an_entry(CONTENTS[7], base=VISIT | {"status": 7}), PROFILE)


def test_an_entry_does_not_show_its_content_when_it_is_printed() -> None:
    assert "Amoxicillin" not in repr(an_entry(CONTENTS[5]))
    assert {EntryKind(content.kind) for content in CONTENTS} == set(EntryKind)
