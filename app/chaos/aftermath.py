"""What became of the filed writes that people changed in the EHR: the app looks again, and says what stands there."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from app.chaos.ehr import Held
from app.chaos.history import Doing
from app.chaos.invariants import Violation, made_by
from app.chaos.people import Chart, People, signed_writes
from app.chaos.processes import Processes
from app.chaos.wire import Sent
from app.chaos.world import World, tenant_of
from app.ids import WritebackId
from app.projections.follower import catch_up
from app.reconciliation import followed
from app.reconciliation.changes import ChangeThere
from app.writebacks.handlers import load
from app.writebacks.state import IN_CHART, Stage, WritebackState

# What people at the EHR do: only after these is there anything to find.
THERE = frozenset({Doing.EDIT, Doing.INVALIDATE, Doing.DELETE, Doing.BRING_BACK, Doing.MERGE, Doing.GO_BACK})
# An absence counts when it was seen twice, a while apart.
LOOKS, BETWEEN = 2, timedelta(hours=1)


def look_again(world: World, people: People, processes: Processes) -> None:
    """Everybody's chart is opened once more, and the sweeper looks at all that was filed there."""
    for chart in people.charts:
        if chart.is_signed:
            processes.do(partial(people.launch, chart))
    processes.until_nothing_is_due()
    for _ in range(LOOKS):
        with world.moments.uncounted(), world.parts.database.write() as tx:
            for chart in people.charts:
                followed.hasten_tenant(tx, tenant_of(chart.visit.ehr), world.parts.clock())
        processes.do(world.parts.following.sweep)
        processes.until_nothing_is_due()  # what was not shown and is there now goes on
        world.time.pass_by(BETWEEN.total_seconds())
    processes.do(partial(catch_up, world.parts.database))


def is_awaited(world: World, charts: Sequence[Chart]) -> bool:
    """Whether some write stopped, or was ended, that the EHR may show yet."""
    with world.moments.uncounted(), world.parts.database.read() as tx:
        of = [(tenant_of(chart.visit.ehr), chart) for chart in charts]
        return any(load(tx, at, one).may_still_appear for at, chart in of for one in signed_writes(tx, at, chart))


def is_told(world: World, charts: Sequence[Chart], sent: Sequence[Sent]) -> Iterator[Violation]:
    """I4, I7: what is said of each filed write is what stands there, and no news is made up."""
    with world.moments.uncounted(), world.parts.database.read() as tx:
        for chart in charts:
            for writeback_id in sorted(chart.writebacks):
                yield from _told_of(world, tx, chart, writeback_id, sent)


def _told_of(
    world: World, tx: Connection, chart: Chart, writeback_id: WritebackId, sent: Sequence[Sent]
) -> Iterator[Violation]:
    state = load(tx, tenant_of(chart.visit.ehr), writeback_id)
    mine = [one for one in sent if one.writeback_id == writeback_id]
    made = made_by(mine)
    if state.may_still_appear and any(_can_be_seen(world, one) for one in mine):
        yield Violation("I7", writeback_id, f"it is {state.stage} as never seen, and stands there", "lost")
    if state.stage not in IN_CHART or not made:
        return
    named = next((one for one in made if one.resource_id == state.resource_id), None)
    if named is None:
        yield Violation("I4", writeback_id, "it is said to stand in a resource that the EHR never made for it")
        return
    is_double = sum(world.ehrs.held(one).is_live for one in made) > 1
    if wrong := _wrong(state, world.ehrs.held(named), is_double=is_double):
        yield Violation("I7", writeback_id, f"it is said to be {state.stage} {state.change_there}, and {wrong}")


def _can_be_seen(world: World, sent: Sent) -> bool:
    """Whether the EHR has made it, and whoever looks for it in this chart knows it for ours."""
    held = [world.ehrs.held(one) for one in made_by([sent])]
    return any(one.is_live and not one.patient_was_merged for one in held) and not sent.is_unmarked


def _wrong(state: WritebackState, held: Held, *, is_double: bool) -> str:
    """What stands there and is not said; empty where it is told as it is."""
    if not held.is_there:
        return "" if state.stage in (Stage.OVERRIDDEN, Stage.MISSING) else "it is not there"
    if is_double:
        return "" if state.change_there == ChangeThere.DOUBLED else "it stands there twice"
    if not held.is_live:
        return "" if state.stage in (Stage.OVERRIDDEN, Stage.DRIFTED) else "it is no longer valid there"
    if state.is_left_current:
        return "" if state.superseded_by else "no later version replaces it"
    if state.settled_as:
        return ""  # it came after it had been ended, as it was filed or otherwise
    if state.change_there == ChangeThere.CAME_LATE:
        return "nobody had ended it"
    if state.is_replaced and state.stage is Stage.VERIFIED:
        return "a later version replaced it"
    may_be_news = held.touched_by_person or held.patient_was_merged
    if not may_be_news and state.stage in (Stage.OVERRIDDEN, Stage.MISSING):
        return "nobody touched it"
    return ""
