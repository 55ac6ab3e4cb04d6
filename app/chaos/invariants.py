"""I1 to I7, asserted against the EHRs' own store, what really went over the wire, and our log.

I1 one signed version or entry, at most one that is live, at any moment. I2 intent and identifier are committed before
the first byte. I3 no second POST of what was or may yet be executed. I4 evidence of success is never downgraded, and
never made up. I5 signed bytes never change. I6 only the signer's own grant writes. I7 whatever stopped is visible to
the signer. (Conformance F.)
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from app.chaos.people import Chart, signed_writes
from app.chaos.wire import Sent, Written
from app.chaos.world import World, tenant_of
from app.errors import Corrupt
from app.event_log.read import read_stream
from app.ids import TenantId, WritebackId
from app.outbox.tables import outbox
from app.pages.status import PARKED, PROVENANCE_WAITS
from app.projections.tables import write_status
from app.tenants.habits import Habit
from app.writebacks.events import WritebackQueued
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState
from app.writebacks.tables import ledger

Harm = Literal["", "lost", "duplicated", "wrong_token", "unsettled"]
# Stages at which the machine still has something to do: after everything has settled nothing is there.
UNDER_WAY = frozenset({Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED})
SAYS_IN_CHART = frozenset({Stage.FILED, Stage.VERIFIED, Stage.SUPERSEDED})
SAYS_NOT_IN_CHART = frozenset({Stage.REJECTED, Stage.CANCELLED})


FILED = frozenset({"DocumentReference", "Observation", "Condition", "Task"})


@dataclass(frozen=True)
class Violation:
    """Which promise was broken, by which write, and how; `harm` is what it is counted as."""

    invariant: str
    writeback: str
    what: str
    harm: Harm = ""


@dataclass(frozen=True)
class Write:
    """One write-back with all that is known of it, on both sides."""

    writeback_id: WritebackId
    state: WritebackState
    chart: Chart
    sent: tuple[Sent, ...]

    @property
    def created(self) -> list[Written]:
        """Every resource that an EHR made for it."""
        return made_by(self.sent)


NOW = sys.maxsize  # the end of the log


def before_write(world: World, sent: Sent) -> Iterator[Violation]:
    """What must hold when a write is about to leave: I2, I3 and I5."""
    begun = world.begun(sent.writeback_id)
    if begun is None:
        yield Violation("I2", sent.writeback_id, "it left before its beginning was committed")
        return
    if sent.resource_type == "Provenance":
        return
    order = _order(world, sent)
    if order is None or order.payload_digest != sent.digest:
        yield Violation("I5", sent.writeback_id, "other bytes left than were signed")
    earlier = [one for one in world.wire.sent if one.writeback_id == sent.writeback_id and one.method == sent.method]
    earlier = [one for one in earlier if one.resource_type == sent.resource_type]
    for one in earlier:
        one.is_lost_sight_of |= is_beyond_us(world, one, NOW)
        is_there = any(not _touched(world, written) for written in one.written) and not one.is_lost_sight_of
        if world.wire.may_still_come(one) or is_there:
            yield Violation("I3", sent.writeback_id, "it left again though it had been, or may yet be, executed")


def one_is_live(world: World, sent: Sequence[Sent]) -> Iterator[Violation]:
    """I1, whenever something was written or a person changed it: at most one is live that no person brought back."""
    for writeback_id in sorted({one.writeback_id for one in sent}):
        mine = [one for one in sent if one.writeback_id == writeback_id]
        held = [world.ehrs.held(written) for written in made_by(mine)]
        live = sum(one.is_live and not one.brought_back for one in held)
        if live > 1:
            yield Violation("I1", writeback_id, f"{live} of it are live at once", "duplicated")


def is_beyond_us(world: World, sent: Sent, sequence: int) -> bool:
    """Whether it is where nobody could know of it by then: at an EHR that had never been seen to drop an identifier."""
    learned = world.learned(sent.ehr, Habit.DROPS_IDENTIFIERS)
    return _is_unrecognisable(world, sent) and (learned is None or sequence < learned)


def _is_unrecognisable(world: World, sent: Sent) -> bool:
    """Whether no search finds it: it lost our identifier, and the EHR or a person gave it other words."""
    return sent.is_unmarked and (sent.is_reworded or any(_touched(world, one) for one in sent.written))


def remade(sent: Sequence[Sent]) -> int:
    """How many writes were made more than once, whatever became of the first."""
    made = {(one.writeback_id, each.resource_id) for one in sent for each in made_by([one])}
    return sum(count > 1 for count in Counter(writeback_id for writeback_id, _ in made).values())


def unforeseen(sent: Sequence[Sent]) -> int:
    """How many writes stand beside another one of the same because the EHR did what nobody could know that it does."""
    return len({one.writeback_id for one in sent if one.is_lost_sight_of})


def check(world: World, charts: Sequence[Chart], sent: Sequence[Sent]) -> list[Violation]:
    """Everything that must hold when all has settled; notes down which write-backs each chart has."""
    found: list[Violation] = []
    known: set[str] = set()
    with world.moments.uncounted(), world.parts.database.read() as tx:
        for chart in charts:
            tenant_id = tenant_of(chart.visit.ehr)
            chart.writebacks = signed_writes(tx, tenant_id, chart)
            known |= chart.writebacks
            for writeback_id in sorted(chart.writebacks):
                mine = tuple(one for one in sent if one.writeback_id == writeback_id)
                found += _check_write(world, tx, tenant_id, writeback_id, chart, mine)
    for one in sent:
        if one.writeback_id not in known:
            found.append(Violation("I2", one.writeback_id, "it left, and nobody signed it", "duplicated"))
    return found


def _check_write(
    world: World, tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, chart: Chart, sent: tuple[Sent, ...]
) -> Iterator[Violation]:
    try:
        state = load(tx, tenant_id, writeback_id)
    except Corrupt as error:
        yield Violation("I4", writeback_id, f"its history contradicts itself: {error}")
        return
    if not isinstance(state.order, WritebackQueued):
        return
    write = Write(writeback_id, state, chart, sent)
    yield from _exactly_once(world, write)
    yield from _own_grant(write)
    yield from _visible(tx, write)


def _exactly_once(world: World, write: Write) -> Iterator[Violation]:
    state, created = write.state, write.created
    name, mutation = write.writeback_id, state.queued.mutation
    places = {one.resource_id for one in created}
    if state.queued.interaction == "create" and state.stage in SAYS_IN_CHART and not places:
        yield Violation("I4", name, f"it is said to be {state.stage}, and the EHR never made it ({mutation})", "lost")
    if state.stage is Stage.VERIFIED:
        for one in created:
            held = world.ehrs.held(one)
            if not held.touched_by_person and held.words not in {sent.text for sent in write.sent}:
                yield Violation("I4", name, "it is said to be what was signed, and the EHR holds another text", "lost")
    # What a person removed there before we could look may be sent again, and be refused then.
    if state.stage in SAYS_NOT_IN_CHART:
        ended = world.sequence_of(name, f"writeback:{state.stage}")
        known = made_by([one for one in write.sent if not is_beyond_us(world, one, ended)])
        if any(not _touched(world, one) for one in known):
            yield Violation("I7", name, f"it is said to be {state.stage}, and it is in the chart", "lost")


def _own_grant(write: Write) -> Iterator[Violation]:
    order = write.state.queued
    for sent in write.sent:
        for one in sent.written:
            # A Provenance lies in the chart of its target, wherever people moved that meanwhile.
            here = one.resource_type == "Provenance" or f"Patient/{one.patient}" == order.patient
            mine = here and f"Practitioner/{one.subject}" == order.author
            if not mine or one.family not in write.chart.families:
                what = f"{one.resource_type} was written under another grant than its signer's in this chart"
                yield Violation("I6", write.writeback_id, what, "wrong_token")


def _visible(tx: Connection, write: Write) -> Iterator[Violation]:
    state, name = write.state, write.writeback_id
    if state.stage in UNDER_WAY and not waits_for_a_person(tx, tenant_of(write.chart.visit.ehr), state):
        yield Violation("I7", name, f"it stayed {state.stage}", "unsettled")
    is_words = PROVENANCE_WAITS if state.parked_from is Stage.VERIFIED else PARKED
    if state.stage is Stage.PARKED and state.parked_for not in is_words:
        yield Violation("I7", name, f"parked for {state.parked_for}, of which no page speaks", "unsettled")
    if state.stage is Stage.VERIFIED and not state.provenance_settled:
        yield Violation("I7", name, "its Provenance stayed unsettled", "unsettled")
    due = tx.execute(select(outbox.c.due_at).where(outbox.c.writeback_id == name)).scalar_one()
    if due is not None and state.stage not in UNDER_WAY:
        yield Violation("I7", name, f"it is {state.stage} and due for ever", "unsettled")
    shown = tx.execute(select(write_status.c.stage).where(write_status.c.writeback_id == name)).scalar_one_or_none()
    if shown != state.stage:
        yield Violation("I7", name, f"it is {state.stage} and shown as {shown}")
    entry = tx.execute(select(ledger).where(ledger.c.writeback_id == name)).one_or_none()
    if entry is None or entry.payload_digest != state.queued.payload_digest:
        yield Violation("I3", name, "the ledger does not know it, so nothing would stop a second order of it")
        return
    filed_as = entry.filed_as
    if (filed_as is None) is (state.reached(Stage.FILED) is not None):
        yield Violation("I4", name, f"the ledger says {filed_as}, the log another thing")


def waits_for_a_person(tx: Connection, tenant_id: TenantId, state: WritebackState) -> bool:
    """Whether what it corrects, retracts or adds to is parked: the page shows that one, and its end decides (F41)."""
    if state.stage is not Stage.QUEUED or not state.queued.follows:
        return False
    original = load(tx, tenant_id, WritebackId(state.queued.follows))
    return original.stage is Stage.PARKED or waits_for_a_person(tx, tenant_id, original)


def _order(world: World, sent: Sent) -> WritebackQueued | None:
    with world.moments.uncounted(), world.parts.database.read() as tx:
        events = read_stream(tx, tenant_of(sent.ehr), f"writeback:{sent.writeback_id}")
    first = events[0].event if events else None
    return first if isinstance(first, WritebackQueued) else None


def _touched(world: World, written: Written) -> bool:
    return world.ehrs.held(written).touched_by_person


def made_by(sent: Sequence[Sent]) -> list[Written]:
    """What an EHR created of what was ordered itself, as far as anybody can know; a Provenance is about it."""
    known = (one for each in sent if not each.is_lost_sight_of for one in each.written)
    return [one for one in known if one.interaction == "create" and one.resource_type in FILED]
