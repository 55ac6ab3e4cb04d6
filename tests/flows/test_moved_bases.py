"""An EHR that moved to another address: nothing meets the new one before an administrator says that it is the same."""

from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, update

from app.administrators.roles import Role
from app.cli.__main__ import countersign
from app.errors import AddressChanged, BadInput, Refused
from app.ids import LaunchId, TenantId
from app.notes.commands import Reason
from app.outbox.tables import outbox
from app.resuming import resume_parked
from app.tenants import moved_bases
from app.tenants.launches import find
from app.tenants.tables import grants, launches
from app.worker import sweep_once
from app.writebacks.endings import Person
from app.writebacks.state import Stage
from tests.flows.admin_browser import an_administrator, log_of
from tests.flows.test_following import as_it_was, edit, look, place
from tests.flows.test_reconciling import arm, our_notes, pass_time, provenances
from tests.service import TENANTS, OpenChart, Service

__all__ = ["as_it_was"]
pytestmark = pytest.mark.either_database
EHR, PATIENT = "reference", "Cho, Raymond"
TENANT = TENANTS[EHR]


def address(service: Service) -> str:
    return str(service.parts.tenants.require(TENANT).fhir_base)


def move(service: Service) -> str:
    """The same EHR under an address that is written in another way; returns the old one."""
    before = address(service)
    service.change_tenant(TENANT, fhir_base=before + "/")
    return before


def say_same(service: Service, fhir_base: str) -> None:
    tenant = service.parts.tenants.require(TENANT)
    service.parts.moved_bases.say_same(tenant, fhir_base, "The vendor's letter of May", "cli:test")


def signer_comes_back(service: Service) -> OpenChart:
    return service.open_chart(ehr=EHR, patient=PATIENT)


def stopped_for(chart: OpenChart) -> tuple[Any, str]:
    state = chart.writeback()
    return state.stage, state.parked_for


def test_what_was_not_sent_waits_for_an_administrators_word_and_then_for_its_signer(service: Service) -> None:
    """F45, A63, I6, I7: the words say both, and neither is enough without the other."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    before, notes = move(service), len(our_notes(service, EHR))
    service.work()
    assert stopped_for(chart) == (Stage.PARKED, "address_changed")
    assert "your administrator says that it is the same EHR" in chart.status()["html"].replace("\n", " ")

    signer_comes_back(service)
    service.work()
    assert stopped_for(chart) == (Stage.PARKED, "address_changed")

    say_same(service, before)
    service.work()
    assert chart.writeback().attempts == 0

    back = signer_comes_back(service)
    service.work()
    assert (chart.writeback().stage, chart.writeback().launch_id) == (Stage.VERIFIED, back.launch_id)
    assert len(our_notes(service, EHR)) == notes + 1


def test_what_had_arrived_at_the_old_address_is_found_at_the_new_one(service: Service) -> None:
    """F45, I1, I3: its answer was lost before the move."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    notes = len(our_notes(service, EHR))
    arm(service, EHR, "commit_then_500")
    service.work()
    assert chart.writeback().stage is Stage.OUTCOME_UNKNOWN
    say_same_and_return(service, move(service))
    pass_time(service, 6, seconds=60)

    assert (chart.writeback().stage, chart.writeback().attempts) == (Stage.VERIFIED, 1)
    assert len(our_notes(service, EHR)) == notes + 1


def test_what_is_not_found_at_the_new_address_is_never_sent_again_by_itself(service: Service) -> None:
    """F45, I3: what reached the old address need not have come along."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    notes = len(our_notes(service, EHR))
    arm(service, EHR, "answer_500")
    service.work()
    say_same_and_return(service, move(service))
    pass_time(service, 12, seconds=60)

    assert stopped_for(chart) == (Stage.PARKED, "unproven")
    assert (chart.writeback().attempts, len(our_notes(service, EHR))) == (1, notes)


def test_a_provenance_in_doubt_is_not_sent_again_at_the_new_address_either(service: Service) -> None:
    """F45, F29: the note stands; its Provenance stays here, and is said to be unclear."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    arm(service, EHR, "answer_500", resource_type="Provenance")
    service.work()
    assert (chart.writeback().stage, chart.writeback().provenance_unclear) == (Stage.VERIFIED, 1)
    before = provenances(service)
    say_same_and_return(service, move(service))
    pass_time(service, 6, seconds=60)

    assert (chart.writeback().stage, chart.writeback().provenance_settled) == (Stage.VERIFIED, True)
    assert provenances(service) == before


def say_same_and_return(service: Service, before: str) -> None:
    with service.parts.database.write() as tx:  # the EHR's clock, which checks the launch, does not run ahead
        tx.execute(update(outbox).where(outbox.c.due_at.isnot(None)).values(due_at=service.clock()))
    service.work()
    say_same(service, before)
    signer_comes_back(service)


def test_one_whose_access_had_ended_before_the_move_says_so_when_its_signer_returns(service: Service) -> None:
    """F45, I7: else its page would ask for the same sign-in for ever."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    service.end_tokens()
    service.work()
    assert stopped_for(chart) == (Stage.PARKED, "reauth")
    before = move(service)
    signer_comes_back(service)
    service.work()
    assert stopped_for(chart) == (Stage.PARKED, "address_changed")

    say_same(service, before)
    back = signer_comes_back(service)
    service.work()
    assert (chart.writeback().stage, chart.writeback().launch_id) == (Stage.VERIFIED, back.launch_id)


def test_the_signer_who_was_back_before_the_word_was_given_need_not_come_again(service: Service) -> None:
    """F45, I6: the launch that is open goes on with it at the next sweep after the word, and not before."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    before = move(service)
    service.work()
    service.clock.advance(seconds=1)
    back = signer_comes_back(service)
    sweep_once(service.parts)
    assert stopped_for(chart) == (Stage.PARKED, "address_changed")

    say_same(service, before)
    sweep_once(service.parts)
    service.work()

    assert (chart.writeback().stage, chart.writeback().launch_id) == (Stage.VERIFIED, back.launch_id)


def test_the_signer_who_was_back_before_the_word_was_given_has_it_looked_at_again(service: Service) -> None:
    """F45: by the page of what stopped; another person's launch never carries it (A63)."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    before = move(service)
    service.work()
    back = signer_comes_back(service)
    say_same(service, before)
    end = service.parts.stopped.end
    writeback_id, actor = chart.note().state.signed.writeback_id, back.launch().actor
    another = another_persons(service, back)
    for launch_id, stage in ((another, Stage.PARKED), (back.launch_id, Stage.VERIFIED)):
        given = {"actor": actor, "launch_id": LaunchId(launch_id)}
        end(TenantId(TENANT), writeback_id, "look_again", Person.SIGNER, **given)
        service.work()
        assert chart.writeback().stage is stage


@pytest.mark.usefixtures("as_it_was")
def test_what_waits_for_the_word_has_nothing_else_tried_at_every_sweep(service: Service) -> None:
    """F45, F20: a note of a later visit, whose own newest token was refused, waits for its signer alone."""
    first = service.signed(ehr=EHR, patient=PATIENT)
    move(service)
    service.work()
    service.clock.advance(seconds=1)
    second = service.signed(ehr=EHR, patient=PATIENT, encounter=another_visit(service, first))
    service.end_tokens()
    service.work()
    waits = [(Stage.PARKED, "address_changed"), (Stage.PARKED, "reauth")]
    assert [stopped_for(chart) for chart in (first, second)] == waits
    before = [chart.writeback().version for chart in (first, second)]

    for _ in range(3):
        sweep_once(service.parts)
        service.work()

    assert [chart.writeback().version for chart in (first, second)] == before


def another_visit(service: Service, chart: OpenChart) -> str:
    """A visit of the same patient beside that of the chart, opened again."""
    known = chart.launch().encounter
    visits = [
        one
        for one in service.ehr.qa(EHR, "resources/Encounter")
        if one["subject"]["reference"] == chart.launch().patient
    ]
    visit = next(one for one in visits if f"Encounter/{one['id']}" != known)
    service.ehr.edit(EHR, "Encounter", visit | {"status": "in-progress"})
    return str(visit["id"])


def another_persons(service: Service, chart: OpenChart) -> str:
    """Somebody else's launch in the same chart, at the same address."""
    with service.parts.database.write() as tx:
        for table in (launches, grants):
            row = tx.execute(table.select().where(table.c.launch_id == chart.launch_id)).mappings().one()
            tx.execute(insert(table).values(**(dict(row) | {"launch_id": "another"})))
        tx.execute(launches.update().where(launches.c.launch_id == "another").values(subject="another"))
        assert find(tx, "another").subject == "another"
    return "another"


def test_a_sign_in_by_another_issuer_carries_nothing(service: Service) -> None:
    """F45, A63, I7: nobody can tell that it is the same person; it stays, and operations read what to do."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    before = move(service)
    service.work()
    back = signer_comes_back(service).launch()
    say_same(service, before)
    resume_parked(service.parts, replace(back, issuer="https://sign-in.new.example"))
    assert stopped_for(chart) == (Stage.PARKED, "address_changed")
    assert "another issuer" in " ".join(an_administrator(service, Role.OPERATIONS).get("/ops/").text.split())

    resume_parked(service.parts, back)
    assert chart.writeback().stage is Stage.QUEUED


def test_what_was_filed_is_followed_and_corrected_at_the_new_address_only_after_the_word(service: Service) -> None:
    """F45, F28: the ids of the old address name something there only if it is the same EHR."""
    chart = service.signed(ehr=EHR, patient=PATIENT)
    service.work()
    before = move(service)
    back = signer_comes_back(service)
    edit(service, "edit_text", place(chart), text="Changed by a colleague.")
    assert look(service) == 0
    asked = {"reason": Reason.DUPLICATE, "patient": back.launch().patient}
    page = f"/note/retract/{chart.note().state.signed.writeback_id}"
    assert back.post(page, **asked).status_code == AddressChanged.status
    assert chart.writeback().stage is Stage.VERIFIED

    say_same(service, before)
    assert back.post(page, **asked).status_code == Refused.status  # it was read: a person changed it
    look(service)
    assert chart.writeback().stage is Stage.OVERRIDDEN


def test_the_word_holds_for_two_addresses_and_for_what_became_of_them(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F45: the next move is asked about again; an address that this tenant never had is a mistake."""
    service.open_chart(ehr=EHR, patient=PATIENT)
    first = move(service)
    tenants, database = service.parts.tenants, service.parts.database
    for wrong in ("https://elsewhere.example/fhir", address(service)):
        with pytest.raises(BadInput):
            say_same(service, wrong)
    say_same(service, first)
    service.open_chart(ehr=EHR, patient=PATIENT)
    second = move(service)
    with database.read() as tx:
        assert not moved_bases.is_same_ehr(tx, tenants.require(TENANT), first)
        assert moved_bases.unexplained(tx, tenants.require(TENANT)) == (first, second)
    monkeypatch.setattr("app.cli.tenant_switches.wired", lambda: service.parts)
    said = CliRunner().invoke(countersign, ["tenant", "moved", TENANT, second, "--reason", "Its vendor says so"])
    assert said.stdout == f"{second} is the same EHR as {address(service)}.\n"
    with database.read() as tx:
        assert moved_bases.is_same_ehr(tx, tenants.require(TENANT), first)
        assert moved_bases.unexplained(tx, tenants.require(TENANT)) == ()


def test_an_administrator_says_so_on_the_tenants_page_and_the_log_holds_who_and_why(service: Service) -> None:
    """F45, E30."""
    service.open_chart(ehr=EHR, patient=PATIENT)
    page = f"/admin/tenants/{TENANT}"
    dana = an_administrator(service, Role.IT_ADMIN)
    assert "Another address" not in dana.get(page).text
    before = move(service)
    assert f"<code>{before}</code>" in dana.get(page).text
    assert "It is the same EHR" not in an_administrator(service, Role.OPERATIONS).get(page).text

    assert dana.post(f"{page}/moved", {"fhir_base": before, "reason": " "}).status_code == BadInput.status
    said = dana.post(f"{page}/moved", {"fhir_base": before, "reason": "The vendor's letter of May"})
    assert said.status_code == 303
    shown = dana.get(said.location).text
    assert "Another address" not in shown
    assert "The vendor&#39;s letter of May" in shown
    last = log_of(service, TENANT)[-1]
    assert (last.event.tag, last.actor) == ("tenant:moved", dana.account.actor if dana.account else "")
