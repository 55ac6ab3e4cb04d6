"""An EHR that does not keep our identifier: its notes are known by their words, and none is sent again by itself."""

import json
from datetime import timedelta
from typing import Any

import pytest

from app.errors import Refused
from app.notes.commands import BeginAmendment, Kind, Reason
from app.projections.follower import catch_up
from app.tenants import habits
from app.tenants.habits import Habit, Seen
from app.worker import resume_switched_on
from app.writebacks.endings import Person
from app.writebacks.state import Stage
from sandbox.qa.stored_text import REWRITES, rewritten
from tests.flows.test_failures import after
from tests.flows.test_following import post_behind_our_back
from tests.flows.test_reconciling import arm, pass_time, tags
from tests.service import TENANTS, OpenChart, Service

pytestmark = pytest.mark.either_database
EHR, NOTES = "reference", "resources/DocumentReference"


def count(service: Service, what: str = NOTES) -> int:
    return len(service.ehr.qa(EHR, what))


def filed_and_forgotten(service: Service, monkeypatch: pytest.MonkeyPatch, rewrite: str = "") -> OpenChart:
    """A note that the EHR stored without our identifier, perhaps rewritten, and whose answer nobody here read."""
    before = {one["id"] for one in service.ehr.qa(EHR, NOTES)}
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    adapter = service.parts.ehrs.adapter(TENANTS[EHR])
    arm(service, EHR, "drop_identifier")
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "send", after(adapter.send))
        with pytest.raises(SystemExit):
            service.work()
    if rewrite:
        stored = next(one for one in service.ehr.qa(EHR, NOTES) if one["id"] not in before)
        rewritten(stored, REWRITES[rewrite][0])
        service.ehr.edit(EHR, "DocumentReference", stored)
    return chart


@pytest.fixture
def as_it_was(service: Service) -> Any:
    """Charts as they were: an unmarked note could be taken for one of a later test."""
    mark = service.ehr.back_up(EHR)
    yield
    service.ehr.act(EHR, "restore_backup", mark=mark)


@pytest.mark.parametrize("rendering", ["text_html", "text_rtf"])
@pytest.mark.usefixtures("as_it_was")
def test_a_note_without_our_identifier_is_known_by_what_its_rendering_shows(
    service: Service, monkeypatch: pytest.MonkeyPatch, rendering: str
) -> None:
    """F25, F24, I1: identifier dropped, text in the EHR's own format, answer lost."""
    notes = count(service)
    chart = filed_and_forgotten(service, monkeypatch, rendering)

    pass_time(service, 12, seconds=31)

    state = chart.writeback()
    assert count(service) == notes + 1
    assert (state.stage, state.attempts) == (Stage.VERIFIED, 1)
    assert set(state.differences) == {"text", "identifier"}


@pytest.mark.usefixtures("as_it_was")
def test_where_an_identifier_was_lost_once_no_absence_is_proof(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F25, I3: the tenant is flagged for everybody to see; from then on a person decides what is not found."""
    service.signed(ehr=EHR)
    arm(service, EHR, "drop_identifier")
    service.work()
    with service.parts.database.read() as tx:
        loss = habits.seen(tx, TENANTS[EHR]).get(Habit.DROPS_IDENTIFIERS)
        seeker = service.parts.ehrs.seeker(tx, TENANTS[EHR])
    assert loss is not None
    assert loss.resource_type == "DocumentReference"
    assert seeker.profile.note.identifier_search.support == "no"  # plan B at once: it lists and compares
    assert "DocumentReference was stored without it" in findings(service)
    notes = count(service)
    chart = filed_and_forgotten(service, monkeypatch, "rewrite_text")

    pass_time(service, 12, seconds=31)

    state = chart.writeback()
    assert count(service) == notes + 1
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "unproven", 1)


@pytest.mark.usefixtures("as_it_was")
def test_what_was_called_absent_before_the_loss_was_seen_is_asked_for_again_and_not_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F25, I1, I3: it waited to be sent once more, on the word of a search that has turned out to say nothing."""
    notes = count(service)
    chart = called_absent(service, monkeypatch)
    assert chart.writeback().attempts == 1
    lose(service)

    pass_time(service, 12, seconds=31)

    state = chart.writeback()
    assert count(service) == notes + 1
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "unproven", 1)


@pytest.mark.usefixtures("as_it_was")
@pytest.mark.parametrize("is_parked", [False, True])
def test_what_was_called_absent_before_the_loss_was_seen_is_not_taken_back_but_on_its_way(
    service: Service, monkeypatch: pytest.MonkeyPatch, *, is_parked: bool
) -> None:
    """F25, F42, I1: else it would count as stopped, and a corrected version be filed beside what the EHR holds."""
    chart = called_absent(service, monkeypatch)
    tenant = service.parts.tenants.require(TENANTS[EHR])
    if is_parked:
        service.parts.switches.turn_off(tenant, "", "", "maintenance", "admin:1")
        service.work()
        service.parts.switches.turn_on(tenant, "", "", "maintenance", "admin:1")
    lose(service)
    before = chart.writeback()
    assert (before.stage, before.parked_for) == ((Stage.PARKED, "switched_off") if is_parked else (Stage.QUEUED, ""))

    answer = chart.post("/note/take-back")

    assert answer.status_code == 403
    assert "on its way" in answer.text
    assert chart.writeback().stage is before.stage
    catch_up(service.parts.database)
    resume_switched_on(service.parts)
    pass_time(service, 12, seconds=31)
    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, "unproven")


@pytest.mark.usefixtures("as_it_was")
@pytest.mark.parametrize("stopped_for", ["reauth", "switched_off"])
def test_what_stopped_after_the_loss_and_is_given_up_is_looked_for_by_a_person_and_not_filed_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch, stopped_for: str
) -> None:
    """F25, I1: it was called absent by a search that says nothing, and nobody has asked the EHR since."""
    notes = count(service)
    chart = called_absent(service, monkeypatch)
    lose(service)
    tenant = service.parts.tenants.require(TENANTS[EHR])
    if stopped_for == "reauth":
        service.end_tokens()
    else:
        service.parts.switches.turn_off(tenant, "", "", "maintenance", "admin:1")
    service.work()
    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, stopped_for)
    give_up(service, chart)
    service.change_grants(expires_at=service.clock() + timedelta(hours=1))
    service.parts.switches.turn_on(tenant, "", "", "over", "admin:1")

    is_refused_as_uncertain(service, chart)
    assert count(service) == notes + 1


@pytest.mark.usefixtures("as_it_was")
@pytest.mark.parametrize("ended", ["taken back", "given up"])
def test_what_was_ended_on_the_word_of_a_search_is_not_filed_anew_once_an_identifier_was_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    """F25, F42, I1: that it was not there was believed, before the EHR was seen to drop what was searched for."""
    notes = count(service)
    chart = called_absent(service, monkeypatch)
    if ended == "taken back":
        assert chart.post("/note/take-back").status_code == 303
    else:
        service.end_tokens()
        service.work()
        give_up(service, chart)
        service.change_grants(expires_at=service.clock() + timedelta(hours=1))
    lose(service)

    is_refused_as_uncertain(service, chart)
    assert count(service) == notes + 1


def called_absent(service: Service, monkeypatch: pytest.MonkeyPatch) -> OpenChart:
    """The EHR holds it, rewritten and without our identifier; a search called it absent; it waits to be sent."""
    chart = filed_and_forgotten(service, monkeypatch, "rewrite_text")
    while "writeback:absence:proven" not in tags(service, chart):
        service.work()
        service.clock.advance(seconds=31)
    assert chart.writeback().stage is Stage.QUEUED
    return chart


def lose(service: Service) -> None:
    """Another note is read back without our identifier."""
    with service.parts.database.write() as tx:
        first = Seen("DocumentReference", "another", service.clock())
        habits.note(tx, TENANTS[EHR], Habit.DROPS_IDENTIFIERS, first)


def give_up(service: Service, chart: OpenChart) -> None:
    which, launch = chart.note().state.signed.writeback_id, chart.launch()
    service.parts.stopped.end(launch.tenant_id, which, "abandon", Person.SIGNER, actor=launch.actor)
    assert chart.writeback().stage is Stage.SETTLED


def is_refused_as_uncertain(service: Service, chart: OpenChart) -> None:
    """A correction cannot be begun, somebody has to look first; and nothing leaves by itself."""
    assert "It is not certain that the note is in" in chart.get("/note/change/correction").text
    asked = BeginAmendment(chart.launch(), chart.note().note_id, Kind.CORRECTION, Reason.MISTAKE)
    with pytest.raises(Refused, match="not certain"):
        service.parts.amendments.begin(asked)
    pass_time(service, 12, seconds=31)


@pytest.mark.usefixtures("as_it_was")
def test_what_a_restored_database_called_absent_is_asked_for_again_once_an_identifier_was_lost(
    service: Service,
) -> None:
    """F50, F25, I1, I3: this copy knows of no attempt, and the EHR holds the note, rewritten and without our mark."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    tenant = service.parts.tenants.require(TENANTS[EHR])
    with service.parts.database.read() as tx:
        sent = json.loads(service.parts.artifacts.open(tx, chart.launch().tenant_id, chart.writeback().queued.payload))
    sent.pop("identifier")
    rewritten(sent, REWRITES["rewrite_text"][0])
    post_behind_our_back(service, chart, json.dumps(sent).encode())
    notes = count(service)
    assert service.parts.after_restore.begin(tenant, "cli:test") == 1
    pass_time(service, 12, seconds=31)
    assert (chart.writeback().parked_for, chart.writeback().parked_from) == ("switched_off", Stage.QUEUED)
    lose(service)

    service.parts.switches.turn_on(tenant, "", "", "reconciled", "admin:1")
    catch_up(service.parts.database)
    resume_switched_on(service.parts)
    pass_time(service, 12, seconds=31)

    state = chart.writeback()
    assert count(service) == notes
    assert (state.stage, state.parked_for, state.attempts) == (Stage.PARKED, "unproven", 0)


def findings(service: Service) -> str:
    report = service.parts.doctor.diagnosis(TENANTS[EHR])
    return " ".join(one.found for one in report.findings)
