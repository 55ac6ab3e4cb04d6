"""What the EHR did not show and shows at last: what waits goes on by itself; of what was ended its signer is told."""

import json
import re
from typing import Any

import pytest

from app.reconciliation import reconcile
from app.writebacks.endings import Person
from app.writebacks.state import Stage
from tests.flows.test_changing import correct, filed, in_chart, writes
from tests.flows.test_following import look
from tests.flows.test_left_current import look_for_a_while
from tests.flows.test_lost_identifiers import as_it_was, count
from tests.flows.test_proposals import approve, opened
from tests.flows.test_reconciling import arm, pass_time
from tests.service import TENANTS, OpenChart, Service
from vendors.errors import NotFound

pytestmark = [pytest.mark.either_database, pytest.mark.usefixtures("as_it_was")]
__all__ = ["as_it_was", "filed"]
EHR = "reference"


@pytest.fixture
def accepted(service: Service) -> OpenChart:
    """A note that the EHR took to file it later, and for which a person is asked by now."""
    chart = service.signed(ehr=EHR, patient="Cho, Raymond")
    arm(service, EHR, "accept_then_file", seconds=86_400)
    pass_time(service, 12, seconds=61)
    assert (chart.writeback().stage, chart.writeback().parked_for) == (Stage.PARKED, "unproven")
    return chart


def end(chart: OpenChart, ending: str) -> None:
    launch, which = chart.launch(), chart.note().state.signed.writeback_id
    chart.service.parts.stopped.end(launch.tenant_id, which, ending, Person.SIGNER, actor=launch.actor)


def gone(*_: Any) -> Any:
    """The EHR shows no note by its id."""
    raise NotFound("Reference", "read", status=404)


def file_it(service: Service) -> None:
    """The EHR gets round to it."""
    service.ehr.act(EHR, "file_accepted")


def test_what_was_accepted_goes_on_by_itself_when_the_ehr_files_it(service: Service, accepted: OpenChart) -> None:
    """C04, F17: nobody has to press anything, and nothing is sent again."""
    before = count(service)
    assert "goes on by itself when it is there" in accepted.get("/note").text
    look_for_a_while(service)
    assert accepted.writeback().stage is Stage.PARKED
    file_it(service)

    look_for_a_while(service)

    state = accepted.writeback()
    assert (state.stage, state.attempts, state.provenance_settled) == (Stage.VERIFIED, 1, True)
    assert count(service) == before + 1


def test_what_was_seen_once_is_never_sent_again_whatever_is_shown_later(
    service: Service, accepted: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1, I3, I4: an EHR may show it to some and not to others; the log is not filled with that either."""
    file_it(service)
    notes, before = count(service), accepted.writeback().version
    monkeypatch.setattr(reconcile, "_park_for", lambda *_, **__: None)  # not found, it would be sent again
    monkeypatch.setattr(service.parts.ehrs.adapter(TENANTS[EHR]), "read_note", gone)

    for _ in range(4 * 24):
        pass_time(service, 1, minutes=15)
        service.parts.following.sweep()

    state = accepted.writeback()
    assert (state.stage, state.parked_for, state.attempts, count(service)) == (Stage.PARKED, "missing", 1, notes)
    assert state.version - before < 10, "a day's events"


@pytest.mark.parametrize("ending", ["copy", "abandon"])
def test_of_what_was_ended_and_comes_after_all_its_signer_is_told(
    service: Service, accepted: OpenChart, ending: str
) -> None:
    """C04, F17, I1, I7: beside the copy it stands there twice; what was given up stands there."""
    end(accepted, ending)
    look_for_a_while(service)
    assert accepted.writeback().stage is Stage.SETTLED
    file_it(service)

    look_for_a_while(service)

    state = accepted.writeback()
    assert (state.stage, state.change_there, state.attempts) == (Stage.OVERRIDDEN, "came_late", 1)
    page = accepted.get("/note/stopped").text
    assert "shows it after all" in page
    assert ("Both: your copy, and this one" in page) is (ending == "copy")
    assert "changed there by a person" not in accepted.get("/note").text
    end(accepted, "accept")
    look_for_a_while(service)
    assert accepted.writeback().stage is Stage.SETTLED


@pytest.mark.parametrize("ending", ["copy", "abandon"])
def test_what_came_after_all_can_be_retracted(service: Service, accepted: OpenChart, ending: str) -> None:
    """C36: it is exactly what was signed."""
    end(accepted, ending)
    file_it(service)
    look_for_a_while(service)
    assert "Retract it" in accepted.get("/note").text

    page = f"/note/retract/{accepted.note().state.signed.writeback_id}"
    [ticked] = re.findall(r'name="patient_confirmed" value="([0-9a-f]+)"', accepted.get(page).text)
    answer = accepted.post(page, reason="mistake", patient=accepted.launch().patient, patient_confirmed=ticked)
    assert answer.status_code == 303, answer.text
    pass_time(service, 3, seconds=31)

    assert in_chart(accepted, writes(accepted)[0])["status"] == "entered-in-error"
    assert writes(accepted)[0].stage is Stage.SUPERSEDED
    assert ("copy that you made by hand is not touched" in accepted.get("/note").text) is (ending == "copy")


def test_that_it_came_after_all_is_not_forgotten_when_somebody_touches_it(
    service: Service, accepted: OpenChart
) -> None:
    """I7: edited and edited back, it stands there beside the copy as before."""
    end(accepted, "copy")
    file_it(service)
    look_for_a_while(service)
    place = f"DocumentReference/{accepted.writeback().resource_id}"
    there = int(in_chart(accepted, accepted.writeback())["meta"]["versionId"])
    service.ehr.act(EHR, "edit_text", resource=place, text="Other.")
    look(service)
    assert accepted.writeback().change_there == "edited"
    service.ehr.act(EHR, "restore", resource=place, version=there)

    look_for_a_while(service)

    assert accepted.writeback().change_there == "came_late"


@pytest.mark.parametrize("ending", ["", "copy", "abandon"])
def test_a_copy_that_its_signer_made_is_not_taken_for_what_the_ehr_filed(
    service: Service, accepted: OpenChart, ending: str
) -> None:
    """C20, I7: the same words in the same chart; it is a document of its own."""
    if ending:
        end(accepted, ending)
    with service.parts.database.read() as tx:
        queued = accepted.writeback().queued
        copied = json.loads(service.parts.artifacts.open(tx, accepted.launch().tenant_id, queued.payload))
    signer = service.parts.ehrs.under_grant_of(accepted.launch().tenant_id, accepted.launch_id, "by-hand")
    del copied["identifier"]
    signer.create("DocumentReference", json.dumps(copied).encode())

    look_for_a_while(service)

    assert accepted.writeback().stage is (Stage.SETTLED if ending else Stage.PARKED)


def test_what_its_signer_found_in_the_chart_is_no_news_when_it_is_there(service: Service, accepted: OpenChart) -> None:
    """I7."""
    file_it(service)
    end(accepted, "in_chart")

    look_for_a_while(service)

    assert accepted.writeback().stage is Stage.SETTLED


def test_what_went_missing_and_was_given_up_is_told_when_it_is_back(
    service: Service, filed: OpenChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F44, I7: a backup of theirs may be followed by a better one."""
    adapter = service.parts.ehrs.adapter(TENANTS[EHR])

    with monkeypatch.context() as patched:
        patched.setattr(adapter, "read_note", gone)
        look_for_a_while(service)
        assert filed.writeback().stage is Stage.MISSING
        end(filed, "abandon")
        look_for_a_while(service)

    look_for_a_while(service)

    assert filed.writeback().change_there == "came_late"


def test_a_correction_that_comes_after_all_takes_the_earlier_versions_place(service: Service, filed: OpenChart) -> None:
    """C36, I1."""
    arm(service, EHR, "accept_then_file", seconds=86_400)
    arm(service, EHR, "replaces_ignored")
    correct(filed)
    pass_time(service, 12, seconds=61)
    end(filed, "abandon")
    file_it(service)

    look_for_a_while(service)

    first, second = writes(filed)
    assert second.change_there == "came_late"
    assert first.stage in (Stage.SUPERSEDED, Stage.OVERRIDDEN)


def late_note(service: Service, chart: OpenChart) -> dict[str, Any]:
    """What the EHR filed at last of the latest version, as it stands there."""
    value = writes(chart)[-1].queued.identifier.partition("|")[2]
    stored = service.ehr.qa(EHR, "resources/DocumentReference")
    return next(one for one in stored if value in str(one.get("identifier")))


def test_what_was_edited_before_it_was_seen_is_told_as_edited_and_takes_no_ones_place(
    service: Service, filed: OpenChart
) -> None:
    """C36, I7: as what is read back otherwise than signed; its signer decides."""
    arm(service, EHR, "accept_then_file", seconds=86_400)
    arm(service, EHR, "replaces_ignored")
    correct(filed)
    pass_time(service, 12, seconds=61)
    end(filed, "abandon")
    file_it(service)
    place = f"DocumentReference/{late_note(service, filed)['id']}"
    service.ehr.act(EHR, "edit_text", resource=place, text="Other.")

    look_for_a_while(service)

    first, second = writes(filed)
    assert (second.change_there, "text" in second.differences) == ("edited", True)
    assert first.stage is not Stage.SUPERSEDED
    page = filed.get("/note/stopped").text
    assert "Nobody." not in page
    assert "retract it on the note" not in page


def test_two_that_came_late_stay_told_as_two(service: Service, accepted: OpenChart) -> None:
    """F27, I1."""
    end(accepted, "abandon")
    file_it(service)
    copy = {
        name: value for name, value in late_note(service, accepted).items() if name not in ("id", "meta", "_sandbox")
    }
    signer = service.parts.ehrs.under_grant_of(accepted.launch().tenant_id, accepted.launch_id, "twice")
    signer.create("DocumentReference", json.dumps(copy).encode())

    look(service)
    assert accepted.writeback().change_there == "doubled"
    look(service)

    assert accepted.writeback().change_there == "doubled"


def test_an_entry_that_came_late_is_marked_in_the_ehr_and_not_on_the_notes_page(service: Service) -> None:
    """C36: what can be retracted on the page is the note."""
    chart = opened(service)
    approve(chart, *{one.kind for one in chart.note().review.proposals})
    chart.sign()
    arm(service, EHR, "accept_then_file", resource_type="Observation", seconds=86_400)
    pass_time(service, 12, seconds=61)
    launch = chart.launch()
    which = next(write for _, write, kind in chart.note().state.signed.entries if kind == "Observation")
    service.parts.stopped.end(launch.tenant_id, which, "abandon", Person.SIGNER, actor=launch.actor)
    file_it(service)

    look_for_a_while(service)

    page = chart.get("/note/stopped").text
    assert "mark it in Reference EHR as entered in error" in page
    assert "retract it on the note" not in page
