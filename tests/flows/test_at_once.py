"""What happens at the same moment, or in another tenant, must not get in a clinician's way."""

from typing import ClassVar

import pytest
from sqlalchemy import func, select

from app.errors import Corrupt, StaleEdit
from app.event_log import event as event_log
from app.event_log.append import append
from app.event_log.event import Event
from app.event_log.tables import events
from app.notes.commands import DecideClaim, EditClaim, Verdict
from app.notes.events import ClaimConfirmed
from app.projections.audit_trail import story
from app.projections.follower import catch_up, follow
from app.projections.tables import projection_positions
from app.projections.tables import write_status as status_rows
from app.worker import sweep_once
from app.writebacks.commands import ConfirmCopy
from app.writebacks.docket import Docket, enter
from app.writebacks.handlers import stream_of
from app.writebacks.state import Stage
from tests.races.at_once import at_once
from tests.service import OpenChart, Service

EPIC, ATHENAONE = "harbor-epic", "lakeside-athenaone"


def said(service: Service, tag: str) -> int:
    with service.parts.database.read() as tx:
        return tx.execute(select(func.count()).select_from(events).where(events.c.tag == tag)).scalar_one()


def statuses(service: Service) -> dict[str, str]:
    with service.parts.database.read() as tx:
        return dict(tuple(row) for row in tx.execute(select(status_rows.c.writeback_id, status_rows.c.stage)))


def positions(service: Service) -> list[tuple[object, ...]]:
    with service.parts.database.read() as tx:
        return sorted(tuple(row) for row in tx.execute(select(projection_positions)))


def metrics(service: Service) -> str:
    answer = service.browser().get("/metrics", base_url=service.origin)
    assert answer.status_code == 200
    return answer.text


@pytest.fixture
def of_the_next_release() -> type[Event]:
    """An event that a newer release appended and this one does not know."""

    class Amended(Event):
        tag: ClassVar[str] = "note:amended"

    event_log.CATALOGUE.pop(Amended.tag)
    return Amended


def append_unreadable(service: Service, tenant: str, event: type[Event]) -> None:
    with service.parts.database.write() as tx:
        append(tx, tenant, "note:x", 0, [event()], actor="a#b", causation="test", now=service.clock())


def test_an_event_that_this_release_cannot_read_stops_no_other_tenant(
    service: Service, of_the_next_release: type[Event]
) -> None:
    append_unreadable(service, ATHENAONE, of_the_next_release)

    chart = service.signed()
    service.work()
    sweep_once(service.parts)

    assert chart.get("/record").status_code == 200
    assert f'tenant="{EPIC}",stage="verified"}} 1' in metrics(service)


def test_a_tenant_whose_log_cannot_be_followed_still_opens_charts_but_shows_no_shortened_story(
    service: Service, of_the_next_release: type[Event]
) -> None:
    chart = service.drafted()
    append_unreadable(service, EPIC, of_the_next_release)

    assert service.open_chart().get("/").status_code == 200
    assert chart.get("/record").status_code == 500


def test_what_stops_a_tenant_is_logged_by_identifiers_only(
    service: Service, of_the_next_release: type[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    append_unreadable(service, ATHENAONE, of_the_next_release)
    capsys.readouterr()

    catch_up(service.parts.database)

    logged = "".join(capsys.readouterr())
    assert "projection_stopped" in logged
    assert ATHENAONE in logged
    assert of_the_next_release.tag not in logged
    with pytest.raises(Corrupt):
        follow(service.parts.database, ATHENAONE)


def test_an_event_with_a_field_that_this_release_does_not_know_is_unreadable_too() -> None:
    with pytest.raises(Corrupt):
        event_log.event_from("note:claim:confirmed", b'{"claim_id": "c", "why": "x"}')


def test_one_write_that_contradicts_itself_does_not_hide_the_others_of_its_tenant(service: Service) -> None:
    broken, sound = service.signed(), service.signed(patient="Ortega, María Guadalupe")
    writeback_id = broken.note().state.signed.writeback_id
    with service.parts.database.write() as tx:
        stranger = ClaimConfirmed(claim_id="c")
        append(tx, EPIC, stream_of(writeback_id), 1, [stranger], actor="a#b", causation="test", now=service.clock())
    service.work()

    follow(service.parts.database, EPIC)

    assert statuses(service) == {
        writeback_id: Stage.QUEUED,  # as it stood when it last made sense
        sound.note().state.signed.writeback_id: Stage.VERIFIED,
    }


def test_metrics_tell_what_was_projected_and_write_nothing(service: Service) -> None:
    service.signed()
    before = positions(service)

    assert "stage=" not in metrics(service)
    assert positions(service) == before

    sweep_once(service.parts)
    assert f'tenant="{EPIC}",stage="queued"}} 1' in metrics(service)


def test_a_page_follows_its_own_tenant_only(service: Service) -> None:
    service.drafted(ehr="athenaone")
    chart = service.drafted()
    followed = [one for one in positions(service) if one[1] == ATHENAONE]

    chart.get("/record")

    assert [one for one in positions(service) if one[1] == ATHENAONE] == followed


def test_every_line_of_the_story_is_there_once_after_following_in_turns(service: Service) -> None:
    chart = service.signed()
    follow(service.parts.database, EPIC)
    service.work()
    catch_up(service.parts.database)
    assert follow(service.parts.database, EPIC) == 0

    stream = stream_of(chart.note().state.signed.writeback_id)
    with service.parts.database.read() as tx:
        told = [line.tag for line in story(tx, EPIC, [stream])]
    assert told == ["writeback:queued", "writeback:attempt:begun", "writeback:filed", "writeback:verified"]
    assert statuses(service) == {chart.note().state.signed.writeback_id: Stage.VERIFIED}


def lines_with_text(chart: OpenChart) -> list[str]:
    return [claim.claim.id for claim in chart.note().review.claims if claim.text]


def test_different_lines_of_one_note_are_saved_at_once(service: Service) -> None:
    chart = service.drafted()
    lines, token = lines_with_text(chart)[:4], chart.csrf()

    answers = at_once(
        *(lambda c=c: chart.post(f"/claims/{c}/text", token=token, revision="0", text=f"typed {c}") for c in lines)
    )

    assert [answer.status_code for answer in answers] == [303] * len(lines)
    assert said(service, "note:claim:edited") == len(lines)


def test_one_line_changed_twice_at_once_is_a_stale_edit_for_the_second(service: Service) -> None:
    chart = service.drafted()
    [line, *_], launch, note_id = lines_with_text(chart), chart.launch(), chart.note().note_id
    notes = service.parts.notes

    answers = at_once(
        lambda: notes.edit_claim(EditClaim(launch, note_id, line, 0, "typed")),
        lambda: notes.decide_claim(DecideClaim(launch, note_id, line, 0, Verdict.REMOVE)),
        lambda: notes.decide_claim(DecideClaim(launch, note_id, line, 0, Verdict.CONFIRM)),
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["ReadNote", StaleEdit.__name__, StaleEdit.__name__]


def test_a_double_click_on_copied_is_one_confirmation_with_one_answer(service: Service) -> None:
    chart = service.signed(ehr="athenaone")
    token = chart.csrf()

    answers = at_once(*(lambda: chart.post("/note/copied", token=token) for _ in range(3)))
    answers.append(chart.post("/note/copied", token=token))

    assert [answer.status_code for answer in answers] == [303] * 4
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert said(service, "writeback:copy:confirmed") == 1


def test_of_two_confirmations_that_passed_the_page_at_once_the_second_finds_the_first(service: Service) -> None:
    chart = service.signed(ehr="athenaone")
    writeback_id, parts = chart.note().state.signed.writeback_id, service.parts

    def confirm() -> Stage:
        with parts.database.write() as tx:
            before = parts.writebacks.by_person(tx, ATHENAONE, writeback_id, ConfirmCopy(), "a#b", service.clock())
            return before.stage

    assert sorted(at_once(*(confirm for _ in range(3)))) == [Stage.AWAITING_COPY, Stage.COPIED, Stage.COPIED]
    assert said(service, "writeback:copy:confirmed") == 1


def test_a_note_that_is_filed_by_api_cannot_be_said_to_be_copied(service: Service) -> None:
    chart = service.drafted()
    chart.settle()
    token = chart.csrf()
    chart.sign()

    assert chart.post("/note/copied", token=token).status_code == 303

    assert said(service, "writeback:copy:confirmed") == 0


def test_a_write_that_was_ordered_before_is_not_ordered_by_a_second_signature(service: Service) -> None:
    order = service.signed().writeback().queued

    docket = Docket(service.parts.artifacts, EPIC, "a#b", service.clock())
    docket.queue("another", order, "test")
    with pytest.raises(Corrupt), service.parts.database.write() as tx:
        enter(tx, docket)
