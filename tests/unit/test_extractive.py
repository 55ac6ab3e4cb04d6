from app.drafting.draft import ClaimState, Tier
from app.drafting.extractive import ExtractiveDrafter
from tests.factories import a_medication, material

VISIT = """\
[00:02] [doctor] good morning. so you've had a cough.
[00:09] [patient] yeah. it won't go away. it's been about five weeks now.
[00:20] [doctor] any fever or chills?
[00:24] [patient] no, no fever.
[00:30] [doctor] so that's the lisinopril ten milligrams once a day, so it's well controlled.
[01:10] [doctor] okay, on exam your lungs are clear bilaterally. no edema in the legs.
[02:00] [doctor] let's get a chest x-ray today. and i want to see you back in four weeks.
[02:10] [patient] thank you doctor.
"""


def test_every_statement_cites_the_exact_passage_it_rests_on() -> None:
    draft = ExtractiveDrafter().draft(material(VISIT, a_medication()))
    for claim in draft.claims:
        if claim.text:
            assert claim.evidence, claim.text
            assert all(draft.passage(evidence).strip() for evidence in claim.evidence)


def test_statements_land_in_their_sections() -> None:
    draft = ExtractiveDrafter().draft(material(VISIT, a_medication()))
    texts = {
        section: " ".join(c.text for c in draft.claims if c.section == section)
        for section in ("hpi", "answers", "exam", "plan")
    }
    assert "five weeks" in texts["hpi"]
    assert "no fever" in texts["answers"].lower()
    assert "Lungs are clear" in texts["exam"] or "lungs are clear" in texts["exam"]
    assert "chest x-ray" in texts["plan"]
    assert "four weeks" in texts["plan"]


def test_plan_items_and_doses_against_the_chart_need_the_clinician() -> None:
    draft = ExtractiveDrafter().draft(material(VISIT, a_medication()))
    asked = [claim for claim in draft.claims if claim.ask]
    assert {claim.tier for claim in asked} == {Tier.HIGH}
    assert any(claim.state is ClaimState.CONTRADICTED for claim in asked)
    contradicted = next(claim for claim in asked if claim.state is ClaimState.CONTRADICTED)
    assert [evidence.differs for evidence in contradicted.evidence] == [False, True]


def test_the_same_material_gives_the_same_bytes() -> None:
    drafts = [ExtractiveDrafter().draft(material(VISIT, a_medication())).canonical() for _ in range(2)]
    assert drafts[0] == drafts[1]


def test_without_a_transcript_the_sections_are_left_to_the_clinician() -> None:
    draft = ExtractiveDrafter().draft(material(None, a_medication()))
    blank = [claim.section for claim in draft.claims if claim.state is ClaimState.LEFT_BLANK]
    assert blank == ["hpi", "exam", "assessment", "plan"]


def test_a_transcript_of_200_kilobytes_is_drafted_within_its_limits() -> None:
    draft = ExtractiveDrafter().draft(material(VISIT * 400, a_medication()))
    assert len(VISIT * 400) > 200_000
    assert 5 < len(draft.claims) < 100


def test_a_transcript_of_noise_gives_no_statement() -> None:
    draft = ExtractiveDrafter().draft(material("\x00\x01 ???? \n\n[doctor]\n[patient] \n" * 50))
    assert not [claim for claim in draft.claims if claim.text]


def test_a_question_is_cited_from_where_it_begins_so_that_what_was_said_before_it_does_not_count() -> None:
    said = "[doctor] no wheezes, good. are you still on the pill?\n[patient] yes, every day.\n"
    draft = ExtractiveDrafter().draft(material(said))
    (answer,) = [claim for claim in draft.claims if claim.section == "answers"]
    assert answer.state is ClaimState.SUPPORTED
    assert draft.passage(answer.evidence[0]).startswith("are you still")


def test_a_relatives_words_are_the_patients_side_and_stage_directions_are_left_out() -> None:
    said = "[doctor] [chuckles] any fever?\n[patient's father] no, just the cough since monday.\n"
    draft = ExtractiveDrafter().draft(material(said))
    assert [claim.text for claim in draft.claims if claim.section == "answers"] == [
        "Asked “Any fever?”, answered “No, just the cough since monday.”"
    ]
