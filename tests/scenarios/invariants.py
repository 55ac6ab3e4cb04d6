"""I1 to I7 at the end of a scenario: the EHR's own store, what left on the wire, and our log must agree.

I1 one signed write, at most one document. I2 its beginning is committed before the first byte. I3 no second sending of
what was, or may yet be, executed. I4 evidence is never downgraded nor made up. I5 signed bytes never change. I6 only
the signer's own grant writes. I7 whatever stopped is visible to the signer.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from app.artifacts.verify import verify_everything
from app.event_log.event import Event
from app.event_log.read import read_stream
from app.ids import WritebackId
from app.outbox.tables import outbox
from app.projections.follower import follow
from app.projections.tables import write_status
from app.replay.payloads import replay_payloads
from app.writebacks.events import (
    AbsenceProven,
    AttemptBegun,
    AttemptPostponed,
    WritebackFiled,
    WritebackQueued,
    WritebackRejected,
)
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState
from app.writebacks.tables import ledger
from tests.scenarios.player import NOTES, Player
from tests.scenarios.wire import streams

UNDER_WAY = frozenset({Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED})
SAYS_IN_CHART = frozenset({Stage.VERIFIED, Stage.SUPERSEDED, Stage.DRIFTED, Stage.OVERRIDDEN, Stage.MISSING})
NEEDS_A_PERSON = frozenset({Stage.PARKED, Stage.DRIFTED, Stage.OVERRIDDEN, Stage.MISSING, Stage.REJECTED})
NOTHING_CAME_OF_IT = (AbsenceProven, AttemptPostponed)


def violations(player: Player) -> list[str]:
    """Every promise that this scenario broke, in words; empty when all of them were kept."""
    parts, tenant_id = player.service.parts, player.chart.launch().tenant_id
    follow(parts.database, tenant_id)
    with parts.database.read() as tx:
        histories = {
            name.partition(":")[2]: [one.event for one in read_stream(tx, tenant_id, name)]
            for name in streams(tx, tenant_id)
        }
        states = {name: load(tx, tenant_id, WritebackId(name)) for name in histories}
    orders = {name: state.queued for name, state in states.items() if isinstance(state.order, WritebackQueued)}
    executed = by_order(player, orders)
    return [
        *_executed_once(orders, executed),
        *_begun_first(player, orders),
        *_never_twice(histories),
        *_in_ledger(player, orders),
        *_evidence(histories, states, executed),
        *_bytes(player),
        *_own_grant(orders, executed),
        *_visible(player, states),
    ]


def by_order(player: Player, orders: dict[str, WritebackQueued]) -> dict[str, list[dict[str, Any]]]:
    """What the EHR executed since the scenario began, by the write that it belongs to; "" for nobody's.

    It "supersedes" a note by itself when the replacement arrives: that is no write of ours.
    """
    written = player.service.ehr.qa(player.ehr, "writes")[player.writes_before :]
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    by_us = [one for one in written if one["resource_type"] == NOTES and one["interaction"] != "supersede"]
    for one in by_us:
        versions = player.service.ehr.qa(player.ehr, f"versions/{NOTES}/{one['id']}")
        stored = next(each["resource"] for each in versions if each["version"] == one["version"])
        named = {f"{each['system']}|{each['value']}" for each in stored.get("identifier", [])}
        found[next((name for name, order in orders.items() if _is_of(order, one, named)), "")].append(one)
    return found


def _is_of(order: WritebackQueued, written: dict[str, Any], named: set[str]) -> bool:
    if order.interaction != written["interaction"]:
        return False
    return order.identifier in named if order.interaction == "create" else order.target_id == written["id"]


def _executed_once(orders: dict[str, WritebackQueued], executed: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for name in executed.keys() - orders.keys():
        yield f"I1: {len(executed[name])} documents were written that nobody signed"
    for name in orders:
        if len(executed[name]) > 1:
            yield f"I1: the EHR executed {name} {len(executed[name])} times"


def _begun_first(player: Player, orders: dict[str, WritebackQueued]) -> Iterator[str]:
    signed = {order.payload_digest for order in orders.values()}
    for sent in (one for one in player.sent if one.resource_type == NOTES):
        if sent.digest not in sent.begun:
            yield f"I2: a {sent.method} left before its beginning was committed"
        if sent.digest not in signed:
            yield f"I5: a {sent.method} carried other bytes than were signed"


def _never_twice(histories: dict[str, list[Event]]) -> Iterator[str]:
    """Between two beginnings lies the proof that nothing came of the first."""
    for name, history in histories.items():
        cleared = True
        for event in history:
            if isinstance(event, AttemptBegun):
                if not cleared:
                    yield f"I3: {name} was begun again before it was known what came of the last time"
                cleared = False
            cleared = cleared or isinstance(event, NOTHING_CAME_OF_IT)


def _in_ledger(player: Player, orders: dict[str, WritebackQueued]) -> Iterator[str]:
    with player.service.parts.database.read() as tx:
        known = {row.writeback_id: row.payload_digest for row in tx.execute(select(ledger))}
    for name, order in orders.items():
        if known.get(name) != order.payload_digest:
            yield f"I3: the ledger does not know {name}, so nothing would stop a second order of it"


def _evidence(
    histories: dict[str, list[Event]], states: dict[str, WritebackState], executed: dict[str, list[dict[str, Any]]]
) -> Iterator[str]:
    for name, state in states.items():
        was_filed = False
        for event in histories[name]:
            if was_filed and isinstance(event, (AttemptBegun, WritebackRejected, *NOTHING_CAME_OF_IT)):
                yield f"I4: {name} was filed, and then {event.tag}"
            was_filed = was_filed or isinstance(event, WritebackFiled)
        places = {one["id"] for one in executed[name]}
        if state.stage in SAYS_IN_CHART and state.resource_id not in places:
            yield f"I4: {name} is said to be {state.stage}, and the EHR never wrote it"
        if state.stage in (Stage.REJECTED, Stage.CANCELLED) and places:
            yield f"I4: {name} is said to be {state.stage}, and the EHR wrote it"


def _bytes(player: Player) -> Iterator[str]:
    parts = player.service.parts
    with parts.database.read() as tx:
        report, replayed = verify_everything(tx), replay_payloads(tx, parts.artifacts, parts.ehrs)
    yield from (f"I5: {one.what} at {one.sequence}" for one in report.problems)
    yield from (f"I5: {name} is not what was signed when it is rendered again" for name in replayed.different)


def _own_grant(orders: dict[str, WritebackQueued], executed: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for name, order in orders.items():
        for one in executed[name]:
            who, whose = f"Practitioner/{one['subject']}", f"Patient/{one['patient']}"
            if (who, whose) != (order.author, order.patient):
                yield f"I6: {name} was written by {who} into the chart of {whose}"


def _visible(player: Player, states: dict[str, WritebackState]) -> Iterator[str]:
    with player.service.parts.database.read() as tx:
        shown = {row.writeback_id: row.stage for row in tx.execute(select(write_status))}
        due = {row.writeback_id for row in tx.execute(select(outbox)) if row.due_at is not None}
    for name, state in states.items():
        if state.stage in UNDER_WAY:
            yield f"I7: {name} stayed {state.stage}"
        if name in due and state.stage not in UNDER_WAY:
            yield f"I7: {name} is {state.stage} and due for ever"
        if shown.get(name) != state.stage:
            yield f"I7: {name} is {state.stage} and shown as {shown.get(name)}"
    yield from _can_be_ended(player)


def _can_be_ended(player: Player) -> Iterator[str]:
    for chart in player.charts:
        needs = _stages(player.of_the_chart(chart)) & NEEDS_A_PERSON
        shown = 'href="note/stopped"' in chart.get("/note").text
        if needs and not (shown and 'name="ending"' in chart.get("/note/stopped").text):
            yield f"I7: a write is {', '.join(needs)}, and no page of the signer leads to what ends it"


def _stages(states: Sequence[WritebackState]) -> set[Stage]:
    return {state.stage for state in states if state.stage}
