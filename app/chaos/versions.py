"""The versions of one note together: one stands in the chart, and none that is there counts as not filed (I1, I7)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlalchemy import Connection

from app.chaos.invariants import NOW, Violation, is_beyond_us, made_by
from app.chaos.people import Chart
from app.chaos.wire import Sent
from app.chaos.world import World, tenant_of
from app.notes.reading import load_state
from app.notes.versions import Version, versions_of
from app.policy.mutation import Standing
from app.writebacks.endings import OUTCOMES, Ending
from app.writebacks.state import LEFT_CURRENT, Stage

NOT_THERE = frozenset({Standing.NOT_FILED, Standing.UNSENT})


def one_version_stands(world: World, charts: Sequence[Chart], sent: Sequence[Sent]) -> Iterator[Violation]:
    """What is wrong with the versions of each chart's note, as far as no person changed them in the EHR."""
    with world.moments.uncounted(), world.parts.database.read() as tx:
        for chart in charts:
            yield from _of_note(world, tx, chart, sent)


def stands_twice(world: World, charts: Sequence[Chart]) -> bool:
    """Whether two versions of some note are current: its signer is told of that by the next look."""
    return any(one.invariant == "I1" for one in one_version_stands(world, charts, world.wire.sent))


def _of_note(world: World, tx: Connection, chart: Chart, sent: Sequence[Sent]) -> Iterator[Violation]:
    if chart.note_id is None:
        return
    tenant_id = tenant_of(chart.visit.ehr)
    there = []
    for version in versions_of(tx, tenant_id, load_state(tx, tenant_id, chart.note_id)):
        mine = [one for one in sent if one.writeback_id == version.writeback_id and _stands(world, one)]
        if mine and not version.is_addendum:
            there.append((version, mine))
        if version.standing in NOT_THERE and not all(is_beyond_us(world, one, NOW) for one in mine):
            what = f"it counts as {version.standing}, and is in the chart"
            yield Violation("I7", version.writeback_id, what, "lost")
    for (before, earlier), (later, _) in pairwise(there):
        if before.write.change_there == LEFT_CURRENT or later.write.stage is Stage.DRIFTED or _was_given_up(later):
            continue  # its signer is told, and decides, or has decided
        ordered = world.sequence_of(later.writeback_id, "writeback:queued")
        for one in earlier:
            one.is_lost_sight_of |= is_beyond_us(world, one, ordered)
        if not all(one.is_lost_sight_of for one in earlier):
            what = "it stands in the chart beside an earlier version of the note"
            yield Violation("I1", later.writeback_id, what, "duplicated")


def _was_given_up(version: Version) -> bool:
    return version.write.stage is Stage.SETTLED and version.write.settled_as == OUTCOMES[Ending.ABANDON]


def _stands(world: World, sent: Sent) -> bool:
    """Whether the EHR has made it, and it is valid there, and nobody but us touched it."""
    held = [world.ehrs.held(one) for one in made_by([sent])]
    return any(one.is_live and not one.touched_by_person and not one.brought_back for one in held)
