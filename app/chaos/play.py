"""Playing one history: acts in their order, workers and sweeps between them, and then time until nothing moves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.chaos.ehr import CLINICIANS
from app.chaos.history import Act, Doing, History
from app.chaos.invariants import Violation, before_write, check, waits_for_a_person
from app.chaos.moments import Killed
from app.chaos.people import Chart, People
from app.chaos.world import World, tenant_of
from app.errors import CountersignError
from app.log_lines import place_of
from app.outbox.tables import outbox, tenant_pace
from app.projections.follower import catch_up
from app.projections.tables import write_status
from app.reconciliation.tables import followed
from app.tenants.ending import end_launch
from app.worker import sweep_once
from app.writebacks.handlers import load

MOST_ROUNDS, MOST_STEPS_MEANWHILE = 300, 8
SETTLING = Act(Doing.SWITCH_ON)
REAUTH = "reauth"
BY = "chaos"


@dataclass
class Outcome:
    """How one history ended."""

    writes: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


def play(world: World, history: History, name: str) -> Outcome:
    """Play a history in this world and check what it came to. `name` keeps its charts apart from others'."""
    return _Play(world, history, name).run()


class _Play:
    def __init__(self, world: World, history: History, name: str) -> None:
        self._world = world
        self._history = history
        world.moments.expect(history.faults)
        world.moments.pause = self._stand_still
        world.wire.forget()
        world.ehrs.forget()
        world.bells.rung.clear()
        self._people = People(world, history, name)
        self._found: list[Violation] = []
        world.wire.before_write = lambda sent: self._found.extend(before_write(world, sent))

    def run(self) -> Outcome:
        world = self._world
        for act in self._history.acts:
            world.time.pass_by(act.after)
            chart = self._people.charts[act.note]
            self._as_a_process(partial(DOINGS[act.doing], self, chart, act))
        self._settle()
        self._found += check(world, self._people.charts, world.wire.sent)
        self._put_away()
        writes = sum(len(chart.writebacks) for chart in self._people.charts)
        return Outcome(writes, dict(world.moments.struck), self._found)

    # What somebody does

    def sign(self, chart: Chart, _act: Act) -> None:
        self._people.sign(chart)

    def sign_again(self, chart: Chart, _act: Act) -> None:
        if chart.note_id is not None:
            self._people.sign(chart)

    def order_again(self, chart: Chart, _act: Act) -> None:
        if chart.is_signed:
            self._people.order_again(chart)

    def change(self, chart: Chart, act: Act) -> None:
        if chart.is_signed:
            self._people.change(chart, act.doing)

    def work(self, _chart: Chart, _act: Act) -> None:
        self._hear_bells()

    def sweep(self, _chart: Chart, _act: Act) -> None:
        sweep_once(self._world.parts)

    def relaunch(self, chart: Chart, _act: Act) -> None:
        self._people.launch(chart)

    def others_launch(self, chart: Chart, _act: Act) -> None:
        self._people.launch(chart, _another(chart.clinician))

    def sign_out(self, chart: Chart, _act: Act) -> None:
        if chart.launches:
            parts, launch = self._world.parts, chart.launch
            with parts.database.write() as tx:
                end_launch(tx, launch.tenant_id, launch.launch_id, "signed_out", actor=launch.actor, now=parts.clock())

    def tokens_end(self, _chart: Chart, _act: Act) -> None:
        self._world.time.pass_by(3700)

    def grant_ends(self, chart: Chart, _act: Act) -> None:
        for granted in chart.granted:
            self._world.ehrs.revoke(chart.visit.ehr, granted)

    def change_in_ehr(self, chart: Chart, act: Act) -> None:
        made = [one for sent in self._world.wire.sent for one in sent.written]
        for one in made:
            mine = one.ehr == chart.visit.ehr and one.patient == chart.visit.patient
            if mine and one.resource_type == "DocumentReference":
                self._world.ehrs.edit(one.ehr, one.resource_id, act.doing)

    def switch_off(self, chart: Chart, _act: Act) -> None:
        parts = self._world.parts
        parts.switches.turn_off(parts.tenants.require(tenant_of(chart.visit.ehr)), "", "", BY, BY)

    def switch_on(self, chart: Chart, _act: Act) -> None:
        parts = self._world.parts
        parts.switches.turn_on(parts.tenants.require(tenant_of(chart.visit.ehr)), "", "", BY, BY)

    def redis_flushed(self, _chart: Chart, _act: Act) -> None:
        self._world.bells.rung.clear()

    def clock_jumps(self, _chart: Chart, act: Act) -> None:
        self._world.time.skew = timedelta(seconds=act.seconds)

    def wait(self, _chart: Chart, act: Act) -> None:
        self._world.time.pass_by(act.seconds)

    # Processes

    def _as_a_process(self, work: Callable[[], object]) -> None:
        """Let a process do this: it may die, be refused, or lose its database; whatever else it raises is a defect."""
        try:
            with self._world.moments.counted():
                work()
        except (Killed, CountersignError, SQLAlchemyError):
            return
        except Exception as error:  # noqa: BLE001 - any of them is what the simulation looks for
            self._found.append(Violation("crash", "", f"{type(error).__name__} at {place_of(error)}"))

    def _stand_still(self, seconds: float) -> None:
        """A process stands still; others go on meanwhile, as soon as there is something to do."""
        world = self._world
        until = world.time.now + timedelta(seconds=seconds)
        for _ in range(MOST_STEPS_MEANWHILE):
            due = min(self._next_due() or until, until)
            world.time.pass_by((due - world.time.now).total_seconds())
            self._as_a_process(partial(sweep_once, world.parts))
            self._as_a_process(self._hear_bells)
        world.time.pass_by((until - world.time.now).total_seconds())

    def _hear_bells(self) -> None:
        """A worker takes what was rung for, one after the other."""
        world = self._world
        while world.bells.rung:
            partition = world.bells.rung.pop(0)
            world.parts.relay.answer(partition)
            if not world.parts.drain.run(partition).is_empty:
                world.parts.relay.ring(partition)

    def _settle(self) -> None:
        """Nothing new is done; clinicians come back, and time goes on until nothing is due any more."""
        world, charts = self._world, self._people.charts
        world.time.skew = timedelta(0)
        for chart in {chart.visit.ehr: chart for chart in charts}.values():
            self._as_a_process(partial(self.switch_on, chart, SETTLING))
        for chart in charts:
            if not chart.is_signed:
                self._as_a_process(partial(self._people.sign, chart))
        self._until_nothing_is_due()
        world.moments.disarm()
        for chart in self._waiting_for_sign_in():
            self._as_a_process(partial(self._people.launch, chart))
        self._until_nothing_is_due()

    def _until_nothing_is_due(self) -> None:
        """Whatever was lost, the sweeper finds; the first sweep also lets go on what was switched off."""
        world = self._world
        for _ in range(MOST_ROUNDS):
            self._as_a_process(partial(sweep_once, world.parts))
            self._as_a_process(self._hear_bells)
            due = self._next_due()
            if due is None:
                break
            world.time.pass_by((due - world.time.now).total_seconds())
        self._as_a_process(partial(catch_up, world.parts.database))

    def _waiting_for_sign_in(self) -> list[Chart]:
        """The charts whose signer has to come back; asked of the read model, as the launch itself does."""
        with self._world.parts.database.read() as tx:
            query = select(write_status.c.tenant_id, write_status.c.note_id).where(write_status.c.parked_for == REAUTH)
            notes = {row.note_id for row in tx.execute(query)}
        return [chart for chart in self._people.charts if chart.note_id in notes]

    def _next_due(self) -> datetime | None:
        """When something can next be done: it is due, nobody holds its note, and its EHR may be asked; never now.

        Not what waits for an original that waits for a person: that is looked at again for ever.
        """
        held = outbox.alias()
        leased = select(func.max(held.c.leased_until)).where(held.c.note_id == outbox.c.note_id).scalar_subquery()
        query = (
            select(outbox.c.tenant_id, outbox.c.writeback_id, outbox.c.due_at, leased, tenant_pace.c.held_until)
            .outerjoin(tenant_pace, tenant_pace.c.tenant_id == outbox.c.tenant_id)
            .where(outbox.c.due_at.isnot(None))
        )
        soon = self._world.time.now + timedelta(seconds=1)
        with self._world.moments.uncounted(), self._world.parts.database.read() as tx:
            return min(
                (
                    max(soon, *filter(None, moments))
                    for tenant_id, writeback_id, *moments in tx.execute(query)
                    if not waits_for_a_person(tx, tenant_id, load(tx, tenant_id, writeback_id))
                ),
                default=None,
            )

    def _put_away(self) -> None:
        """What still waits for a person, or is only looked at now and then, costs the next history nothing."""
        with self._world.moments.uncounted(), self._world.parts.database.write() as tx:
            tx.execute(update(outbox).where(outbox.c.due_at.isnot(None)).values(due_at=None))
            tx.execute(update(followed).where(followed.c.next_at.isnot(None)).values(next_at=None))


def _another(clinician: str) -> str:
    return next(one for one in CLINICIANS if one != clinician)


DOINGS: dict[Doing, Callable[[_Play, Chart, Act], None]] = {
    Doing.SIGN: _Play.sign,
    Doing.SIGN_AGAIN: _Play.sign_again,
    Doing.ORDER_AGAIN: _Play.order_again,
    Doing.CORRECT: _Play.change,
    Doing.ADD: _Play.change,
    Doing.RETRACT: _Play.change,
    Doing.TAKE_BACK: _Play.change,
    Doing.WORK: _Play.work,
    Doing.SWEEP: _Play.sweep,
    Doing.RELAUNCH: _Play.relaunch,
    Doing.OTHERS_LAUNCH: _Play.others_launch,
    Doing.SIGN_OUT: _Play.sign_out,
    Doing.TOKENS_END: _Play.tokens_end,
    Doing.GRANT_ENDS: _Play.grant_ends,
    Doing.EDIT: _Play.change_in_ehr,
    Doing.INVALIDATE: _Play.change_in_ehr,
    Doing.DELETE: _Play.change_in_ehr,
    Doing.SWITCH_OFF: _Play.switch_off,
    Doing.SWITCH_ON: _Play.switch_on,
    Doing.REDIS_FLUSHED: _Play.redis_flushed,
    Doing.CLOCK_JUMPS: _Play.clock_jumps,
    Doing.WAIT: _Play.wait,
}
if missing := set(Doing) - DOINGS.keys():
    raise TypeError(f"nobody does these: {sorted(missing)}")
