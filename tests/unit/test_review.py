from app.drafting.draft import ClaimState, Tier
from app.review.differences import differences
from app.review.note_text import note_body, signed_text
from app.review.review import Decision, review
from tests.factories import NOON, a_claim, a_draft, a_medication, a_source

PLAN = a_claim("“Chest x-ray today.”", id="c002", section="plan", tier=Tier.HIGH, ask="Confirm this plan item.")


def test_a_high_risk_claim_is_open_until_it_is_confirmed_changed_or_removed() -> None:
    draft = a_draft(a_claim(), PLAN)
    assert [claim.claim.id for claim in review(draft, {}).open_claims] == ["c002"]
    for decision in (Decision(confirmed=True), Decision(text="CT tomorrow"), Decision(removed=True)):
        assert not review(draft, {"c002": decision}).open_claims


def test_the_most_important_open_claim_comes_first() -> None:
    doubtful = a_claim("x", id="c003", state=ClaimState.UNSUPPORTED, ask="?")
    wrong = a_claim("y", id="c004", state=ClaimState.CONTRADICTED, tier=Tier.HIGH, ask="?")
    order = [claim.claim.id for claim in review(a_draft(PLAN, doubtful, wrong), {}).open_claims]
    assert order == ["c004", "c002", "c003"]


def test_the_clinicians_own_words_need_no_source_but_a_dose_against_the_chart_is_asked_again() -> None:
    source = a_medication().source
    draft = a_draft(a_claim(), sources=(a_source("Cough for five weeks. No fever."), source))
    assert not review(draft, {"c001": Decision(text="Knee pain since May.")}).open_claims
    assert review(draft, {"c001": Decision(text="Takes lisinopril 40 mg.")}).open_claims


def test_the_displayed_hash_changes_with_everything_that_is_displayed() -> None:
    draft = a_draft(a_claim(), PLAN)
    decisions = [
        {},
        {"c001": Decision(text="Other.")},
        {"c002": Decision(confirmed=True)},
        {"c002": Decision(removed=True)},
    ]
    assert len({review(draft, decision).displayed_hash for decision in decisions}) == 4
    another_visit = draft.model_copy(update={"visit": None})
    assert review(another_visit, {}).displayed_hash != review(draft, {}).displayed_hash


def test_removed_and_blank_claims_are_not_in_the_note() -> None:
    blank = a_claim("", id="c009", section="exam", state=ClaimState.LEFT_BLANK, evidence=())
    body = note_body(review(a_draft(a_claim(), PLAN, blank), {"c002": Decision(removed=True)}))
    assert body == "HISTORY OF PRESENT ILLNESS\n- Cough for five weeks.\n"


def test_differences_name_what_was_edited_removed_and_added() -> None:
    blank = a_claim("", id="c009", section="exam", state=ClaimState.LEFT_BLANK, evidence=())
    decisions = {
        "c001": Decision(text="Dry cough."),
        "c002": Decision(removed=True),
        "c009": Decision(text="Lungs clear."),
    }
    kinds = [(one.section, one.kind) for one in differences(review(a_draft(a_claim(), PLAN, blank), decisions))]
    assert kinds == [("hpi", "edited"), ("plan", "removed"), ("exam", "added")]


def test_the_signed_text_ends_with_name_meaning_and_moment() -> None:
    text = signed_text(review(a_draft(), {}), NOON)
    assert text.endswith("Electronically signed by Dr. Kwame Osei (author) on 2026-11-22 at 12:00:00 UTC.\n")
    assert "\r" not in text


def test_rewording_a_contradiction_as_a_change_does_not_settle_it() -> None:
    draft = a_draft(a_claim(), sources=(a_source("Cough for five weeks. No fever."), a_medication().source))
    reworded = review(draft, {"c001": Decision(text="Takes lisinopril 40 mg, as started before.")})
    assert [claim.claim.id for claim in reworded.open_claims] == ["c001"]


def test_a_line_that_was_emptied_counts_as_removed() -> None:
    kinds = [one.kind for one in differences(review(a_draft(a_claim(), PLAN), {"c001": Decision(text=" ")}))]
    assert kinds == ["removed"]


def test_the_note_says_edited_only_when_it_was() -> None:
    draft = a_draft(a_claim())
    assert "; reviewed by the signer." in signed_text(review(draft, {}), NOON)
    assert "; reviewed and edited by the signer." in signed_text(review(draft, {"c001": Decision(text="Other.")}), NOON)
