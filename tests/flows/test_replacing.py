"""A correction that replaces the note: if the EHR goes on showing the earlier version, its signer is told."""

from datetime import timedelta
from typing import Any

import pytest

from app.ids import WritebackId
from app.reconciliation.followed import look_soon
from app.reconciliation.following import GIVEN_TO_THE_EHR
from app.writebacks.endings import Person
from app.writebacks.state import Stage
from tests.flows.test_changing import correct, filed, in_chart, replays_to_the_byte, retract, writes
from tests.flows.test_following import look
from tests.flows.test_lost_identifiers import as_it_was, count, filed_and_forgotten
from tests.flows.test_reconciling import arm, pass_time
from tests.service import TENANTS, OpenChart, Service
from vendors.errors import NotAuthorized

pytestmark = [pytest.mark.either_database, pytest.mark.usefixtures("as_it_was")]
__all__ = ["as_it_was", "filed"]
EHR = "reference"


def corrected(service: Service, chart: OpenChart, *faults: str) -> None:
    """The EHR takes the correction and goes on showing what it replaces; then both are looked at."""
    for fault in ("replaces_ignored", *faults):
        arm(service, EHR, fault)
    correct(chart)
    pass_time(service, 3, seconds=61)
    look(service)


def end(chart: OpenChart, version: int, ending: str) -> None:
    launch, which = chart.launch(), chart.note().state.signatures[version].writeback_id
    stopped = chart.service.parts.stopped
    stopped.end(launch.tenant_id, which, ending, Person.SIGNER, actor=launch.actor)


def refuse_to_read(service: Service, monkeypatch: pytest.MonkeyPatch, resource_id: str | None) -> None:
    """The EHR lets nobody read this one document."""
    adapter = service.parts.ehrs.adapter(TENANTS[EHR])
    read = adapter.read_note

    def refused(transport: Any, which: str) -> Any:
        if which == resource_id:
            raise NotAuthorized("Reference", "read", status=403)
        return read(transport, which)

    monkeypatch.setattr(adapter, "read_note", refused)


def test_an_earlier_version_that_the_ehr_still_shows_as_current_is_put_before_its_signer(
    service: Service, filed: OpenChart
) -> None:
    """C36, I1: two that contradict each other count in the chart, and whoever opens the first is not told."""
    corrected(service, filed)

    first, second = writes(filed)
    assert in_chart(filed, first)["status"] == in_chart(filed, second)["status"] == "current"
    assert (second.stage, first.stage, first.change_there) == (Stage.VERIFIED, Stage.OVERRIDDEN, "left_current")
    note = filed.get("/note").text
    assert "An earlier version waits for you" in note
    assert "still shown as current beside a later version" in note
    assert "changed there by a person" not in note
    page = filed.get("/note/stopped").text
    for words in ("Version 1 of your note", "still shows this one as current", "mark this one in", "It may stay as it"):
        assert words in page


def test_the_ehr_is_given_a_while_to_mark_what_was_replaced(service: Service, filed: OpenChart) -> None:
    """I7: an EHR may do so a moment later; its signer is not told what is over before they could look."""
    arm(service, EHR, "replaces_ignored")
    correct(filed)
    service.work()
    assert service.parts.following.sweep() == 0
    mark_as_replaced(service, filed)

    service.clock.advance(seconds=GIVEN_TO_THE_EHR.total_seconds() + 1)
    assert service.parts.following.sweep() > 0
    service.clock.advance(seconds=timedelta(days=3).total_seconds())
    service.parts.following.sweep()

    assert [one.stage for one in writes(filed)] == [Stage.SUPERSEDED, Stage.VERIFIED]


def test_whoever_looks_while_it_is_replaced_does_not_put_the_look_off_for_a_month(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: the answer of a look that had begun before is about what was before."""
    arm(service, EHR, "replaces_ignored")
    following = service.parts.following
    ask, original = following._ask, WritebackId(filed.note().state.signed.writeback_id)

    def replaced_meanwhile(row: Any, state: Any) -> Any:
        answer = ask(row, state)
        with service.parts.database.write() as tx:
            look_soon(tx, original, service.clock())
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(following, "_ask", replaced_meanwhile)
        look(service)

    assert service.parts.following.sweep() > 0  # at once, and not in the time that an unchanged note is given


def mark_as_replaced(service: Service, chart: OpenChart) -> None:
    service.ehr.edit(EHR, "DocumentReference", {**in_chart(chart, writes(chart)[0]), "status": "superseded"})


def test_looking_again_does_not_call_it_restored_while_both_still_count(service: Service, filed: OpenChart) -> None:
    """I7: that it is as it was is what is wrong with it."""
    corrected(service, filed)

    assert look(service) > 0

    assert writes(filed)[0].change_there == "left_current"


def test_it_is_over_when_it_is_marked_as_replaced_there(service: Service, filed: OpenChart) -> None:
    """I7: its signer did as the page says, and is asked nothing more."""
    corrected(service, filed)
    mark_as_replaced(service, filed)

    look(service)

    assert [one.stage for one in writes(filed)] == [Stage.SUPERSEDED, Stage.VERIFIED]
    assert "Nothing of this note waits for you" in filed.get("/note/stopped").text


def test_its_signer_may_let_it_stay(service: Service, filed: OpenChart) -> None:
    """I7."""
    corrected(service, filed)

    end(filed, 0, "accept")
    look(service)

    assert [one.stage for one in writes(filed)] == [Stage.SETTLED, Stage.VERIFIED]


def test_its_signer_may_retract_it(service: Service, filed: OpenChart) -> None:
    """C36, F41: it is what they filed, untouched, and this is the one thing that Countersign can do about it."""
    corrected(service, filed)
    first = filed.note().state.signatures[0].writeback_id
    link = f"/note/retract/{first}"
    assert link in filed.get("/note").text

    answer = filed.post(link, reason="duplicate", patient=filed.launch().patient)
    assert answer.status_code == 303, answer.text
    pass_time(service, 3, seconds=31)

    assert in_chart(filed, writes(filed)[0])["status"] == "entered-in-error"
    assert in_chart(filed, writes(filed)[1])["status"] == "current"
    assert writes(filed)[0].stage is Stage.SUPERSEDED
    assert replays_to_the_byte(service)


def test_what_is_said_of_it_is_true_also_after_the_later_version_was_retracted(
    service: Service, filed: OpenChart
) -> None:
    """I7."""
    corrected(service, filed)
    arm(service, EHR, "replaces_ignored", interaction="update", times=5)
    assert retract(filed).status_code == 303
    pass_time(service, 3, seconds=31)
    look(service)

    assert in_chart(filed, writes(filed)[0])["status"] == "current"
    page = filed.get("/note/stopped").text
    assert "still shows this one as current" in page
    assert "version counts" not in page.replace("Which version counts?", "")
    link = f"/note/retract/{filed.note().state.signatures[0].writeback_id}"
    assert link in filed.get("/note").text
    assert filed.post(link, reason="mistake", patient=filed.launch().patient).status_code == 303
    pass_time(service, 3, seconds=31)
    assert in_chart(filed, writes(filed)[0])["status"] == "entered-in-error"


def test_a_third_version_replaces_the_second_and_leaves_the_first_to_its_signer(
    service: Service, filed: OpenChart
) -> None:
    """C36, F41."""
    corrected(service, filed)
    correct(filed, "Cough for seven weeks, dry.")
    pass_time(service, 3, seconds=61)
    look(service)

    first, second, third = writes(filed)
    assert first.is_left_current
    assert (second.stage, third.stage) == (Stage.SUPERSEDED, Stage.VERIFIED)
    assert [in_chart(filed, one)["status"] for one in (first, second, third)] == ["current", "superseded", "current"]


def test_it_waits_where_its_ehr_lets_nobody_read_it(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: and is told as soon as somebody may."""
    first = writes(filed)[0]
    with monkeypatch.context() as patched:
        refuse_to_read(service, patched, first.resource_id)
        corrected(service, filed)
        assert writes(filed)[0].stage is Stage.SUPERSEDED

    look(service)

    assert writes(filed)[0].is_left_current


def test_what_a_person_did_to_it_is_not_called_nobodys_doing(service: Service, filed: OpenChart) -> None:
    """F43: it was moved into another chart before the look; that is told, and not that the EHR left it as it was."""
    first = writes(filed)[0]
    other = next(
        one["id"] for one in service.ehr.qa(EHR, "resources/Patient") if f"Patient/{one['id']}" != first.queued.patient
    )
    arm(service, EHR, "replaces_ignored")
    correct(filed)
    service.work()
    there = {name: value for name, value in in_chart(filed, first).items() if name != "_sandbox"}
    service.ehr.edit(EHR, "DocumentReference", {**there, "subject": {"reference": f"Patient/{other}"}})

    for _ in range(3):
        pass_time(service, 1, seconds=121)
        look(service)

    assert writes(filed)[0].change_there == "moved"


def test_a_correction_of_what_lost_our_identifier_leaves_no_two_current_notes_unsaid(service: Service) -> None:
    """F25, C36, I1: signed before the first was filed, it names that one by the identifier that the EHR dropped."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    correct(chart)
    arm(service, EHR, "drop_identifier")
    pass_time(service, 6, seconds=31)
    look(service)

    first, second = writes(chart)
    assert (second.stage, first.stage, first.change_there) == (Stage.VERIFIED, Stage.OVERRIDDEN, "left_current")


def test_a_correction_that_was_stored_otherwise_and_is_accepted_leaves_none_either(
    service: Service, filed: OpenChart
) -> None:
    """C36, I1."""
    corrected(service, filed, "rewrite_text")
    assert [one.stage for one in writes(filed)] == [Stage.VERIFIED, Stage.DRIFTED]

    end(filed, 1, "accept")
    pass_time(service, 1, seconds=121)
    look(service)

    assert writes(filed)[0].is_left_current


def test_that_the_earlier_version_cannot_be_read_holds_nothing_of_the_correction_up(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4, I7: it was read and is what was signed."""
    refuse_to_read(service, monkeypatch, writes(filed)[0].resource_id)
    correct(filed)
    pass_time(service, 3, seconds=31)
    look(service)

    assert [one.stage for one in writes(filed)] == [Stage.SUPERSEDED, Stage.VERIFIED]
    assert writes(filed)[1].provenance_settled


def test_a_lost_identifier_is_remembered_though_the_earlier_version_cannot_be_read(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F25, I1, I3."""
    refuse_to_read(service, monkeypatch, writes(filed)[0].resource_id)
    arm(service, EHR, "drop_identifier")
    correct(filed)
    service.work()
    notes = count(service)
    chart = filed_and_forgotten(service, monkeypatch, "rewrite_text")

    pass_time(service, 12, seconds=31)

    assert count(service) == notes + 1
    assert (chart.writeback().parked_for, chart.writeback().attempts) == ("unproven", 1)
