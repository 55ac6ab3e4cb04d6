"""Entries beside a note: decided on the review page, signed with the note, written each by itself."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.drafting.draft import Draft
from app.drafting.extractive import ExtractiveDrafter
from app.drafting.material import VisitMaterial
from app.drafting.proposals import Proposed, checked
from app.event_log.tables import events
from app.outbox.tables import outbox
from app.replay.payloads import replay_payloads
from app.writebacks.handlers import load
from app.writebacks.state import Stage
from tests.service import OpenChart, Service
from vendors.entry_values import Allergy, Medication, Message, Problem, Sign, VisitReason, VitalSign

pytestmark = pytest.mark.either_database
KINDS = (
    VitalSign(sign=Sign.HEART_RATE, value="81", unit="/min"),
    Problem(name="Chronic cough"),
    Allergy(substance="Lisinopril", reaction="cough"),
    Message(text="Please call about the x-ray."),
    VisitReason(text="Cough after a new medicine"),
    Medication(name="losartan 50 mg tablet", dosage="One tablet daily"),
)
WRITTEN = ("Observation", "Condition", "AllergyIntolerance", "Communication", "MedicationRequest", "Task")


class EveryKind:
    """Another drafter behind the port: one proposal of each kind, beside what the embedded one finds."""

    name, version, prompt_version = "every-kind", "1", "none"

    def draft(self, material: VisitMaterial) -> Draft:
        draft = ExtractiveDrafter().draft(material)
        evidence = draft.claims[0].evidence
        found = [Proposed(one.content, one.evidence) for one in draft.proposals if not one.already]
        found += [Proposed(content, evidence) for content in KINDS]
        return draft.model_copy(update={"proposals": checked(found, material)})


def opened(service: Service, patient: str = "Rivera, Ana", ehr: str = "reference") -> OpenChart:
    """A patient for each test that writes: what the chart holds already is not offered again."""
    service.parts.preparation._drafter = EveryKind()
    chart = service.drafted(ehr=ehr, patient=patient)
    chart.settle()
    return chart


def approve(chart: OpenChart, *kinds: str, decision: str = "approve") -> None:
    for one in chart.note().review.proposals:
        if one.kind in kinds:
            answer = chart.post(
                "/proposals/decision",
                proposal=f"{one.proposal.id}:{one.decision.revision}",
                decision=decision,
                confirmed="yes",
            )
            assert answer.status_code == 303, answer.text


def writes(chart: OpenChart) -> dict[str, Any]:
    """The write of each signed entry, by its resource type."""
    note = chart.note()
    with chart.service.parts.database.read() as tx:
        return {kind: load(tx, note.tenant_id, write) for _, write, kind in note.state.signed.entries}


def ours(chart: OpenChart, kind: str) -> list[dict[str, Any]]:
    held = chart.service.ehr.qa("reference", f"resources/{kind}")
    wanted = {write.order.identifier.partition("|")[2] for write in writes(chart).values()}
    return [one for one in held if wanted & {each.get("value") for each in one.get("identifier", ())}]


def work(service: Service) -> None:
    for _ in range(12):
        if not service.work():
            return


def test_every_approved_entry_becomes_its_own_write_under_the_signers_token_and_is_read_back(service: Service) -> None:
    """A63, C10, C11, C13, C19, C34."""
    chart = opened(service)
    assert "Also proposed for the chart" in chart.get("/").text
    approve(chart, *(content.kind for content in KINDS), "follow_up")
    page = chart.get("/sign").text
    assert "What is signed with it" in page
    assert "A draft proposal. It orders nothing" in page.replace("a draft", "A draft")
    assert chart.sign().status_code == 303
    work(service)
    stages = {kind: write.stage for kind, write in writes(chart).items()}
    assert stages == dict.fromkeys((*WRITTEN, "Encounter"), Stage.VERIFIED)
    for kind in WRITTEN:
        assert ours(chart, kind), kind
        assert json.dumps(ours(chart, kind)[0]).count("AIAST") == 1
    visit = next(one for one in service.ehr.qa("reference", "resources/Encounter") if one["id"] in page)
    assert "Cough after a new medicine" in json.dumps(visit["reasonCode"])
    keys = {write.order.idempotency_key for write in writes(chart).values()}
    assert len(keys) == len(writes(chart))
    with service.parts.database.read() as tx:
        replayed = replay_payloads(tx, service.parts.artifacts, service.parts.ehrs)
    assert (replayed.identical, replayed.different) == (1 + len(note_entries(chart)), ())
    status = chart.status()
    assert status["settled"]
    assert status["html"].count("In the chart, and read back") == len(note_entries(chart))
    assert status["html"].count("To change one of these, or to take it out, use Reference EHR.") == 1


def note_entries(chart: OpenChart) -> tuple[Any, ...]:
    return tuple(chart.note().state.signed.entries)


def test_what_is_undecided_lapses_and_what_is_declined_is_recorded_and_neither_is_sent(service: Service) -> None:
    chart = opened(service, "Ortega, María Guadalupe")
    approve(chart, "problem", decision="decline")
    approve(chart, "allergy", decision="approve")
    approve(chart, "allergy", decision="reopen")
    before = service.ehr.qa("reference", "resources/AllergyIntolerance")
    assert "left undecided and are not written" in chart.get("/sign").text
    assert chart.sign().status_code == 303
    work(service)
    signed = chart.note().state.signed
    assert signed.entries == ()
    assert len(signed.lapsed) == len(chart.note().review.proposals) - 1
    assert service.ehr.qa("reference", "resources/AllergyIntolerance") == before
    with service.parts.database.read() as tx:
        tags = set(tx.execute(select(events.c.tag)).scalars())
    assert {"note:proposal:declined", "note:proposal:approved", "note:proposal:reopened"} <= tags
    assert chart.post("/proposals/decision", proposal="p01:0", decision="approve").status_code == 403


def test_a_note_is_taken_back_with_its_entries_and_the_page_names_those_that_had_left(service: Service) -> None:
    """F42, I7: what was certainly not executed is stopped with the note; what had left stays, and is said."""
    chart = opened(service, "Whitfield, George Alan")
    approve(chart, "problem", "allergy", "vital_sign")
    assert chart.sign().status_code == 303
    _, early, _ = next(one for one in chart.note().state.signed.entries if one[2] == "Condition")
    with service.parts.database.write() as tx:
        others = update(outbox).where(outbox.c.writeback_id != early)
        tx.execute(others.values(due_at=service.clock() + timedelta(minutes=1)))
    work(service)
    for _ in range(2):
        assert chart.post("/note/take-back").status_code == 303
    service.clock.advance(minutes=2)
    work(service)

    assert chart.writeback().stage is Stage.CANCELLED
    stages = {kind: write.stage for kind, write in writes(chart).items()}
    cancelled = Stage.CANCELLED
    assert stages == {"Condition": Stage.VERIFIED, "AllergyIntolerance": cancelled, "Observation": cancelled}
    assert (len(ours(chart, "Condition")), ours(chart, "AllergyIntolerance"), ours(chart, "Observation")) == (1, [], [])
    assert "Already sent when you took the note back, and not stopped: Chronic cough" in chart.get("/note").text


def test_what_was_to_be_entered_by_hand_is_taken_back_with_its_note(service: Service) -> None:
    """F42, I7: nobody is asked to enter what belongs to a note that is not to be; what was entered is said to be."""
    chart = opened(service, ehr="epic")
    approve(chart, "problem", "medication")
    assert chart.sign().status_code == 303
    entered, _, _ = next(one for one in note_entries(chart) if one[2] == "Condition")
    assert chart.post(f"/note/entries/{entered}/entered").status_code == 303
    for _ in range(2):
        assert chart.post("/note/take-back").status_code == 303

    stages = {kind: write.stage for kind, write in writes(chart).items()}
    assert stages == {"Condition": Stage.COPIED, "MedicationRequest": Stage.CANCELLED}
    page = chart.get("/note").text
    assert "I entered it" not in page
    assert "If you entered it in Epic already, remove it there" in page


def test_an_ehr_that_takes_none_gets_none_and_the_clinician_enters_them_by_hand(service: Service) -> None:
    chart = opened(service, ehr="epic")
    approve(chart, "problem", "medication")
    assert chart.get("/").text.count("By hand") >= 2
    assert chart.sign().status_code == 303
    work(service)
    assert {write.stage for write in writes(chart).values()} == {Stage.AWAITING_COPY}
    ids = [proposal_id for proposal_id, _, _ in note_entries(chart)]
    assert chart.get("/note").text.count("I entered it") == 2
    for proposal_id in (*ids, ids[0]):
        assert chart.post(f"/note/entries/{proposal_id}/entered").status_code == 303
    assert {write.stage for write in writes(chart).values()} == {Stage.COPIED}
    assert chart.post("/note/entries/p99/entered").status_code == 404
    assert service.ehr.qa("epic", "resources/Condition") == [
        one for one in service.ehr.qa("epic", "resources/Condition") if "Chronic cough" not in json.dumps(one)
    ]


def test_a_visit_that_ended_or_a_value_that_cannot_be_stops_the_signature_and_says_which(service: Service) -> None:
    """F43."""
    chart = opened(service, "Nair, Priya")
    (vital,) = [one for one in chart.note().review.proposals if one.kind == "vital_sign"]
    answer = chart.post(f"/proposals/{vital.proposal.id}/change", revision="0", value="810", unit="/min")
    assert answer.status_code == 303
    assert chart.post(f"/proposals/{vital.proposal.id}/change", revision="0", value="82").status_code == 409
    approve(chart, "vital_sign")
    refused = chart.sign()
    assert refused.status_code == 409
    assert "Heart rate 810 per minute”: no living person has this value" in refused.text
    chart.post(f"/proposals/{vital.proposal.id}/change", revision="2", value="82")
    approve(chart, "vital_sign", "follow_up")
    visits = service.ehr.qa("reference", "resources/Encounter")
    visit = next(one for one in visits if f"Encounter/{one['id']}" == chart.launch().encounter)
    service.ehr.edit("reference", "Encounter", visit | {"status": "finished"})
    try:
        ended = chart.sign()
        assert (ended.status_code, "these belong into an open one: “Heart rate 82 per minute”" in ended.text) == (
            409,
            True,
        )
        assert chart.note().state.signed is None
    finally:
        service.ehr.edit("reference", "Encounter", visit)


def test_a_proposal_is_decided_as_it_was_shown_and_only_as_its_tier_allows(service: Service) -> None:
    chart = opened(service, "Brandt, Walter Emil")
    known = {one.kind: f"{one.proposal.id}:0" for one in chart.note().review.proposals}
    together = {"decision": "approve", "proposal": [known["problem"], known["allergy"]]}
    assert chart.post("/proposals/decision", **together).status_code == 403
    unconfirmed = chart.post("/proposals/decision", proposal=known["medication"], decision="approve")
    assert "needs your confirmation" in unconfirmed.text
    for wrong in ({"proposal": "p01"}, {"proposal": "p01:x"}, {"proposal": "p01:0", "decision": "sign"}):
        assert chart.post("/proposals/decision", **({"decision": "approve"} | wrong)).status_code == 400
    assert chart.post("/proposals/decision", proposal="p77:0", decision="approve").status_code == 404
    shown = chart.sign_form()
    approve(chart, "problem")
    assert chart.post("/sign", **shown).status_code == 409  # what would be written is not what was shown
    assert chart.note().state.signed is None
