"""Playing one history: acts in their order, workers and sweeps between them, and then time until nothing moves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sqlalchemy import select, update

from app.chaos.aftermath import THERE, is_awaited, is_told, look_again
from app.chaos.ehr import CLINICIANS, SIGNED_AT
from app.chaos.faults import FORGED, Moment
from app.chaos.history import Act, Doing, History
from app.chaos.invariants import Violation, before_write, check, one_is_live, remade, unforeseen
from app.chaos.people import Chart, People
from app.chaos.processes import Processes
from app.chaos.versions import one_version_stands, stands_twice
from app.chaos.world import World, tenant_of
from app.outbox.tables import outbox
from app.projections.tables import write_status
from app.reconciliation.notices import SKEW
from app.reconciliation.tables import followed
from app.tenants.ending import end_launch
from app.worker import sweep_once
from app.writebacks.endings import Ending

SETTLING = Act(Doing.SWITCH_ON)
REAUTH = "reauth"
BY = "chaos"
TAKEN, REFUSED, FAILED = 202, 401, 500


@dataclass
class Outcome:
    """How one history ended."""

    writes: int = 0
    remade: int = 0
    unforeseen: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    # How many steps had been met when each act ended: where a fault has to be put to strike in one of them.
    steps: list[int] = field(default_factory=list)


def play(world: World, history: History, name: str) -> Outcome:
    """Play a history in this world and check what it came to. `name` keeps its charts apart from others'."""
    return _Play(world, history, name).run()


class _Play:
    def __init__(self, world: World, history: History, name: str) -> None:
        self._world = world
        self._history = history
        world.moments.expect(history.faults)
        world.share_commits(shared=all(fault.kind != "paused" for fault in history.faults))
        world.wire.forget()
        world.begin()
        world.bells.rung.clear()
        self._people = People(world, history, name)
        world.ehrs.forget()
        self._found: list[Violation] = []
        self._steps: list[int] = []
        self._processes = Processes(world, self._found)
        world.wire.before_write = lambda sent: self._found.extend(before_write(world, sent))
        world.wire.after_write = self._look_at_charts

    def run(self) -> Outcome:
        world = self._world
        for act in self._history.acts:
            world.time.pass_by(act.after)
            chart = self._people.charts[act.note]
            self._processes.do(partial(DOINGS[act.doing], self, chart, act))
            self._steps.append(world.moments.met(Moment.STEP))
        self._settle()
        is_changed = any(act.doing in THERE for act in self._history.acts)
        is_news = is_changed or stands_twice(world, self._people.charts) or is_awaited(world, self._people.charts)
        if is_news:
            look_again(world, self._people, self._processes)
        self._found += check(world, self._people.charts, world.wire.sent)
        self._found += one_version_stands(world, self._people.charts, world.wire.sent)
        if is_news:
            self._found += is_told(world, self._people.charts, world.wire.sent)
        self._put_away()
        writes, sent = sum(len(chart.writebacks) for chart in self._people.charts), world.wire.sent
        faults = dict(world.moments.struck)
        return Outcome(writes, remade(sent), unforeseen(sent), faults, self._found, self._steps)

    def _look_at_charts(self) -> None:
        """I1 holds whenever a chart was changed; what is found once is not told again."""
        known = {(one.writeback, one.what) for one in self._found}
        found = one_is_live(self._world, self._world.wire.sent)
        self._found += [one for one in found if (one.writeback, one.what) not in known]

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

    def end(self, chart: Chart, act: Act) -> None:
        if chart.is_signed:
            self._people.end(chart, ENDINGS[act.doing])

    def work(self, _chart: Chart, _act: Act) -> None:
        self._processes.hear_bells()

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
        """People at the EHR do this to all that was filed in the chart."""
        staff = self._world.ehrs.staff[chart.visit.ehr]
        for place in self._filed(chart):
            if act.doing is Doing.BRING_BACK:
                staff.bring_back(place)
            else:
                staff.edit(place, IN_EHR[act.doing])
        self._look_at_charts()

    def merge(self, chart: Chart, _act: Act) -> None:
        ehrs, visit = self._world.ehrs, chart.visit
        ehrs.admit(visit.ehr, f"{visit.patient}-survivor")
        ehrs.staff[visit.ehr].merge(visit.patient, f"{visit.patient}-survivor")

    def back_up(self, chart: Chart, _act: Act) -> None:
        self._world.ehrs.staff[chart.visit.ehr].back_up()

    def go_back(self, chart: Chart, _act: Act) -> None:
        self._world.ehrs.staff[chart.visit.ehr].go_back()
        self._look_at_charts()

    def tell(self, chart: Chart, _act: Act) -> None:
        """The EHR posts its notices: the forged ones are refused, all others taken, however often they come."""
        world = self._world
        for notice in world.ehrs.notices(chart.visit.ehr, world.moments.meet(Moment.TELL)):
            signed_at = int(notice.headers.get(SIGNED_AT, 0))
            struck, was_fresh = sum(world.moments.struck.values()), self._is_fresh(signed_at)
            status = world.tell(notice.url, notice.headers, notice.body)
            if status >= FAILED and sum(world.moments.struck.values()) > struck:
                continue  # the database went away meanwhile, and the sender knows that it was not taken
            is_good = notice.knob not in FORGED
            right = {TAKEN if is_good and fresh else REFUSED for fresh in (was_fresh, self._is_fresh(signed_at))}
            if status not in right:
                self._found.append(Violation("F31", "", f"a notice ({notice.knob}) was answered with {status}"))

    def _is_fresh(self, signed_at: int) -> bool:
        return abs(self._world.parts.clock().timestamp() - signed_at) <= SKEW.total_seconds()

    def _filed(self, chart: Chart) -> list[str]:
        made = [one for sent in self._world.wire.sent for one in sent.written if one.interaction == "create"]
        mine = [one for one in made if (one.ehr, one.patient) == (chart.visit.ehr, chart.visit.patient)]
        return [f"{one.resource_type}/{one.resource_id}" for one in mine if one.resource_type != "Provenance"]

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

    def _settle(self) -> None:
        """Nothing new is done; clinicians come back, and time goes on until nothing is due any more."""
        world, charts = self._world, self._people.charts
        world.time.skew = timedelta(0)
        self._switch_everything_on()
        for chart in charts:
            if not chart.is_signed:
                self._processes.do(partial(self._people.sign, chart))
        self._processes.until_nothing_is_due()
        world.moments.disarm()
        self._switch_everything_on()  # who was struck the first time; else it would go on in another history
        for chart in self._waiting_for_sign_in():
            self._processes.do(partial(self._people.launch, chart))
        self._processes.until_nothing_is_due()

    def _switch_everything_on(self) -> None:
        for chart in {chart.visit.ehr: chart for chart in self._people.charts}.values():
            self._processes.do(partial(self.switch_on, chart, SETTLING))

    def _waiting_for_sign_in(self) -> list[Chart]:
        """The charts whose signer has to come back; asked of the read model, as the launch itself does."""
        with self._world.parts.database.read() as tx:
            query = select(write_status.c.tenant_id, write_status.c.note_id).where(write_status.c.parked_for == REAUTH)
            notes = {row.note_id for row in tx.execute(query)}
        return [chart for chart in self._people.charts if chart.note_id in notes]

    def _put_away(self) -> None:
        """What still waits for a person, or is only looked at now and then, costs the next history nothing."""
        with self._world.moments.uncounted(), self._world.parts.database.write() as tx:
            tx.execute(update(outbox).where(outbox.c.due_at.isnot(None)).values(due_at=None))
            tx.execute(update(followed).where(followed.c.next_at.isnot(None)).values(next_at=None))


def _another(clinician: str) -> str:
    return next(one for one in CLINICIANS if one != clinician)


ENDINGS = {Doing.GIVE_UP: Ending.ABANDON, Doing.LOOK_AGAIN: Ending.LOOK_AGAIN}
IN_EHR = {Doing.EDIT: "edit_text", Doing.INVALIDATE: "invalidate", Doing.DELETE: "delete"}
DOINGS: dict[Doing, Callable[[_Play, Chart, Act], None]] = {
    Doing.SIGN: _Play.sign,
    Doing.SIGN_AGAIN: _Play.sign_again,
    Doing.ORDER_AGAIN: _Play.order_again,
    Doing.CORRECT: _Play.change,
    Doing.ADD: _Play.change,
    Doing.RETRACT: _Play.change,
    Doing.TAKE_BACK: _Play.change,
    Doing.GIVE_UP: _Play.end,
    Doing.LOOK_AGAIN: _Play.end,
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
    Doing.BRING_BACK: _Play.change_in_ehr,
    Doing.MERGE: _Play.merge,
    Doing.BACK_UP: _Play.back_up,
    Doing.GO_BACK: _Play.go_back,
    Doing.TELL: _Play.tell,
    Doing.SWITCH_OFF: _Play.switch_off,
    Doing.SWITCH_ON: _Play.switch_on,
    Doing.REDIS_FLUSHED: _Play.redis_flushed,
    Doing.CLOCK_JUMPS: _Play.clock_jumps,
    Doing.WAIT: _Play.wait,
}
if missing := set(Doing) - DOINGS.keys():
    raise TypeError(f"nobody does these: {sorted(missing)}")
