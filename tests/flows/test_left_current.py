"""An earlier version that still counts beside its correction: by every way there, and through whatever comes then."""

from typing import Any

import pytest

from app.writebacks.endings import Person
from app.writebacks.state import Stage
from tests.flows.test_changing import correct, filed, in_chart, retract, writes
from tests.flows.test_doubled import chart as sent_twice
from tests.flows.test_doubled import other_copy
from tests.flows.test_following import look
from tests.flows.test_lost_identifiers import as_it_was
from tests.flows.test_reconciling import arm, pass_time
from tests.flows.test_replacing import EHR, corrected, end, mark_as_replaced
from tests.service import TENANTS, OpenChart, Service
from vendors.errors import NotFound

pytestmark = [pytest.mark.either_database, pytest.mark.usefixtures("as_it_was")]
__all__ = ["as_it_was", "filed", "sent_twice"]


def place_of(chart: OpenChart, version: int) -> str:
    return f"DocumentReference/{writes(chart)[version].resource_id}"


def version_in_chart(chart: OpenChart, version: int) -> int:
    return int(in_chart(chart, writes(chart)[version])["meta"]["versionId"])


def body_in_chart(chart: OpenChart, version: int) -> dict[str, Any]:
    return {name: value for name, value in in_chart(chart, writes(chart)[version]).items() if name != "_sandbox"}


def look_for_a_while(service: Service) -> None:
    """The EHR has had its time, and whatever is asked twice was asked twice."""
    for _ in range(4):
        look(service)
        pass_time(service, 1, seconds=121)


def both_are_current(chart: OpenChart) -> bool:
    return all(in_chart(chart, one)["status"] == "current" for one in writes(chart)[:2])


def retract_the_first(chart: OpenChart) -> None:
    first = chart.note().state.signatures[0].writeback_id
    answer = chart.post(f"/note/retract/{first}", reason="mistake", patient=chart.launch().patient)
    assert answer.status_code == 303, answer.text


def end_retraction(chart: OpenChart, ending: str) -> None:
    launch, which = chart.launch(), chart.note().state.retractions[-1].writeback_id
    chart.service.parts.stopped.end(launch.tenant_id, which, ending, Person.SIGNER, actor=launch.actor)


def touch(service: Service, chart: OpenChart) -> None:
    """Somebody changes what the signature says nothing of: what is to change it by version meets a conflict."""
    service.ehr.edit(EHR, "DocumentReference", {**body_in_chart(chart, 0), "description": "touched"})


def hide_the_first(service: Service, chart: OpenChart, monkeypatch: pytest.MonkeyPatch) -> None:
    """The EHR answers 404 for it."""
    adapter, first = service.parts.ehrs.adapter(TENANTS[EHR]), writes(chart)[0]
    read = adapter.read_note

    def not_now(transport: Any, which: str) -> Any:
        if which == first.resource_id:
            raise NotFound("Reference", "read", status=404)
        return read(transport, which)

    monkeypatch.setattr(adapter, "read_note", not_now)


def test_one_answer_of_not_found_does_not_end_the_following_of_it(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F44: an EHR may have a bad moment."""
    arm(service, EHR, "replaces_ignored")
    correct(filed)
    pass_time(service, 3, seconds=61)
    with monkeypatch.context() as patched:
        hide_the_first(service, filed, patched)
        look(service)
    assert writes(filed)[0].stage is Stage.SUPERSEDED

    look_for_a_while(service)

    assert both_are_current(filed)
    assert writes(filed)[0].is_left_current


def test_it_is_followed_also_after_the_ehr_had_marked_it(service: Service, filed: OpenChart) -> None:
    """I7: marked as replaced is not for ever; somebody there may take the mark off."""
    correct(filed)
    look_for_a_while(service)
    assert writes(filed)[0].stage is Stage.SUPERSEDED
    service.ehr.edit(EHR, "DocumentReference", {**body_in_chart(filed, 0), "status": "current"})

    look_for_a_while(service)

    assert writes(filed)[0].is_left_current


@pytest.mark.parametrize("detour", ["edit_text", "delete"])
def test_what_was_done_to_it_and_undone_leaves_it_current_and_never_restored(
    service: Service, filed: OpenChart, detour: str
) -> None:
    """F28, I7: that it is as it was filed is what is wrong with it."""
    corrected(service, filed)
    there = version_in_chart(filed, 0)
    service.ehr.act(EHR, detour, resource=place_of(filed, 0), **({"text": "Other."} if detour == "edit_text" else {}))
    look_for_a_while(service)
    assert not writes(filed)[0].is_left_current
    service.ehr.act(EHR, "restore", resource=place_of(filed, 0), version=there)

    look_for_a_while(service)

    assert both_are_current(filed)
    assert writes(filed)[0].is_left_current
    mark_as_replaced(service, filed)
    look_for_a_while(service)
    assert writes(filed)[0].stage is Stage.SUPERSEDED


def test_what_went_missing_and_is_found_is_left_current_again(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F44, I7."""
    corrected(service, filed)
    with monkeypatch.context() as patched:
        hide_the_first(service, filed, patched)
        look_for_a_while(service)
        assert writes(filed)[0].stage is Stage.MISSING

    look_for_a_while(service)

    assert writes(filed)[0].is_left_current


def test_what_was_edited_and_then_marked_as_replaced_is_over(service: Service, filed: OpenChart) -> None:
    """I7."""
    corrected(service, filed)
    there = body_in_chart(filed, 0)
    service.ehr.act(EHR, "edit_text", resource=place_of(filed, 0), text="Other.")
    look_for_a_while(service)
    service.ehr.edit(EHR, "DocumentReference", {**there, "status": "superseded"})

    look_for_a_while(service)

    assert writes(filed)[0].stage is Stage.SUPERSEDED


def test_a_second_copy_of_what_was_replaced_is_told_until_it_is_marked_too(
    service: Service, sent_twice: OpenChart
) -> None:
    """F27, C36, I1: the EHR marks the copy that the correction names; the other one goes on counting beside it."""
    other = other_copy(service, sent_twice)
    correct(sent_twice)
    pass_time(service, 3, seconds=61)
    look_for_a_while(service)
    first, second = writes(sent_twice)
    stored = {one["id"]: one for one in service.ehr.qa(EHR, "resources/DocumentReference")}
    standing = [stored[str(one)]["status"] for one in (first.resource_id, other, second.resource_id)]
    assert standing == ["superseded", "current", "current"]
    assert first.change_there == "doubled"

    left = {name: value for name, value in stored[other].items() if name != "_sandbox"}
    service.ehr.edit(EHR, "DocumentReference", {**left, "status": "superseded"})
    look_for_a_while(service)

    assert writes(sent_twice)[0].stage is Stage.SUPERSEDED


def test_a_correction_that_was_stored_otherwise_and_comes_right_takes_its_place(
    service: Service, filed: OpenChart
) -> None:
    """C36, I1: it is found as signed by following, and not by the worker that filed it."""
    corrected(service, filed, "change_type")
    assert [one.stage for one in writes(filed)] == [Stage.VERIFIED, Stage.DRIFTED]
    service.ehr.edit(EHR, "DocumentReference", {**body_in_chart(filed, 1), "type": body_in_chart(filed, 0)["type"]})
    end(filed, 1, "look_again")

    look_for_a_while(service)

    assert writes(filed)[1].stage is Stage.VERIFIED
    assert both_are_current(filed)
    assert writes(filed)[0].is_left_current


def test_a_correction_that_was_edited_there_and_is_accepted_takes_its_place(service: Service, filed: OpenChart) -> None:
    """C36, I1."""
    corrected(service, filed, "rewrite_text")
    service.ehr.act(EHR, "edit_text", resource=place_of(filed, 1), text="What the clinician really wants there.")
    look(service)
    assert writes(filed)[1].stage is Stage.OVERRIDDEN
    end(filed, 1, "accept")

    look_for_a_while(service)

    assert both_are_current(filed)
    assert writes(filed)[0].is_left_current


def test_a_correction_that_was_deleted_there_takes_no_ones_place(service: Service, filed: OpenChart) -> None:
    """I7: its signer accepts that it is gone; what it was to replace is the note."""
    corrected(service, filed, "rewrite_text")
    service.ehr.act(EHR, "delete", resource=place_of(filed, 1))
    look(service)
    assert writes(filed)[1].change_there == "deleted"
    end(filed, 1, "accept")

    look_for_a_while(service)

    assert writes(filed)[0].stage is Stage.VERIFIED


def test_a_correction_in_doubt_that_was_copied_by_hand_takes_its_place(service: Service, filed: OpenChart) -> None:
    """C36, I1: by its signer's word it stands there, as after 'It is in the chart'."""
    arm(service, EHR, "answer_202")
    correct(filed)
    pass_time(service, 12, seconds=61)
    assert writes(filed)[1].parked_for == "unproven"
    end(filed, 1, "copy")

    look_for_a_while(service)

    assert writes(filed)[0].is_left_current


def test_a_note_of_which_the_earlier_version_alone_was_retracted_is_not_called_retracted(
    service: Service, filed: OpenChart
) -> None:
    """I7: the corrected version is current in the chart."""
    corrected(service, filed)
    retract_the_first(filed)
    on_its_way = filed.get("/note/status").json
    assert (on_its_way["settled"], "An earlier version waits" in on_its_way["html"]) == (False, False)
    pass_time(service, 3, seconds=31)
    assert in_chart(filed, writes(filed)[1])["status"] == "current"

    status = filed.get("/note/status").json

    assert status["settled"]
    assert "retracted by you" not in status["place"]
    assert "retracted by you" in status["versions"]
    assert "Retracted. The note is marked" not in status["html"]


def test_it_cannot_stay_as_it_is_while_its_retraction_is_on_its_way(service: Service, filed: OpenChart) -> None:
    """I7: retracted in one window, let stay in the other; the one that is refused says why."""
    corrected(service, filed)
    retract_the_first(filed)
    first = filed.note().state.signatures[0].writeback_id

    answer = filed.post(f"/note/stopped/{first}", ending="accept")

    assert (answer.status_code, "change of yours is on its way" in answer.text) == (400, True)
    pass_time(service, 3, seconds=31)
    assert in_chart(filed, writes(filed)[0])["status"] == "entered-in-error"


@pytest.mark.parametrize("of", ["the note", "the earlier version"])
def test_a_retraction_that_was_given_up_is_not_called_one(service: Service, filed: OpenChart, of: str) -> None:
    """I7: what stands in the chart stands there."""
    if of == "the note":
        assert retract(filed).status_code == 303
    else:
        corrected(service, filed)
        retract_the_first(filed)
    touch(service, filed)
    pass_time(service, 3, seconds=31)
    assert writes(filed)[-1].parked_for == "conflict"
    end_retraction(filed, "abandon")

    status = filed.get("/note/status").json

    assert in_chart(filed, writes(filed)[0])["status"] == "current"
    assert "retracted" not in status["place"]
    assert "etraction" not in status["html"]
    assert "You retracted" not in status["html"]


def test_a_retraction_that_did_not_hold_and_was_accepted_so_can_be_done_again(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: a colleague undid it before it was read back, and its signer says that what stands there is right."""
    adapter = service.parts.ehrs.adapter(TENANTS[EHR])
    send, before = adapter.send, version_in_chart(filed, 0)

    def undone(*args: Any, **more: Any) -> Any:
        receipt = send(*args, **more)
        service.ehr.act(EHR, "restore", resource=place_of(filed, 0), version=before)
        return receipt

    assert retract(filed).status_code == 303
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "send", undone)
        pass_time(service, 2, seconds=31)
    assert writes(filed)[1].stage is Stage.DRIFTED
    end_retraction(filed, "accept")
    look(service)

    assert in_chart(filed, writes(filed)[0])["status"] == "current"
    assert "retracted" not in filed.get("/note/status").json["place"]
    assert "Retract it" in filed.get("/note").text


def test_what_is_advised_is_right_also_where_the_later_version_was_deleted(service: Service, filed: OpenChart) -> None:
    """I7: then the earlier one may be the note."""
    corrected(service, filed)
    service.ehr.act(EHR, "delete", resource=place_of(filed, 1))
    look_for_a_while(service)
    assert writes(filed)[1].change_there == "deleted"

    page = filed.get("/note/stopped").text

    assert "does not count any more" not in page
    assert "If the later version stands in the chart" in page
