"""Changes of what was signed, attacked: what is stuck, what is said too early, and what would go out twice."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.event_log.event import ArtifactRef
from app.event_log.recorded import Recorded
from app.ids import LaunchId
from app.notes.commands import Kind, Reason
from app.notes.versions import Version
from app.pages.status import status
from app.policy.mutation import Standing
from app.publication.turn import Gate, gate
from app.tenants.tables import launches
from app.writebacks.endings import Person
from app.writebacks.events import WritebackQueued, WritebackSuperseded
from app.writebacks.fold import evolve
from app.writebacks.state import Stage, WritebackState
from tests.flows.test_changing import EHR, add, begin, correct, in_chart, rewrite_first_line, writes
from tests.flows.test_following import edit, look, place
from tests.flows.test_lost_identifiers import as_it_was
from tests.flows.test_reconciling import arm, our_notes, pass_time
from tests.service import OpenChart, Service

__all__ = ["as_it_was"]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=ZoneInfo("UTC"))


@pytest.fixture
def filed(service: Service) -> OpenChart:
    """A note that stands in the chart, with its Provenance."""
    chart = service.signed(ehr=EHR)
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
    return chart


def end(chart: OpenChart, writeback_id: str, ending: str) -> int:
    return int(chart.post(f"/note/stopped/{writeback_id}", ending=ending).status_code)


def signed_as(chart: OpenChart) -> str:
    return str(chart.note().state.signed.writeback_id)


@pytest.mark.either_database
def test_a_note_whose_addendum_was_retracted_can_still_be_corrected(service: Service, filed: OpenChart) -> None:
    """C36, C38: what was retracted is the addendum; the note stands."""
    add(filed)
    service.work()
    patient = filed.launch().patient
    answer = filed.post(f"/note/retract/{signed_as(filed)}", reason=Reason.DUPLICATE, patient=patient)
    assert answer.status_code == 303, answer.text
    service.work()
    assert [one.stage for one in writes(filed)] == [Stage.VERIFIED, Stage.SUPERSEDED, Stage.VERIFIED]

    correct(filed)
    service.work()
    assert filed.writeback().stage is Stage.VERIFIED
    assert writes(filed)[0].stage is Stage.SUPERSEDED


@pytest.mark.either_database
def test_what_came_right_again_in_the_chart_goes_on_to_its_provenance(service: Service) -> None:
    """I7, F29: else nobody would look at it any more, and no correction of it would ever have its turn."""
    arm(service, EHR, "rewrite_text")
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    service.work()
    assert chart.writeback().stage is Stage.DRIFTED
    payload = payload_of(service, chart)
    now_there = in_chart(chart, chart.writeback())
    service.ehr.edit(EHR, "DocumentReference", now_there | {"content": payload["content"]})
    look(service)
    assert chart.writeback().stage is Stage.VERIFIED

    service.work()
    assert chart.writeback().provenance_settled


def payload_of(service: Service, chart: OpenChart) -> dict[str, Any]:
    with service.parts.database.read() as tx:
        kept = service.parts.artifacts.open(tx, chart.note().tenant_id, chart.writeback().queued.payload)
    return dict(json.loads(kept))


@pytest.mark.either_database
def test_a_note_that_may_be_in_the_chart_is_not_filed_anew_when_it_was_given_up(service: Service) -> None:
    """I1, I3: its answer was lost and its signer's access ended; giving it up proves nothing about the chart."""
    arm(service, EHR, "commit_then_500")
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    before = len(our_notes(service, EHR))
    service.work()
    service.end_tokens()
    service.clock.advance(minutes=10)
    service.work()
    state = chart.writeback()
    assert (state.stage, state.parked_for, state.parked_from) == (Stage.PARKED, "reauth", Stage.OUTCOME_UNKNOWN)
    assert len(our_notes(service, EHR)) == before + 1

    assert "Give it up" in chart.get("/note/stopped").text
    assert end(chart, signed_as(chart), "abandon") == 303
    page = chart.get("/note/change/correction").text
    assert "is not in the chart" not in page
    assert "Look in the chart first" in page


@pytest.mark.either_database
@pytest.mark.usefixtures("as_it_was")
def test_what_was_accepted_and_does_not_appear_is_given_to_a_person_and_never_sent_again(service: Service) -> None:
    """C04, F17, I3: a 202 is a promise; nobody knows for when."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    before = len(our_notes(service, EHR))
    arm(service, EHR, "accept_then_file", seconds=86_400)
    pass_time(service, 20, seconds=60)

    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "unproven", 1)
    assert len(our_notes(service, EHR)) == before
    page = chart.get("/note/stopped").text
    assert "It may still appear at any time" in page
    assert "copy the note into it" not in page
    assert page.index("Look again</button>") < page.index("It is in the chart</button>")


@pytest.mark.either_database
def test_looking_again_after_the_ehr_moved_never_sends_under_another_address(service: Service) -> None:
    """F45, I6, I7: it stops again with the same words, and does not wait where nobody can end it."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    tenant = service.parts.tenants.require(chart.launch().tenant_id)
    moved = tenant.fhir_base.replace("localhost", "127.0.0.1")
    assert moved != tenant.fhir_base
    back = service.open_chart(ehr=EHR, patient="Cho, Raymond")
    service.change_tenant(tenant.id, fhir_base=moved)
    service.work()
    assert chart.writeback().parked_for == "address_changed"
    with service.parts.database.write() as tx:
        tx.execute(launches.update().where(launches.c.launch_id == back.launch_id).values(fhir_base=moved))
    service.parts.stopped.end(
        chart.launch().tenant_id,
        chart.note().state.signed.writeback_id,
        "look_again",
        Person.SIGNER,
        actor=chart.launch().actor,
        launch_id=LaunchId(back.launch_id),
    )
    service.work()
    state = chart.writeback()
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "address_changed", 0)


@pytest.mark.either_database
def test_a_correction_replaces_nothing_that_a_person_changed_before_it_was_signed(
    service: Service, filed: OpenChart
) -> None:
    """F28, C11: nobody had looked since; so the chart is asked when the correction is signed."""
    begin(filed, Kind.CORRECTION, Reason.MISTAKE)
    rewrite_first_line(filed, "Cough for six weeks, dry.")
    filed.settle()
    edit(service, "edit_text", place(filed), text="Changed by a colleague.")

    answer = filed.sign()
    assert answer.status_code == 403, answer.status_code
    assert "what stands there counts" in answer.text
    assert len(writes(filed)) == 1


# --- the tables


def queued(**changed: Any) -> Any:
    ref = ArtifactRef(artifact_id="a" * 32, digest="b" * 64)
    known: dict[str, Any] = {
        "note_id": "n", "note_version": 1, "launch_id": "l", "fhir_base": "https://e/fhir", "author_issuer": "i",
        "author_subject": "s", "author": "Practitioner/1", "patient": "Patient/1", "encounter": None,
        "workflow": "w", "resource_type": "DocumentReference", "mutation": "create", "idempotency_key": "k",
        "identifier": "s|v", "payload": ref, "payload_digest": "d", "mapping_version": "note-1", "profile": "p",
        "profile_version": "1", "provenance": ref, "provenance_route": "kept",
    }  # fmt: skip
    return WritebackQueued(**(known | changed))


@pytest.mark.parametrize("stage", [Stage.OVERRIDDEN, Stage.DRIFTED])
def test_a_replacement_asks_before_it_puts_aside_what_is_not_as_it_was_signed(stage: Stage) -> None:
    """F28, F41: signed while the original was on its way; an addendum goes beside it."""
    original = WritebackState(stage=stage, order=queued(), provenance_settled=True)
    assert gate(original, takes_its_place=True) is Gate.ASK
    assert gate(original, takes_its_place=False) is Gate.GO


def test_the_page_of_a_replaced_version_says_nothing_of_its_provenance() -> None:
    """It stopped before the Provenance was sent, and was replaced since: nothing of it waits for anybody."""
    stopped = WritebackState(stage=Stage.PARKED, order=queued(), parked_from=Stage.VERIFIED, parked_for="reauth")
    event = WritebackSuperseded(by="w2", how="replaced")
    replaced = evolve(stopped, Recorded("t", 1, "writeback:w1", 1, event, "system:worker", "", NOW))
    shown = status(replaced, NOW, "The EHR", ZoneInfo("UTC"))
    assert "later version" in shown.sentence


@pytest.mark.parametrize(
    ("settled_as", "standing"), [("filed_by_hand", Standing.RETRACTED), ("abandoned", Standing.FILED)]
)
def test_a_retraction_that_a_person_made_by_hand_is_one(settled_as: str, standing: Standing) -> None:
    """C38: what was marked in the EHR by hand is not corrected from here."""
    retraction = WritebackState(
        stage=Stage.SETTLED,
        order=queued(interaction="update", mutation="retract"),
        parked_from=Stage.OUTCOME_UNKNOWN,
        settled_as=settled_as,
    )
    original = WritebackState(stage=Stage.VERIFIED, order=queued())
    assert Version(None, original, retraction).standing is standing  # type: ignore[arg-type]
