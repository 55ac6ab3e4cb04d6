"""Rollout phases and kill switches, from the sign page to the worker."""

import pytest

from app.errors import BadInput
from app.notes.chart_index import note_of
from app.notes.reading import load_state
from app.tenants import launches
from app.tenants.registrations import Phase
from app.worker import resume_switched_on, sweep_once
from app.writebacks.handlers import load
from tests.flows.conftest import Clinic
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database

NOTE, PROVENANCE = "DocumentReference", "Provenance"


def set_phase(service: Service, phase: str, tenant: str = "harbor-epic") -> None:
    service.parts.rollout.change(service.parts.tenants.require(tenant), "primary-care", phase, "admin:1")


def turn(service: Service, *, off: bool, workflow: str = "", resource: str = "", tenant: str = "harbor-epic") -> None:
    switches, registered = service.parts.switches, service.parts.tenants.require(tenant)
    (switches.turn_off if off else switches.turn_on)(registered, workflow, resource, "a drill", "admin:1")


def ready_to_sign(service: Service, **kwargs: str) -> OpenChart:
    chart = service.drafted(**kwargs)
    chart.settle()
    return chart


def reading_and_writing(service: Service, ehr: str = "epic") -> tuple[int, int]:
    return len(service.ehr.qa(ehr, "requests")), len(service.ehr.qa(ehr, "writes"))


def sweep(service: Service) -> None:
    """What the sweeper does: twice, as the first brings the read models up to date."""
    sweep_once(service.parts)
    sweep_once(service.parts)


def test_where_charts_are_only_read_nothing_is_drafted_and_the_page_says_so(service: Service) -> None:
    set_phase(service, "read_only")
    service.parts.rollout.change(service.parts.tenants.require("harbor-epic"), "emergency", "read_only", "admin:1")
    chart = service.open_chart()
    read = len([one for one in service.ehr.qa("epic", "requests") if one["interaction"] == "search"])

    answer = chart.draft()

    assert answer.status_code == 403
    assert "only read charts" in answer.text
    assert "data-start-at-once" not in answer.text
    assert len([one for one in service.ehr.qa("epic", "requests") if one["interaction"] == "search"]) == read


def test_where_only_this_visits_workflow_is_read_only_nothing_is_drafted_either(service: Service) -> None:
    set_phase(service, "read_only")
    chart = service.open_chart()
    assert chart.draft().status_code == 403
    assert service.parts.notes.find(chart.launch()) is None


def test_a_draft_from_before_is_not_signed_once_charts_are_only_read(service: Service) -> None:
    chart = ready_to_sign(service)
    set_phase(service, "read_only")
    answer = chart.sign()
    assert answer.status_code == 409
    assert "only read charts" in answer.text


@pytest.mark.parametrize("how", ["draft_only", "tenant", "workflow", "resource"])
def test_while_filing_is_off_a_signed_note_is_handed_over_for_copying(service: Service, how: str) -> None:
    """E24."""
    if how == "draft_only":
        set_phase(service, "draft_only")
    else:
        workflow = "primary-care" if how == "workflow" else ""
        turn(service, off=True, workflow=workflow, resource=NOTE if how == "resource" else "")
    chart = ready_to_sign(service)
    _, written = reading_and_writing(service)

    page = chart.get("/sign").text
    assert "you will copy the signed note" in page
    assert chart.sign().status_code == 303
    service.work()

    assert chart.writeback().stage == "awaiting_copy"
    assert chart.writeback().order.reasons == ("draft_only" if how == "draft_only" else "switched_off",)
    assert reading_and_writing(service)[1] == written


def test_a_switch_of_another_workflow_or_resource_or_tenant_changes_nothing_here(service: Service) -> None:
    """E24."""
    turn(service, off=True, workflow="emergency")
    turn(service, off=True, tenant="lakeside-athenaone")
    turn(service, off=True, tenant="reference-hospital")
    chart = service.signed()
    service.work()
    assert chart.writeback().stage == "verified"


def test_what_was_displayed_before_a_switch_was_turned_cannot_be_signed_after_it(service: Service) -> None:
    chart = ready_to_sign(service)
    form = chart.sign_form()
    turn(service, off=True)

    answer = chart.post("/sign", **form)

    assert answer.status_code == 409
    assert chart.note().state.signed is None
    assert chart.sign().status_code == 303
    assert chart.writeback().stage == "awaiting_copy"


@pytest.mark.parametrize("how", ["tenant", "workflow", "resource", "phase"])
def test_a_note_signed_before_waits_while_filing_is_off_and_goes_on_by_itself(service: Service, how: str) -> None:
    """E24."""
    chart = service.signed()
    written = len(service.ehr.qa("epic", "writes"))
    scope = {"workflow": "primary-care"} if how == "workflow" else {"resource": NOTE} if how == "resource" else {}
    if how == "phase":
        set_phase(service, "draft_only")
    else:
        turn(service, off=True, **scope)

    service.work()

    assert (chart.writeback().stage, chart.writeback().parked_for) == ("parked", "switched_off")
    assert len(service.ehr.qa("epic", "writes")) == written
    assert "switched off" in chart.status()["html"]
    sweep(service)
    service.work()
    assert chart.writeback().stage == "parked"

    if how == "phase":
        set_phase(service, "full")
    else:
        turn(service, off=False, **scope)
    sweep(service)
    service.work()

    assert chart.writeback().stage == "verified"


def test_taking_one_switch_away_leaves_the_others(service: Service) -> None:
    chart = service.signed()
    turn(service, off=True)
    turn(service, off=True, workflow="primary-care")
    service.work()
    turn(service, off=False)
    sweep(service)
    service.work()
    assert chart.writeback().parked_for == "switched_off"
    turn(service, off=False, workflow="primary-care")
    sweep(service)
    service.work()
    assert chart.writeback().stage == "verified"


def test_a_write_in_doubt_is_still_looked_for_while_filing_is_off(service: Service) -> None:
    """Reading is not a write: what may stand in the chart must be found."""
    chart = service.signed()
    service.ehr.arm("epic", interaction="create", fault="commit_then_drop")
    turn(service, off=True, resource=PROVENANCE)
    before = len(service.ehr.qa("epic", "writes"))
    service.work()
    assert len(service.ehr.qa("epic", "writes")) == before + 1
    turn(service, off=True)

    for _ in range(4):
        service.clock.advance(seconds=150)
        service.work()

    assert chart.writeback().resource_id
    assert len(service.ehr.qa("epic", "writes")) == before + 1


def test_a_note_whose_absence_was_proven_is_not_sent_again_while_filing_is_off(service: Service) -> None:
    chart = service.signed(ehr="reference")
    service.ehr.arm("reference", interaction="create", fault="drop_connection")
    service.work()
    assert chart.writeback().stage == "outcome_unknown"
    turn(service, off=True, tenant="reference-hospital")
    written = len(service.ehr.qa("reference", "writes"))

    for _ in range(8):
        service.clock.advance(seconds=100)
        service.work()

    assert chart.writeback().parked_for == "switched_off"
    assert len(service.ehr.qa("reference", "writes")) == written


def test_the_provenance_waits_by_itself(service: Service) -> None:
    chart = service.signed(ehr="reference")
    turn(service, off=True, resource=PROVENANCE, tenant="reference-hospital")
    service.work()

    state = chart.writeback()
    assert (state.stage, state.parked_from, state.parked_for) == ("parked", "verified", "switched_off")
    assert "In the chart" in chart.status()["html"]
    assert "Provenance is still to be filed" in chart.status()["html"]

    turn(service, off=False, resource=PROVENANCE, tenant="reference-hospital")
    sweep(service)
    service.work()
    assert chart.writeback().provenance_settled


def test_at_low_risk_a_note_is_filed_as_preliminary_whatever_the_organisation_chose(service: Service) -> None:
    set_phase(service, "low_risk")
    chart = ready_to_sign(service)
    assert "filed unsigned" in chart.get("/sign").text
    assert chart.sign().status_code == 303
    service.work()

    assert chart.writeback().stage == "verified"
    stored = service.ehr.qa("epic", "resources/DocumentReference")
    ours = next(one for one in stored if one["id"] == chart.writeback().resource_id)
    assert ours["docStatus"] == "preliminary"


def test_a_note_signed_as_final_does_not_leave_a_workflow_that_was_set_back_to_low_risk(service: Service) -> None:
    final = service.signed()
    set_phase(service, "low_risk")
    preliminary = service.signed(patient="Cho, Raymond")
    service.work()

    assert final.writeback().parked_for == "switched_off"
    assert preliminary.writeback().stage == "verified"
    set_phase(service, "full")
    sweep(service)
    service.work()
    assert final.writeback().stage == "verified"


def test_a_retired_tenants_notes_stay_here(clinic: Clinic) -> None:
    """E24."""
    clinic.register()
    clinic.tell_the_ehr()
    chart = clinic.open_chart()
    chart.draft()
    chart.settle()
    assert chart.sign().status_code == 303
    written = len(clinic.service.ehr.qa("reference", "writes"))

    clinic.service.parts.registering.retire(clinic.tenant_id, "cli:test")
    clinic.service.work()

    with clinic.service.parts.database.read() as tx:
        launch = launches.find(tx, chart.launch_id)
        signed = load_state(tx, launch.tenant_id, note_of(tx, launch)).signed
        assert load(tx, launch.tenant_id, signed.writeback_id).parked_for == "switched_off"
    sweep(clinic.service)
    assert resume_switched_on(clinic.service.parts) == 0
    assert len(clinic.service.ehr.qa("reference", "writes")) == written


@pytest.mark.parametrize(
    ("workflow", "resource", "reason"), [("surgery", "", "x"), ("", "Patient", "x"), ("", "", " "), ("", "", "x" * 501)]
)
def test_a_switch_that_is_not_there_or_has_no_reason_is_refused(
    service: Service, workflow: str, resource: str, reason: str
) -> None:
    tenant = service.parts.tenants.require("harbor-epic")
    with pytest.raises(BadInput):
        service.parts.switches.turn_off(tenant, workflow, resource, reason, "admin:1")
    with pytest.raises(BadInput):
        service.parts.rollout.change(tenant, "surgery", Phase.FULL, "admin:1")
    with pytest.raises(BadInput):
        service.parts.rollout.change(tenant, "primary-care", "someday", "admin:1")
