import pytest

from app.drafting.draft import ClaimState
from app.drafting.gate import check
from tests.factories import a_medication

LISINOPRIL = [a_medication()]


def test_a_text_without_evidence_is_never_supported() -> None:
    assert check("Cough for five weeks.", [], []).state is ClaimState.UNSUPPORTED


def test_an_empty_text_is_left_blank_not_supported() -> None:
    assert check("  ", ["something"], []).state is ClaimState.LEFT_BLANK


def test_a_text_that_its_passage_carries_is_supported() -> None:
    assert check("Cough for five weeks.", ["the cough, it's been five weeks"], []).state is ClaimState.SUPPORTED


@pytest.mark.parametrize(
    ("text", "passage", "asks"),
    [
        ("Cough for six weeks.", "a cough for about five weeks", "does not say 6"),
        ("Pain in the left knee.", "pain in the right knee", "does not say left"),
        ("Has fever.", "no fever at all", "opposite"),
        ("Denies chest pain.", "yes chest pain now and then", "opposite"),
        ("Smokes a pack of cigarettes daily since college.", "the dog barked", "Most of these words"),
    ],
)
def test_what_the_passage_does_not_say_is_asked_about(text: str, passage: str, asks: str) -> None:
    finding = check(text, [passage], [])
    assert finding.state is ClaimState.UNSUPPORTED
    assert asks in finding.ask


def test_a_dose_against_the_chart_is_contradicted_and_the_charts_dose_is_offered() -> None:
    text = "“On lisinopril ten milligrams daily.”"
    finding = check(text, ["you take lisinopril ten milligrams daily"], LISINOPRIL)
    assert finding.state is ClaimState.CONTRADICTED
    chosen = finding.choices[0].text
    assert chosen == "On lisinopril 20 mg daily. (Dose from the chart; said was ten milligrams.)"
    assert check(chosen, ["you take lisinopril ten milligrams daily"], LISINOPRIL).state is not ClaimState.CONTRADICTED


def test_a_dose_said_in_other_words_is_no_difference() -> None:
    said = "lisinopril twenty milligrams once a day"
    assert check(said, [said], LISINOPRIL).state is ClaimState.SUPPORTED


def test_a_planned_change_of_dose_is_not_a_contradiction() -> None:
    said = "let's increase the lisinopril to forty milligrams"
    assert check(said, [said], LISINOPRIL).state is ClaimState.SUPPORTED


def test_another_medications_dose_in_the_sentence_is_not_taken_for_this_ones() -> None:
    said = "stop the lisinopril, and start losartan fifty milligrams"
    assert check(said, [said], LISINOPRIL).state is ClaimState.SUPPORTED


@pytest.mark.parametrize(
    "said", ["I started taking lisinopril forty milligrams", "let's increase the lisinopril to forty milligrams"]
)
def test_any_dose_beside_another_in_the_chart_is_asked_about_whatever_the_verb(said: str) -> None:
    finding = check(said, [said], LISINOPRIL)
    assert finding.against_chart
    assert "The chart says 20 mg" in finding.ask
