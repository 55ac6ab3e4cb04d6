"""The same thing asked for twice at once: one effect, and the same answer to both."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.collaborators import EXTENSION
from app.errors import Fenced
from app.event_log.tables import events
from app.event_log.verify import verify
from app.notes.commands import SignNote
from app.notes.tables import notes
from app.outbox import rows as outbox
from app.outbox.rows import Lease, Partition, due_partitions
from app.outbox.tables import outbox as outbox_rows
from app.projections.follower import catch_up, rebuild
from app.projections.tables import audit_trail, projection_positions, write_status
from app.tenants.tables import client_keys
from app.wiring import create_app
from app.writebacks.commands import ParkWrite, RecordFiled
from app.writebacks.handlers import load
from app.writebacks.state import Stage
from app.writebacks.tables import ledger
from tests.races.at_once import at_once, failures
from tests.service import OpenChart, Service


def count(service: Service, table: Any, *where: Any) -> int:
    with service.parts.database.read() as tx:
        return tx.execute(select(func.count()).select_from(table).where(*where)).scalar_one()


def command(chart: OpenChart) -> SignNote:
    form = chart.sign_form()
    return SignNote(chart.launch(), chart.note().note_id, form["displayed_hash"], form["patient"], form["encounter"])


def ready_to_sign(service: Service, **kwargs: Any) -> OpenChart:
    chart = service.drafted(**kwargs)
    chart.settle()
    return chart


def test_signing_from_two_threads_gives_one_signature_one_order_and_the_same_answer(service: Service) -> None:
    """F40, I1."""
    chart = ready_to_sign(service)
    signing, order = service.parts.signing, command(chart)

    answers = at_once(*(lambda: signing.sign(order) for _ in range(3)))

    assert failures(answers) == []
    assert len({answer.writeback_id for answer in answers}) == 1
    assert count(service, events, events.c.tag == "note:signed") == 1
    assert count(service, events, events.c.tag == "writeback:queued") == 1
    assert count(service, ledger) == 1
    assert count(service, outbox_rows) == 1


def test_signing_again_gives_the_same_answer_even_when_the_ehr_is_down_and_the_token_has_ended(
    service: Service,
) -> None:
    """F40."""
    chart = ready_to_sign(service)
    order = command(chart)
    first = service.parts.signing.sign(order)

    service.clock.advance(hours=2)
    service.ehr.arm("epic", interaction="read", fault="answer_500", times=5)
    again = service.parts.signing.sign(order)

    assert again.writeback_id == first.writeback_id


def test_two_tabs_that_sign_at_once_both_arrive_at_the_filed_page(service: Service) -> None:
    """F40."""
    chart = ready_to_sign(service)
    form, token = chart.sign_form(), chart.csrf()

    answers = at_once(*(lambda: chart.post("/sign", token=token, **form) for _ in range(2)))

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_two_tabs_that_make_the_draft_at_once_get_one_note(service: Service) -> None:
    chart = service.open_chart()
    token = chart.csrf()

    answers = at_once(*(lambda: chart.post("/draft", token=token) for _ in range(3)))

    assert [answer.status_code for answer in answers] == [303, 303, 303]
    assert count(service, notes) == 1
    assert count(service, events, events.c.tag == "note:draft:recorded") == 1


def test_two_tabs_that_edit_the_same_line_at_once_keep_one_text_and_tell_the_other(service: Service) -> None:
    chart = service.drafted()
    claim = next(one for one in chart.note().review.claims if one.text).claim.id
    token = chart.csrf()

    answers = at_once(
        *(lambda t=text: chart.post(f"/claims/{claim}/text", token=token, revision="0", text=t) for text in ("a", "b"))
    )

    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert count(service, events, events.c.tag == "note:claim:edited") == 1


def zombie_and_successor(service: Service) -> tuple[OpenChart, Lease, Lease]:
    """A worker that began to send and was paused past its lease, and the one that took over."""
    chart = service.signed()
    with service.parts.database.read() as tx:
        [partition] = due_partitions(tx, service.clock())
    lease = service.parts.drain._lease
    with service.parts.database.write() as tx:
        [zombie] = outbox.claim(tx, partition, service.clock(), lease).leases
    service.clock.advance(seconds=lease.total_seconds())
    with service.parts.database.write() as tx:
        [successor] = outbox.claim(tx, partition, service.clock(), lease).leases
    return chart, zombie, successor


@pytest.mark.parametrize(
    "order",
    [
        RecordFiled("DocumentReference", "x", "1", 201, found=False, reply=b"{}"),
        ParkWrite("manual"),
    ],
    ids=lambda order: type(order).__name__,
)
def test_a_worker_with_an_overtaken_fence_is_stopped_and_changes_nothing(service: Service, order: Any) -> None:
    """F32, I4."""
    chart, zombie, successor = zombie_and_successor(service)
    before = (chart.writeback(), count(service, events), count(service, ledger, ledger.c.filed_as.isnot(None)))

    with pytest.raises(Fenced), service.parts.database.write() as tx:
        service.parts.writebacks.by_worker(tx, zombie, order, service.clock())

    assert (chart.writeback(), count(service, events), count(service, ledger, ledger.c.filed_as.isnot(None))) == before
    with service.parts.database.write() as tx:
        outbox.check_fence(tx, successor, service.clock())


def test_two_drains_of_one_partition_at_once_send_each_note_once(service: Service) -> None:
    """C08, F04, F36: whoever sends is alone with the note, so no two conditional creates race."""
    charts = [service.signed(patient=name) for name in ("Rivera, Ana", "Ortega, María Guadalupe")]
    sent_before = len(service.ehr.qa("epic", "writes"))
    partition = Partition(charts[0].launch().tenant_id, charts[0].writeback().order.workflow)

    answers = at_once(*(lambda: service.parts.drain.run(partition) for _ in range(3)))

    assert failures(answers) == []
    assert [chart.writeback().stage for chart in charts] == [Stage.VERIFIED, Stage.VERIFIED]
    assert len(service.ehr.qa("epic", "writes")) == sent_before + 2
    with service.parts.database.read() as tx:
        assert verify(tx).ok


@pytest.fixture
def another_process(service: Service) -> Iterator[Callable[[], Flask]]:
    """Builds the app again on the same database, as one more process would."""
    built: list[Flask] = []

    def build() -> Flask:
        built.append(create_app(service.parts.settings, service.clock))
        return built[-1]

    yield build
    for app in built:
        app.extensions[EXTENSION].database.engine.dispose()


def followers(another_process: Callable[[], Flask], number: int) -> list[Callable[[], int]]:
    others = [another_process() for _ in range(number)]
    return [lambda d=other.extensions[EXTENSION].database: catch_up(d) for other in others]


def projected(service: Service) -> tuple[Any, ...]:
    tables = (audit_trail, write_status, projection_positions)
    with service.parts.database.read() as tx:
        return tuple(sorted(tuple(row) for row in tx.execute(select(table))) for table in tables)


def test_processes_that_follow_the_log_at_once_count_each_event_once(
    service: Service, another_process: Callable[[], Flask]
) -> None:
    chart = service.signed()
    service.work()
    with service.parts.database.write() as tx:
        for table in (audit_trail, write_status, projection_positions):
            tx.execute(table.delete())

    answers = at_once(*followers(another_process, 3))

    assert failures(answers) == []
    assert sum(answers) == 2 * count(service, events)  # two projections
    assert count(service, audit_trail) == count(service, events)
    assert count(service, write_status) == 1
    assert chart.writeback().stage is Stage.VERIFIED


def test_a_rebuild_beside_a_follower_ends_with_the_same_rows(
    service: Service, another_process: Callable[[], Flask]
) -> None:
    service.signed()
    service.work()
    catch_up(service.parts.database)
    before = projected(service)

    answers = at_once(lambda: rebuild(service.parts.database), *followers(another_process, 1))

    assert failures(answers) == []
    assert projected(service) == before


def test_two_returns_to_the_same_chart_at_once_resume_a_parked_write_once(service: Service) -> None:
    chart = service.signed()
    service.end_tokens()
    service.work()
    assert chart.writeback().parked_for == "reauth"
    returns = [(client, service.authorize(client)) for client in (service.browser(), service.browser())]

    answers = at_once(*(lambda c=client, u=url: service.callback(c, u) for client, url in returns))

    assert [answer.status_code for answer in answers] == [303, 303]
    assert count(service, events, events.c.tag == "writeback:resumed") == 1
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED


def test_processes_that_need_a_tenants_signing_key_for_the_first_time_make_one(
    service: Service, another_process: Callable[[], Flask]
) -> None:
    with service.parts.database.write() as tx:
        tx.execute(client_keys.delete())
    apps = [another_process() for _ in range(2)]

    answers = at_once(*(lambda a=app: a.test_client().get("/.well-known/jwks.json").get_json() for app in apps))

    assert failures(answers) == []
    kids = [sorted(key["kid"] for key in answer["keys"]) for answer in answers]
    assert kids[0] == kids[1]
    assert count(service, client_keys) == len(kids[0])


def test_a_callback_that_arrives_twice_at_once_opens_one_launch(service: Service) -> None:
    client = service.browser()
    url = service.authorize(client)

    answers = at_once(*(lambda: service.callback(client, url) for _ in range(2)))

    assert sorted(answer.status_code for answer in answers) == [303, 400]
    assert count(service, events, events.c.tag == "launch:completed") == 1


def test_the_state_of_a_write_is_the_same_in_every_process(
    service: Service, another_process: Callable[[], Flask]
) -> None:
    chart = service.signed()
    service.work()
    other = another_process().extensions[EXTENSION].database

    with other.read() as tx:
        state = load(tx, chart.launch().tenant_id, chart.note().state.signed.writeback_id)

    assert state == chart.writeback()


def test_a_note_taken_back_while_a_worker_begins_is_either_stopped_or_sent(service: Service) -> None:
    """F42: whichever is first, nobody waits for ever, and the chart and the page agree."""
    chart = service.signed(ehr="reference")
    form = {"csrf": chart.csrf()}

    answers = at_once(
        service.work,
        lambda: chart.client.post(
            f"{chart.path}/note/take-back", base_url=service.origin, data=form, headers={"Origin": service.origin}
        ),
    )

    assert failures(answers) == []
    service.work()
    state = chart.writeback()
    assert (answers[1].status_code, state.stage, bool(state.attempts)) in (
        (303, Stage.CANCELLED, False),
        (403, Stage.VERIFIED, True),
    )
