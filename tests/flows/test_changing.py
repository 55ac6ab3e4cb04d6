"""Changing what was signed: corrected, added to, retracted, or taken back before it left. In the real sandbox."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from app.errors import Fenced
from app.notes.commands import Kind, Reason
from app.outbox.rows import Partition, claim
from app.replay.payloads import replay_payloads
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState
from tests.flows.test_reconciling import pass_time
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database
EHR = "reference"


@pytest.fixture
def filed(service: Service) -> OpenChart:
    """A note that stands in the chart of an EHR that takes changes."""
    chart = service.signed(ehr=EHR)
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
    return chart


def begin(chart: OpenChart, kind: Kind, reason: Reason = Reason.OMISSION) -> None:
    answer = chart.post(f"/note/change/{kind}", reason=reason)
    assert answer.status_code == 303, answer.text


def correct(chart: OpenChart, text: str = "Cough for six weeks, dry.") -> None:
    """Change the first line and sign the note anew."""
    begin(chart, Kind.CORRECTION, Reason.MISTAKE)
    rewrite_first_line(chart, text)
    chart.settle()
    answer = chart.sign()
    assert answer.status_code == 303, answer.text


def rewrite_first_line(chart: OpenChart, text: str) -> None:
    claim = chart.note().review.claims[0]
    chart.post(f"/claims/{claim.claim.id}/text", revision=claim.decision.revision, text=text)


def add(chart: OpenChart, text: str = "The chest film of today is clear.") -> None:
    begin(chart, Kind.ADDENDUM)
    assert chart.post("/note/addendum", text=text).status_code == 303
    answer = chart.sign()
    assert answer.status_code == 303, answer.text


def retract(chart: OpenChart) -> Any:
    launch = chart.launch()
    of = chart.note().state.signed.writeback_id
    return chart.post(f"/note/retract/{of}", reason=Reason.DUPLICATE, patient=launch.patient)


def writes(chart: OpenChart) -> list[WritebackState]:
    """The writes of all versions and retractions, in the order in which they were signed."""
    note = chart.note()
    signed = [*note.state.signatures, *note.state.retractions]
    with chart.service.parts.database.read() as tx:
        return [load(tx, note.tenant_id, one.writeback_id) for one in signed]


def partition_of(chart: OpenChart) -> Partition:
    return Partition(chart.launch().tenant_id, chart.note().state.draft_recorded.workflow)


def in_chart(chart: OpenChart, write: WritebackState) -> dict[str, Any]:
    resources = chart.service.ehr.qa(EHR, "resources/DocumentReference")
    return next(one for one in resources if one["id"] == write.resource_id)


def text_of(resource: dict[str, Any]) -> str:
    return base64.b64decode(resource["content"][0]["attachment"]["data"]).decode()


def replays_to_the_byte(service: Service) -> bool:
    """Every payload, of changes too, made again from what was kept."""
    with service.parts.database.read() as tx:
        replayed = replay_payloads(tx, service.parts.artifacts, service.parts.ehrs)
    return replayed.ok and replayed.identical > 1


def use_only(service: Service, monkeypatch: pytest.MonkeyPatch, *ways: str) -> None:
    """An EHR that documents no other way to change a filed note."""
    adapter = service.parts.ehrs._adapters[EHR]
    rules = adapter.profile.note
    rule = rules.amendment.model_copy(update={"value": ways})
    profile = adapter.profile.model_copy(update={"note": rules.model_copy(update={"amendment": rule})})
    monkeypatch.setattr(adapter, "profile", profile)


def test_a_correction_replaces_the_note_and_says_what_it_replaces(service: Service, filed: OpenChart) -> None:
    """C36, C37: a new note that replaces the old one; the old one stays, and is no longer the current one."""
    correct(filed)
    service.work()

    first, second = writes(filed)
    assert (first.stage, second.stage) == (Stage.SUPERSEDED, Stage.VERIFIED)
    corrected = in_chart(filed, second)
    assert corrected["relatesTo"][0]["code"] == "replaces"
    assert corrected["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{first.resource_id}"
    assert corrected["relatesTo"][0]["target"]["identifier"]["value"] == first.queued.identifier.partition("|")[2]
    assert "Cough for six weeks, dry." in text_of(corrected)
    assert "Corrected version of the note that was signed on" in text_of(corrected)
    assert "Cough for six weeks, dry." not in text_of(in_chart(filed, first))
    page = filed.get("/note").text
    assert "Version 2: correction" in page
    assert "Version 1: note" in page


def test_an_addendum_stands_beside_the_note_and_the_note_stays_current(service: Service, filed: OpenChart) -> None:
    """C36: appends, and the original is untouched."""
    before = in_chart(filed, filed.writeback())
    add(filed)
    service.work()

    first, second = writes(filed)
    assert (first.stage, second.stage) == (Stage.VERIFIED, Stage.VERIFIED)
    addendum = in_chart(filed, second)
    assert addendum["relatesTo"][0]["code"] == "appends"
    assert "The chest film of today is clear." in text_of(addendum)
    assert "security" not in addendum.get("meta", {}), "no AI had a part in it"
    assert text_of(in_chart(filed, first)) == text_of(before)


def test_a_correction_in_place_names_the_version_that_it_changes(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C11, C37: PUT with If-Match and docStatus amended; Countersign keeps both versions."""
    use_only(service, monkeypatch, "in_place")
    correct(filed)
    service.work()

    first, second = writes(filed)
    assert (first.stage, second.stage) == (Stage.SUPERSEDED, Stage.VERIFIED)
    assert second.resource_id == first.resource_id
    assert second.queued.if_match
    stored = in_chart(filed, second)
    assert stored["docStatus"] == "amended"
    assert "Cough for six weeks, dry." in text_of(stored)
    assert replays_to_the_byte(service)


def test_what_a_person_changed_meanwhile_is_not_overwritten(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C11, F14: the version moved on after signing, and it is not ours: a person decides."""
    use_only(service, monkeypatch, "in_place")
    correct(filed)
    human = in_chart(filed, writes(filed)[0]) | {"description": "Signed in the EHR"}
    service.ehr.edit(EHR, "DocumentReference", {k: v for k, v in human.items() if k != "_sandbox"})
    pass_time(service, 6, minutes=3)

    first, second = writes(filed)
    assert (second.stage, second.parked_for) == (Stage.PARKED, "conflict")
    assert in_chart(filed, first)["description"] == "Signed in the EHR"


def test_an_update_that_lost_its_answer_is_found_by_its_content(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C11, F14: executed, answer lost; the chart is read again and holds ours: filed, and sent once."""
    use_only(service, monkeypatch, "in_place")
    correct(filed)
    service.ehr.arm(EHR, fault="commit_then_drop", interaction="update", resource_type="DocumentReference", times=1)
    pass_time(service, 3, seconds=30)

    _, second = writes(filed)
    assert second.stage is Stage.VERIFIED
    assert (second.attempts, second.adopted) == (1, True)


def test_a_retraction_marks_the_note_and_its_content_survives(service: Service, filed: OpenChart) -> None:
    """C38: the whole resource with another status, never a delete."""
    before = in_chart(filed, filed.writeback())
    assert retract(filed).status_code == 303
    assert retract(filed).status_code == 303, "a second click gives the same answer"
    service.work()

    signed, retraction = writes(filed)
    assert (signed.stage, retraction.stage) == (Stage.SUPERSEDED, Stage.VERIFIED)
    after = in_chart(filed, signed)
    assert after["status"] == "entered-in-error"
    assert text_of(after) == text_of(before)
    assert "marked in" in filed.status()["html"]
    assert replays_to_the_byte(service)
    assert "Correct it" not in filed.get("/note").text


def test_where_the_profile_says_so_a_retraction_is_a_patch_that_tests_what_it_changes(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C13, C38: only the status changes, on the version that was read; and once, though its answer is lost."""
    adapter = service.parts.ehrs.adapter(filed.launch().tenant_id)
    rule = adapter.profile.note.retraction.model_copy(update={"value": "patch"})
    note = adapter.profile.note.model_copy(update={"retraction": rule})
    monkeypatch.setattr(adapter, "profile", adapter.profile.model_copy(update={"note": note}))
    before = in_chart(filed, filed.writeback())
    service.ehr.arm(EHR, fault="commit_then_500", interaction="patch", resource_type="DocumentReference", times=1)

    assert retract(filed).status_code == 303
    pass_time(service, 4, seconds=31)

    signed, retraction = writes(filed)
    assert (signed.stage, retraction.stage, retraction.attempts) == (Stage.SUPERSEDED, Stage.VERIFIED, 1)
    assert (retraction.queued.interaction, bool(retraction.queued.if_match)) == ("patch", True)
    after = in_chart(filed, signed)
    assert {**after, "meta": None} == {**before, "meta": None, "status": "entered-in-error"}
    assert replays_to_the_byte(service)


def test_a_note_that_has_not_left_is_taken_back_at_once(service: Service) -> None:
    """F42: no attempt begun, so it never leaves; pressing twice is pressing once."""
    chart = service.signed(ehr=EHR)
    assert "Take it back" in chart.get("/note").text
    assert chart.post("/note/take-back").status_code == 303
    assert chart.post("/note/take-back").status_code == 303
    service.work()

    assert chart.writeback().stage is Stage.CANCELLED
    assert chart.writeback().attempts == 0
    correct(chart)
    service.work()
    _, second = writes(chart)
    assert second.stage is Stage.VERIFIED
    assert (second.queued.mutation, second.queued.follows) == ("create", "")


def test_a_note_that_was_taken_back_is_not_begun_by_a_worker_that_had_it_already(service: Service) -> None:
    """F42, F32: the fence of the row is raised with the cancellation."""
    chart = service.signed(ehr=EHR)
    parts, now = service.parts, service.clock()
    with parts.database.write() as tx:
        [lease] = claim(tx, partition_of(chart), now, timedelta(minutes=1)).leases
    assert chart.post("/note/take-back").status_code == 303
    with pytest.raises(Fenced), parts.database.write() as tx:
        parts.writebacks.begin(tx, lease, now)
    assert chart.writeback().stage is Stage.CANCELLED


def test_a_note_whose_sending_has_begun_is_not_taken_back(service: Service) -> None:
    """F42: the attempt was first; the page says what is left to do."""
    chart = service.signed(ehr=EHR)
    parts, now = service.parts, service.clock()
    with parts.database.write() as tx:
        [lease] = claim(tx, partition_of(chart), now, timedelta(minutes=1)).leases
        assert parts.writebacks.begin(tx, lease, now)
    answer = chart.post("/note/take-back")
    assert (answer.status_code, chart.writeback().stage) == (403, Stage.SENDING)
    assert "on its way" in answer.text


def test_what_is_in_the_chart_is_retracted_and_not_taken_back(service: Service, filed: OpenChart) -> None:
    """F42."""
    answer = filed.post("/note/take-back")
    assert answer.status_code == 403
    assert "You can retract it instead" in answer.text


def test_a_correction_waits_until_what_it_corrects_is_in_the_chart(service: Service) -> None:
    """F41: signed while the original is pending; the original goes first, and the log holds no flood of waiting."""
    service.ehr.arm(EHR, fault="answer_429", interaction="create", resource_type="DocumentReference", times=1)
    chart = service.signed(ehr=EHR)
    correct(chart)
    service.work()
    first, second = writes(chart)
    assert first.stage is Stage.QUEUED
    assert (second.stage, second.attempts, second.version) == (Stage.QUEUED, 0, 1)

    pass_time(service, 6, minutes=2)
    first, second = writes(chart)
    assert (first.stage, second.stage) == (Stage.SUPERSEDED, Stage.VERIFIED)
    assert in_chart(chart, second)["relatesTo"][0]["target"] == {
        "identifier": {"system": "urn:countersign:note", "value": first.queued.identifier.partition("|")[2]}
    }


def test_a_correction_of_what_never_came_into_the_chart_is_parked(service: Service) -> None:
    """F41: the original was refused; its correction would replace nothing."""
    service.ehr.arm(
        EHR,
        fault="answer_422",
        interaction="create",
        resource_type="DocumentReference",
        times=1,
        options={"code": "invalid"},
    )
    chart = service.signed(ehr=EHR)
    correct(chart)
    pass_time(service, 3, minutes=2)

    first, second = writes(chart)
    assert first.stage is Stage.REJECTED
    assert (second.stage, second.parked_for) == (Stage.PARKED, "original_not_filed")


def test_where_the_ehr_takes_no_changes_the_corrected_text_is_copied(service: Service) -> None:
    """C36: no way is documented, so the clinician's own hands are the way."""
    chart = service.signed(ehr="epic")
    service.work()
    assert "you sign the text here and copy it" in chart.get("/note/change/correction").text.lower()
    correct(chart)

    first, second = writes(chart)
    assert (first.stage, second.stage) == (Stage.VERIFIED, Stage.AWAITING_COPY)
    assert "Cough for six weeks, dry." in chart.get("/note").text


def test_what_has_to_be_done_in_the_ehr_is_said_at_once_and_not_offered(service: Service) -> None:
    """C38: an EHR that takes no retraction."""
    chart = service.signed(ehr="epic")
    service.work()
    page, of = chart.get("/note").text, chart.note().state.signed.writeback_id
    assert "Epic does not take this from Countersign. Do it in Epic." in page
    assert f"/note/retract/{of}" not in page
    assert "/note/change/correction" in page


def test_a_correction_given_up_leaves_the_note_as_it_was_signed(service: Service, filed: OpenChart) -> None:
    begin(filed, Kind.CORRECTION)
    before = filed.get("/note").text
    assert "Go on with the correction" in before
    rewrite_first_line(filed, "Something else.")
    assert filed.post("/note/give-up").status_code == 303
    assert all(claim.text != "Something else." for claim in filed.note().review.claims)
    assert len(writes(filed)) == 1


def test_an_amended_note_cannot_leave_without_being_signed_again(service: Service, filed: OpenChart) -> None:
    """C37, F40: an earlier signature's form is no signature of the change; the same click twice is one version."""
    old_form = filed.sign_form()
    begin(filed, Kind.CORRECTION)
    rewrite_first_line(filed, "Cough for six weeks, dry.")
    answer = filed.sign(**old_form)
    assert answer.status_code == 409
    service.work()
    assert len(writes(filed)) == 1

    filed.settle()
    form = filed.sign_form()
    assert [filed.post("/sign", **form).status_code for _ in range(2)] == [303, 303]
    assert len(writes(filed)) == 2


def test_the_provenance_of_a_change_names_what_it_changes(service: Service, filed: OpenChart) -> None:
    """Who, which version, and no AI in what the clinician wrote."""
    add(filed)
    order = writes(filed)[1].queued
    with service.parts.database.read() as tx:
        provenance = json.loads(service.parts.artifacts.open(tx, filed.note().tenant_id, order.provenance))
    assert provenance["entity"][0]["role"] == "revision"
    assert {agent["who"]["reference"] for agent in provenance["agent"]} == {order.author}
