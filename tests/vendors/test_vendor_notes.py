import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference
from hypothesis import given, settings
from hypothesis import strategies as st
from pyfhircheck.core.engine import Validator
from signed_notes import TEXT, a_signed_note

from vendors.contract import VendorAdapter
from vendors.errors import InvalidResource
from vendors.fhir_r4 import FHIRR4
from vendors.profile import Profile, load_profile

Adapters = dict[str, VendorAdapter]
GOLDEN = Path(__file__).parent / "golden"


def rendered(adapter: VendorAdapter, **changes: Any) -> dict[str, Any]:
    resource: dict[str, Any] = json.loads(adapter.render_note(a_signed_note(**changes)))
    return resource


@pytest.mark.parametrize("vendor", ["epic", "reference"])
def test_a_note_renders_to_its_golden_bytes(adapters: Adapters, vendor: str) -> None:
    """C01, C28."""
    golden = (GOLDEN / f"{vendor}-progress-note.json").read_bytes().rstrip(b"\n")
    assert adapters[vendor].render_note(a_signed_note()) == golden


@pytest.mark.parametrize("vendor", ["athenaone", "epic", "reference"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"custodian": None, "ai_assisted": False},
        {"visit_start": None},
        {"file_as": "preliminary"},
        {"text": "αβγ 日本語 🩺\r\n" * 400},
    ],
)
def test_every_rendered_note_is_valid_fhir_r4(adapters: Adapters, vendor: str, changes: dict[str, Any]) -> None:
    """C28, C41: by two validators that share no code."""
    resource = rendered(adapters[vendor], **changes)
    DocumentReference.model_validate(resource)
    assert Validator().validate_resource(resource).issues == []


def test_the_note_says_who_when_where_and_that_ai_assisted(adapters: Adapters) -> None:
    """C28, C29, C31, C34, C35: the author is the signer; docStatus is the note's, status the reference's."""
    resource = rendered(adapters["epic"])
    assert resource["author"] == [{"reference": "Practitioner/d7", "display": "Kwame Osei, MD"}]
    assert resource["type"]["coding"] == [{"system": "http://loinc.org", "code": "11506-3", "display": "Progress note"}]
    assert resource["date"] == "2026-11-22T20:32:07Z"
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert resource["context"]["encounter"] == [{"reference": "Encounter/e9"}]
    assert resource["context"]["period"] == {"start": "2026-11-22T20:00:00Z"}
    assert resource["custodian"] == {"reference": "Organization/o1"}
    assert (resource["status"], resource["docStatus"]) == ("current", "final")
    assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST"]
    assert resource["identifier"] == [{"system": "https://countersign.example/notes", "value": "tenant-1/note-7/1"}]


def test_a_note_without_ai_carries_no_ai_label(adapters: Adapters) -> None:
    assert "meta" not in rendered(adapters["epic"], ai_assisted=False)


def test_the_text_travels_byte_for_byte(adapters: Adapters) -> None:
    """C32, C33: one document in one format."""
    attachment = rendered(adapters["reference"])["content"][0]["attachment"]
    assert base64.b64decode(attachment["data"], validate=True) == TEXT.encode()
    assert attachment["size"] == len(TEXT.encode())
    assert "\n" not in attachment["data"]


def test_epic_gets_bare_text_plain_and_others_the_charset(adapters: Adapters) -> None:
    """C33."""
    types = {
        name: rendered(adapters[name])["content"][0]["attachment"]["contentType"] for name in ("epic", "reference")
    }
    assert types == {"epic": "text/plain", "reference": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"encounter": None}, "encounter-missing"),
        ({"text": "  \n"}, "text-empty"),
        ({"text": "\ud800"}, "text-not-unicode"),
        ({"title": "\ud800"}, "text-not-unicode"),
        ({"text": "x" * (5 * 1024 * 1024 + 1)}, "text-too-long"),
        ({"type_code": "18842-5"}, "type-not-accepted"),
        ({"patient": ""}, "structure"),
        ({"title": ""}, "structure"),
    ],
)
def test_a_note_that_breaks_a_rule_is_refused_by_code_and_never_quoted(
    adapters: Adapters, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(InvalidResource) as caught:
        adapters["epic"].render_note(a_signed_note(**changes))
    assert caught.value.issue_codes == (code,)
    assert "dizziness" not in str(caught.value)


def test_a_time_without_a_zone_is_refused(adapters: Adapters) -> None:
    naive = a_signed_note().signed_at.replace(tzinfo=None)
    with pytest.raises(InvalidResource) as caught:
        adapters["epic"].render_note(a_signed_note(signed_at=naive))
    assert caught.value.issue_codes == ("time-without-zone",)


def test_exactly_five_mebibytes_are_taken(adapters: Adapters) -> None:
    """C33."""
    resource = rendered(adapters["epic"], text="x" * (5 * 1024 * 1024))
    assert resource["content"][0]["attachment"]["size"] == 5 * 1024 * 1024


def test_an_encounter_is_optional_where_the_profile_says_so(adapters: Adapters) -> None:
    assert "context" not in rendered(adapters["reference"], encounter=None, visit_start=None)


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(str.strip)


@settings(deadline=None, max_examples=40)
@given(text=WORDS, title=WORDS)
def test_rendering_is_pure_and_canonical(text: str, title: str) -> None:
    """C10: the same note has the same bytes and the same identifier, whoever renders it and when."""
    adapter = FHIRR4(_reference_profile())
    note = a_signed_note(text=text, title=title.strip())
    once, again = adapter.render_note(note), adapter.render_note(note)
    spelled = json.dumps(json.loads(once), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert once == again == spelled.encode()


@cache
def _reference_profile() -> Profile:
    return load_profile(Path(__file__).parents[2] / "smart-config" / "vendors" / "reference.yaml")
