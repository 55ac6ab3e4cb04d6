import base64
import json
import unicodedata
from dataclasses import replace

import pytest

from app.reconciliation.compare import compare
from vendors.contract import StoredNote

TEXT = "HISTORY\n- Cough for five weeks.\n"
LOINC = "http://loinc.org"
PAYLOAD = json.dumps(
    {
        "resourceType": "DocumentReference",
        "meta": {"security": [{"system": "s", "code": "AIAST"}]},
        "identifier": [{"system": "urn:countersign:note", "value": "abc"}],
        "status": "current",
        "docStatus": "final",
        "type": {"coding": [{"system": LOINC, "code": "11506-3"}]},
        "subject": {"reference": "Patient/1"},
        "author": [{"reference": "Practitioner/7"}],
        "context": {"encounter": [{"reference": "Encounter/9"}]},
        "content": [{"attachment": {"data": base64.b64encode(TEXT.encode()).decode()}}],
    }
).encode()
STORED = StoredNote(
    resource_id="88",
    version="1",
    identifiers=(("urn:countersign:note", "abc"),),
    patient="Patient/1",
    encounter="Encounter/9",
    authors=("Practitioner/7",),
    status="current",
    doc_status="final",
    type_codes=((LOINC, "11506-3"),),
    labels=(("s", "AIAST"),),
    text=TEXT,
    raw=b"{}",
)


def test_what_is_identical_has_no_difference() -> None:
    assert compare(PAYLOAD, STORED).all == ()


@pytest.mark.parametrize("text", [TEXT.replace("\n", "\r\n"), TEXT + "  \n", TEXT.replace("Cough for", "Cough\n  for")])
def test_white_space_and_line_ends_are_harmless(text: str) -> None:
    comparison = compare(PAYLOAD, replace(STORED, text=text))
    assert comparison.same
    assert comparison.harmless == ("text",)


def test_accents_that_were_taken_apart_are_harmless() -> None:
    """NFC and NFD are two spellings of the same words; stores and databases change between them."""
    text = "PLAN\n- Alergia a picadura de hormigas, María Peña.\n"
    sent = json.loads(PAYLOAD)
    sent["content"][0]["attachment"]["data"] = base64.b64encode(text.encode()).decode()
    apart = unicodedata.normalize("NFD", text)
    assert apart != text
    comparison = compare(json.dumps(sent).encode(), replace(STORED, text=apart))
    assert (comparison.serious, comparison.harmless) == ((), ("text",))


def test_a_note_signed_without_a_visit_and_stored_in_one_is_serious() -> None:
    sent = {name: value for name, value in json.loads(PAYLOAD).items() if name != "context"}
    assert compare(json.dumps(sent).encode(), STORED).serious == ("encounter",)
    assert compare(json.dumps(sent).encode(), replace(STORED, encounter=None)).all == ()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"text": TEXT.replace("five", "six")}, "text"),
        ({"text": ""}, "text"),
        ({"patient": "Patient/2"}, "patient"),
        ({"encounter": "Encounter/8"}, "encounter"),
        ({"encounter": None}, "encounter"),
        ({"authors": ("Practitioner/8",)}, "author"),
        ({"authors": ("Practitioner/7", "Practitioner/8")}, "author"),
        ({"type_codes": ()}, "type"),
        ({"status": "entered-in-error"}, "status"),
        ({"doc_status": "preliminary"}, "docStatus"),
    ],
)
def test_a_changed_meaning_is_serious(changed: dict, field: str) -> None:
    comparison = compare(PAYLOAD, replace(STORED, **changed))
    assert not comparison.same
    assert comparison.serious == (field,)


def test_a_lost_identifier_or_label_is_named_and_does_not_stop() -> None:
    comparison = compare(PAYLOAD, replace(STORED, identifiers=(), labels=()))
    assert comparison.same
    assert comparison.harmless == ("identifier", "label")


def test_an_added_type_coding_is_no_difference() -> None:
    assert compare(PAYLOAD, replace(STORED, type_codes=((LOINC, "11506-3"), ("urn:oid:1", "7")))).all == ()
