import base64
import html
import json
import textwrap
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reconciliation.compare import compare, same_words
from sandbox.qa.stored_text import REWRITES
from vendors.contract import Related, StoredNote
from vendors.renderings import shown_text

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
    """C19."""
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
    """C19."""
    comparison = compare(PAYLOAD, replace(STORED, **changed))
    assert not comparison.same
    assert comparison.serious == (field,)


def test_a_lost_identifier_or_label_is_named_and_does_not_stop() -> None:
    """C19."""
    comparison = compare(PAYLOAD, replace(STORED, identifiers=(), labels=()))
    assert comparison.same
    assert comparison.harmless == ("identifier", "label")


def test_an_added_type_coding_is_no_difference() -> None:
    assert compare(PAYLOAD, replace(STORED, type_codes=((LOINC, "11506-3"), ("urn:oid:1", "7")))).all == ()


# --- what an EHR may do to a text


NOTE = """HISTORY OF PRESENT ILLNESS
- Non-smoker. No fever, denies chest pain; BP 120/80 < 140, 5-6 days of "dry" cough.
- Alérgica: María Peña 😀 {sic} \\ back.

PLAN
- Amoxicillin 500 mg 2x daily, follow-up in 2-3 weeks.
"""
HARMLESS = ("text_spaced", "text_crlf", "text_wrapped", "text_nfd", "text_utf16", "text_rtf", "text_html")


@pytest.mark.parametrize("rewrite", sorted(REWRITES))
def test_a_rewriting_of_the_ehr_is_harmless_exactly_when_it_shows_the_same_words(rewrite: str) -> None:
    """F24, B23: every rewriting that the simulated EHR knows."""
    body, content_type = REWRITES[rewrite][0](NOTE)
    stored = body.decode(content_type.partition("charset=")[2] or "utf-8")
    assert same_words(NOTE, stored) == (rewrite in HARMLESS)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("<p>No <b>fever</b></p>", "No fever"),
        ("<!DOCTYPE html><html><head><title>x</title></head><body>No fever</body></html>", "No fever"),
        ("<ul><li>No fever</li></ul><ol start='2'><li>Rest</li></ol>", "- No fever 2. Rest"),
        ("<div style='font-family: Arial; margin: 0'>No&nbsp;fever</div>", "No fever"),
        (r"{\rtf1\ansi\ansicpg1252{\*\generator x;}{\info{\title y}}\pard No\~f\'e9ver\par}", "No féver"),
        (r"{\rtf1\ansi\uc1 \u8212-No\line \bullet  fever\tab{\b now}}", "—No • fever now"),
        (r"{\rtf1\ansi\uc2 \u233\'c3\'a9t\'e9}", "été"),
    ],
)
def test_what_a_rendering_shows(stored: str, shown: str) -> None:
    assert (shown_text(stored) or "").split() == shown.split()


@pytest.mark.parametrize(
    "stored",
    [
        "<p><s>No</s> fever</p>",
        "<p><del>No</del> fever</p>",
        "<p>No <ins>fever</ins></p>",
        "<p style='display:none'>No fever</p>",
        "<p style='text-decoration: line-through'>No fever</p>",
        "<p hidden>No fever</p>",
        "<p class='struck'>No fever</p>",
        "<style>p {display: none}</style><p>No fever</p>",
        "<p>No fever<script>document.write('!')</script></p>",
        "<p>10<sup>2</sup></p>",
        "<p>No fever<img src='x'></p>",
        r"{\rtf1 {\strike No} fever}",
        r"{\rtf1 {\v No} fever}",
        r"{\rtf1 No {\deleted old} fever}",
        r"{\rtf1 10{\super 2}}",
        r"{\rtf1 No fever",
        r"{\rtf1 No fever}}",
        r"{\rtf1\ansicpg99999 No f\'e9ver}",
        "No fever <140",
        "",
    ],
)
def test_a_rendering_that_may_hide_or_change_words_is_not_read(stored: str) -> None:
    """F24: what cannot be read with certainty is never called harmless."""
    assert shown_text(stored) is None


@pytest.mark.parametrize(
    ("signed", "stored"),
    [
        ("no table", "notable"),
        ("10\u00b2", "102"),
        ("500 \u00b5g", "500 mg"),
        ("Strep test -", "Strep test +"),
        ("5 mg", "5. mg"),
        ("2.5 mg", "25 mg"),
        ("No fever", "Fever"),
        ("left", "Left"),
        ("no fever, no cough", "no cough, no fever"),
        ("fever", "\u202efever"),
        ("pain & fever", "pain &amp; fever"),
        ("for 1--2 days", "for 1-2 days"),
    ],
)
def test_a_change_that_looks_small_is_a_changed_meaning(signed: str, stored: str) -> None:
    """F24: a unit, a sign, a side, an order."""
    assert not same_words(signed, stored)


# Words as notes have them: letters, numbers, signs; without those that a rendering writes differently.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12).filter(
    lambda word: not word.startswith(("<", "{\\rtf"))
)
TEXTS = st.lists(WORDS, min_size=1, max_size=30).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(13, 60), st.sampled_from(["\n", "\r\n", " \n\t", "\u00a0\n"]))
def test_any_rewrapping_is_harmless(text: str, width: int, line_end: str) -> None:
    """F24: wherever the lines are broken, also after a hyphen inside a word."""
    assert same_words(text, line_end.join(textwrap.wrap(text, width, break_long_words=False)))


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_text_shown_by_html_or_rtf_is_harmless(text: str) -> None:
    """F24: whatever the words are, escaping and unescaping them changes none."""
    assert same_words(text, f"<html><body><p>{html.escape(text)}</p></body></html>")
    assert same_words(text, REWRITES["text_rtf"][0](text)[0].decode())


@settings(max_examples=80, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=20, unique=True), st.data())
def test_any_changed_word_is_serious(words: list[str], data: st.DataObject) -> None:
    """F24: a word lost, doubled or replaced is never taken for another layout."""
    at = data.draw(st.integers(0, len(words) - 1))
    other = data.draw(st.sampled_from(["no", "not", "7", "left"]).filter(lambda word: word not in words))
    changed = {
        "lost": [*words[:at], *words[at + 1 :]],
        "added": [*words[:at], other, *words[at:]],
        "replaced": [*words[:at], other, *words[at + 1 :]],
    }
    for how, stored in changed.items():
        assert not same_words(" ".join(words), " ".join(stored)), how


# --- the tie to an earlier note


CORRECTION = json.dumps(
    json.loads(PAYLOAD)
    | {
        "relatesTo": [
            {
                "code": "replaces",
                "target": {
                    "reference": "DocumentReference/88",
                    "identifier": {"system": "urn:countersign:note", "value": "abc"},
                },
            }
        ]
    }
).encode()


@pytest.mark.parametrize(
    ("ties", "serious"),
    [
        ((Related("replaces", "DocumentReference/88"),), ()),
        ((Related("replaces", "", "urn:countersign:note", "abc"),), ()),
        ((Related("appends", "DocumentReference/88"),), ("relatesTo",)),
        ((Related("replaces", "DocumentReference/89"),), ("relatesTo",)),
        ((), ("relatesTo",)),
    ],
)
def test_a_correction_that_lost_its_tie_to_the_original_is_for_a_human(
    ties: tuple[Related, ...], serious: tuple[str, ...]
) -> None:
    """C36: two notes would stand beside each other as if both were true."""
    assert compare(CORRECTION, replace(STORED, relates_to=ties)).serious == serious
