from datetime import date

import pytest
from pydantic import ValidationError

from app.drafting.draft import ClaimState, Draft, Evidence, SourceKind
from app.drafting.entry_fields import FIELDS, with_fields
from app.drafting.extractive import ExtractiveDrafter
from app.drafting.material import Entry
from app.drafting.proposals import Proposed, checked, in_words, rechecked
from app.errors import BadInput
from app.policy.entry_route import EntryFacts, choose_entry_route, ways
from app.policy.route import Route
from app.policy.rules import EntryToSign
from app.policy.rulesets import refusals
from app.policy.tiers import TIERS, Approval, tier_of
from app.review.proposals import ProposalDecision
from app.review.review import review
from app.tenants.registrations import Phase
from tests.factories import a_draft, a_source, material, signing_facts
from vendors.entry_values import Allergy, Coded, EntryKind, FollowUp, Problem, Sign, VitalSign

SNOMED = "http://snomed.info/sct"
PRESSURE = VitalSign(sign=Sign.BLOOD_PRESSURE, value="128", second="76", unit="mm[Hg]")


def a_chart_entry(kind: str, name: str, value: str = "", code: str = "", text: str = "", *, now: bool = True) -> Entry:
    source = a_source(text or name, source_id=f"{kind}/1", kind=SourceKind.CHART, reference=f"{kind}/1")
    return Entry(source, kind, name, value, now, (code,) if code else ())


def proposed(said: str, *entries: Entry) -> list[str]:
    draft = ExtractiveDrafter().draft(material(said, *entries))
    assert all(draft.passage(cited).strip() for one in draft.proposals for cited in one.evidence)
    return [in_words(one.content) for one in draft.proposals if not one.already]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[doctor] the pressure today is one twenty eight over seventy six.", ["Blood pressure 128/76 mmHg"]),
        ("[doctor] blood pressure 134/82.", ["Blood pressure 134/82 mmHg"]),
        ("[doctor] your heart rate is 72, lungs clear.", ["Heart rate 72 per minute"]),
        ("[doctor] oxygen is ninety seven percent on room air.", ["Oxygen saturation 97%"]),
        ("[doctor] temperature 38.4 degrees celsius.", ["Body temperature 38.4 °C"]),
        ("[doctor] he weighs seventeen kilos.", ["Body weight 17 kg"]),
        ("[doctor] i want to see you back in four weeks.", ["Follow-up visit in four weeks (due 2026-12-20)"]),
        (
            "[doctor] let's recheck the blood count in three months.",
            ["Recheck the blood count in three months (due 2027-02-22)"],
        ),
        ("[patient] i'm allergic to amoxicillin, i got hives.", ["Amoxicillin: hives"]),
    ],
)
def test_what_is_said_in_so_many_words_is_proposed_with_its_evidence(said: str, words: list[str]) -> None:
    assert proposed(said) == words


@pytest.mark.parametrize(
    "said",
    [
        "[doctor] is your pressure one twenty over eighty?",  # a question
        "[patient] my pressure is one thirty over seventy.",  # the patient's own figure
        "[doctor] at home your pressure is one thirty over seventy.",
        "[doctor] your pressure was one fifty over ninety last time.",
        "[doctor] the goal is a pressure of one thirty over eighty.",
        "[doctor] if your pressure is one eighty over one ten, call me.",
        "[doctor] temperature one oh one point eight.",  # no unit, and a number that can be doubted
        "[doctor] pulses are two plus.",
        "[doctor] your heart rate is nine hundred.",
        "[doctor] if it is not better, come back in two weeks.",
        "[doctor] maybe we recheck the potassium in two weeks.",
        "[patient] i'm not allergic to penicillin.",
        "[patient] i'm allergic to something, i forgot.",
        "[patient] my mother is allergic to shellfish.",
        "[doctor] you're still allergic to penicillin, that was hives?",
    ],
)
def test_what_could_be_meant_otherwise_is_left_alone(said: str) -> None:
    assert proposed(said) == []


def test_the_same_twice_is_offered_once_with_both_passages() -> None:
    said = "[doctor] i want to see you back in four weeks.\n[doctor] okay. see you in four weeks.\n"
    (one,) = ExtractiveDrafter().draft(material(said)).proposals
    assert len(one.evidence) == 2


def test_what_the_chart_holds_already_is_marked_and_what_it_says_otherwise_is_shown_beside() -> None:
    said = "[doctor] the pressure today is one twenty eight over seventy six.\n[patient] i'm allergic to penicillin.\n"
    code = "http://loinc.org|85354-9"
    same = a_chart_entry("vital", "Blood pressure", "128/76 mmHg", code)
    draft = ExtractiveDrafter().draft(material(said, same, a_chart_entry("allergy", "Penicillin")))
    assert [one.already for one in draft.proposals] == ["vital/1", "allergy/1"]
    assert not any(one.offered for one in review(draft, {}).proposals)
    other = a_chart_entry("vital", "Blood pressure", "126/80 mmHg", code, "Blood pressure 126/80 mmHg")
    (pressure, _) = ExtractiveDrafter().draft(material(said, other)).proposals
    assert (pressure.already, pressure.beside) == ("", "Blood pressure 126/80 mmHg")
    earlier = a_chart_entry("vital", "Blood pressure", "128/76 mmHg", code, now=False)
    assert ExtractiveDrafter().draft(material(said, earlier)).proposals[0].already == ""


def test_a_proposal_that_its_evidence_does_not_carry_is_never_approved_together_with_others() -> None:
    read = material("[doctor] blood pressure is fine.")
    assert read.transcript
    evidence = ExtractiveDrafter().draft(material("[doctor] see you in one week.")).proposals[0].evidence
    (one,) = checked([Proposed(PRESSURE, evidence)], read)
    assert one.state is ClaimState.UNSUPPORTED
    assert tier_of(one.kind, one.state) is Approval.EACH
    assert tier_of(one.kind, ClaimState.SUPPORTED) is Approval.WITH_NOTE


def test_what_another_drafter_says_of_its_proposals_is_checked_here_again() -> None:
    read = material("[doctor] see you in one week.")
    draft = ExtractiveDrafter().draft(read)
    assert rechecked(draft, read) is draft
    (true,) = draft.proposals
    nowhere = Evidence(source_id="dreamt", start=0, end=9)
    made_up = true.model_copy(update={"id": "p99", "content": PRESSURE, "evidence": (nowhere, *true.evidence)})
    again = rechecked(draft.model_copy(update={"proposals": (true, made_up, true)}), read).proposals
    assert [(one.id, one.state, one.evidence) for one in again] == [
        ("p01", ClaimState.SUPPORTED, true.evidence),
        ("p02", ClaimState.UNSUPPORTED, true.evidence),
    ]


def test_a_medication_is_never_approved_without_a_second_confirmation() -> None:
    assert [kind for kind, tier in TIERS.items() if tier is Approval.EACH_CONFIRMED] == [EntryKind.MEDICATION]
    assert {tier_of(EntryKind.MEDICATION, state) for state in ClaimState} == {Approval.EACH_CONFIRMED}


def test_a_draft_without_proposals_has_the_bytes_that_it_had_before_there_were_any() -> None:
    draft = a_draft()
    assert b"proposals" not in draft.canonical()
    assert Draft.model_validate_json(draft.canonical()) == draft
    proposals = ExtractiveDrafter().draft(material("[doctor] see you in one week.")).proposals
    more = draft.model_copy(update={"proposals": proposals})
    assert Draft.model_validate_json(more.canonical()) == more


def test_every_decision_on_a_proposal_changes_the_displayed_hash() -> None:
    draft = ExtractiveDrafter().draft(material("[doctor] see you in one week."))
    changed = FollowUp(what="Follow-up visit in two weeks", due=date(2026, 12, 6))
    decisions = [{}, {"p01": ProposalDecision(approved=True)}, {"p01": ProposalDecision(content=changed)}]
    assert len({review(draft, {}, decision).displayed_hash for decision in decisions}) == 3
    assert [one.state for one in review(draft, {}, decisions[2]).proposals] == [ClaimState.UNSUPPORTED]


def test_changing_the_words_of_a_coded_entry_drops_the_code_that_stood_for_the_old_ones() -> None:
    problem = Problem(name="Asthma", coding=Coded(system=SNOMED, code="195967001"))
    assert with_fields(problem, {"name": "Asthma"}) == problem
    assert with_fields(problem, {"name": "Chronic  bronchitis\u202e"}) == Problem(name="Chronic bronchitis")
    assert with_fields(FollowUp(what="x", due=date(2026, 12, 1)), {"due": ""}) == FollowUp(what="x")
    assert with_fields(PRESSURE, {"sign": "weight", "kind": "problem"}) == PRESSURE
    for fields in ({"due": "tomorrow"}, {"what": "x" * 501}):
        with pytest.raises(BadInput):
            with_fields(FollowUp(what="x"), fields)
    assert FIELDS.keys() == set(EntryKind)


def test_an_entry_holds_nothing_that_its_kind_does_not_know() -> None:
    with pytest.raises(ValidationError):
        Allergy.model_validate({"substance": "x", "status": "active"})


GRANTED = EntryFacts(takes=("create",), granted=frozenset({"create"}), read_granted=True)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"takes": ()}, "vendor_takes_none"),
        ({"ruleset_signs": False}, "ruleset_knows_none"),
        ({"phase": Phase.LOW_RISK}, "phase_below_full"),
        ({"switched_off": True}, "switched_off"),
        ({"has_encounter": False}, "no_visit_open"),
        ({"granted": frozenset()}, "write_not_granted"),
        ({"granted": frozenset({"update"})}, "write_not_granted"),
        ({"read_granted": False}, "read_back_not_granted"),
        ({}, ""),
    ],
)
def test_an_entry_is_written_only_where_profile_scopes_phase_and_switches_all_say_so(
    changed: dict, reason: str
) -> None:
    landing = choose_entry_route(EntryFacts(**(vars(GRANTED) | changed)))
    assert (landing.route, landing.reason) == (Route.COPY if reason else Route.FILE, reason)


def test_a_change_of_the_visit_travels_as_a_patch_where_it_may_and_else_as_an_update() -> None:
    both = EntryFacts(ways(EntryKind.VISIT_REASON), frozenset({"patch", "update"}), read_granted=True)
    assert choose_entry_route(both).interaction == "patch"
    assert choose_entry_route(EntryFacts(("update",), both.granted, read_granted=True)).interaction == "update"


VITAL = EntryToSign("Heart rate 72 per minute", EntryKind.VITAL_SIGN, is_filed=True)
TASK = EntryToSign("Follow-up visit", EntryKind.FOLLOW_UP, is_filed=True)


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"entries": (VITAL, TASK)}, []),
        ({"chart_patient_replaced": True}, ["patient_merged"]),
        ({"chart_encounter_patient": "Patient/2"}, ["encounter_of_another"]),
        ({"entries": (TASK,), "identity_missing": ("date of birth",)}, ["identity_incomplete"]),
        ({"identity_missing": ("date of birth",)}, []),
        ({"entries": (VITAL, TASK), "chart_encounter_status": "finished"}, ["encounter_ended"]),
        ({"entries": (TASK,), "chart_encounter_status": "finished"}, []),
        ({"entries": (VITAL,), "chart_encounter_status": "cancelled"}, ["encounter_cancelled", "encounter_ended"]),
        ({"entries": (EntryToSign("x", EntryKind.PROBLEM, True, ("it says nothing",)),)}, ["entry_refused"]),
    ],
)
def test_what_conflicts_with_patient_or_visit_stops_the_signature_and_is_named(changed: dict, codes: list[str]) -> None:
    """F43."""
    found = refusals("standard-2", signing_facts(**changed))
    assert [refusal.code for refusal in found] == codes
    if codes == ["encounter_ended"]:
        assert "Heart rate 72" in found[0].sentence
        assert "Follow-up" not in found[0].sentence
