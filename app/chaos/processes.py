"""Our processes in a simulation: web, worker and sweeper, which die, stand still and go on, all in one thread."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.chaos.invariants import Violation, waits_for_a_person
from app.chaos.moments import Killed
from app.chaos.world import World
from app.errors import CountersignError
from app.log_lines import place_of
from app.outbox.tables import outbox, tenant_pace
from app.projections.follower import catch_up
from app.worker import resume_under_newer_launches, ring_for_what_is_due, sweep_once
from app.writebacks.handlers import load

MOST_ROUNDS, MOST_STEPS_MEANWHILE = 300, 8


class Processes:
    """What runs in one history; `found` collects what a process did that none may do."""

    def __init__(self, world: World, found: list[Violation]) -> None:
        self._world = world
        self._found = found
        self._stands_until: datetime | None = None
        world.moments.pause = self._stand_still

    def do(self, work: Callable[[], object]) -> None:
        """Let a process do this: it may die, be refused, or lose its database; whatever else it raises is a defect."""
        try:
            with self._world.moments.counted():
                work()
        except (Killed, CountersignError):
            return
        except SQLAlchemyError as error:
            if "locked" in str(error):  # no fault of ours does that: somebody stands still with the lock in hand
                self._found.append(Violation("crash", "", f"the database stayed locked at {place_of(error)}"))
        except Exception as error:  # noqa: BLE001 - any of them is what the simulation looks for
            self._found.append(Violation("crash", "", f"{type(error).__name__} at {place_of(error)}"))

    def hear_bells(self) -> None:
        """A worker takes what was rung for, one after the other."""
        world = self._world
        while world.bells.rung:
            partition = world.bells.rung.pop(0)
            world.parts.relay.answer(partition)
            if not world.parts.drain.run(partition).is_empty:
                world.parts.relay.ring(partition)

    def until_nothing_is_due(self) -> None:
        """Whatever was lost, the sweeper finds; its first sweep also lets go on what was switched off."""
        world = self._world
        self.do(partial(sweep_once, world.parts))
        for _ in range(MOST_ROUNDS):
            self.do(self.hear_bells)
            due = self._next_due() or self._due_under_newer_launches()
            if due is None:
                break
            world.time.pass_by((due - world.time.now).total_seconds())
            # The rest of a sweep finds nothing that is due; without it a history is played in half the time.
            self.do(partial(ring_for_what_is_due, world.parts))
        self.do(partial(catch_up, world.parts.database))

    def _due_under_newer_launches(self) -> datetime | None:
        """When something can be done that stopped meanwhile, and that the sweeper lets go on."""
        parts = self._world.parts
        self.do(partial(catch_up, parts.database))
        self.do(partial(resume_under_newer_launches, parts))
        return self._next_due()

    def _stand_still(self, seconds: float) -> None:
        """A process stands still; others go on meanwhile, as soon as there is something to do.

        One of these may stand still, too, but not for longer: one thread plays them all, and the first would have to
        wait for it, beyond what it may.
        """
        now, before = self._world.time.now, self._stands_until
        until = now + timedelta(seconds=seconds)
        self._stands_until = until = max(now, min(until, before or until))
        try:
            self._others_go_on(until)
        finally:
            self._stands_until = before

    def _others_go_on(self, until: datetime) -> None:
        world = self._world
        for _ in range(MOST_STEPS_MEANWHILE):
            due = min(self._next_due() or until, until)
            world.time.pass_by((due - world.time.now).total_seconds())
            self.do(partial(sweep_once, world.parts))
            self.do(self.hear_bells)
            if world.time.now >= until:
                return
        world.time.pass_by((until - world.time.now).total_seconds())

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
            rows = [
                (max(soon, *filter(None, moments)), writeback_id, tenant_id)
                for tenant_id, writeback_id, *moments in tx.execute(query)
            ]
            waiting = (
                due
                for due, writeback_id, tenant_id in sorted(rows)
                if not waits_for_a_person(tx, tenant_id, load(tx, tenant_id, writeback_id))
            )
            return next(waiting, None)
