"""Working through one partition's due writes: several in flight, each by what its stage asks for, until nothing is due.

One thread claims and renews leases; the others carry out one step of one write each. A step that is done frees its
place, and the next claim takes all free places at once.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import random
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.errors import Corrupt, Fenced, NotFound
from app.log_lines import place_of
from app.outbox import rows as outbox
from app.outbox.pace import Chance, Pace
from app.outbox.pause import pause
from app.outbox.rows import Lease, Partition
from app.tenants.directory import Known, Tenants
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState

Work = Callable[[Lease, WritebackState], None]
Result = TypeVar("Result")
CORRUPT_AGAIN = timedelta(hours=1)
# Then the job ends and rings for the rest: a worker that is asked to stop does not first empty a long backlog.
LONGEST_RUN = timedelta(seconds=30)
# No step is held longer than this, whatever hangs in it: another worker then finds out what became of it.
LONGEST_STEP = timedelta(minutes=9)
MOST_THREADS = 64

log = get_logger()


@dataclass(frozen=True)
class Drained:
    """How many steps were done, and whether nothing due was left."""

    steps: int
    is_empty: bool


class InTurn(Executor):
    """Carries out what it is given at once, in the thread of whoever gives it; what that raises is raised there."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """The future of something that is already done."""
        future: Future[Result] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass(frozen=True)
class Tempo:
    """What a simulation replaces to have every run the same: who does the steps, how many at once, chance, waiting."""

    executor: Executor | None = None
    at_once: int | None = None
    chance: Chance = random
    wait: Callable[[float], None] = time.sleep


ON_ITS_OWN = Tempo()


class Drain:
    """Does the work of a partition. `work` says what each stage asks for; a stage without work is done."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        lease: timedelta,
        work: Mapping[Stage, Work],
        pace: Pace,
        tenants: Tenants,
        tempo: Tempo = ON_ITS_OWN,
    ) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease
        self._work = work
        self._pace = pace
        self._tenants = tenants
        self._tempo = tempo
        # Its threads start when they are needed, and live as long as the process: their connections stay warm.
        self._executor = tempo.executor or ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="drain")

    def run(self, partition: Partition) -> Drained:
        """Do what is due now, for so long as one job may take. Safe to run twice at once."""
        steps, until = 0, self._clock() + LONGEST_RUN
        at_work: dict[Future[None], Lease] = {}
        renewed_at = self._clock()
        try:
            while True:
                in_time, known = self._clock() < until, self._tenants.as_now()
                if leases := self._claim(partition, known) if in_time else ():
                    at_work |= {self._executor.submit(self._do, lease, known): lease for lease in leases}
                if not at_work:
                    return Drained(steps, is_empty=in_time)
                steps += self._collect(at_work)
                if at_work and self._clock() - renewed_at >= self._lease / 3:  # however fast the others are
                    self._renew(at_work)
                    renewed_at = self._clock()
        finally:
            wait(at_work)  # whatever ended this run: what is on the wire is still recorded

    def _claim(self, partition: Partition, known: Known) -> tuple[Lease, ...]:
        with self._tenants.steady(known):
            most = self._tempo.at_once or self._tenants.concurrency_of(partition.tenant_id)
        with self._database.write() as tx:
            claim = outbox.claim(tx, partition, self._clock(), self._lease, most, self._tempo.chance)
        self._pace.heed(partition.tenant_id, claim.standing)
        return claim.leases

    def _collect(self, at_work: dict[Future[None], Lease]) -> int:
        """Wait until a step is done, or leases may have to be renewed; returns how many are. Raises as they did."""
        done, _ = wait(at_work, timeout=self._lease.total_seconds() / 3, return_when=FIRST_COMPLETED)
        for future in done:
            del at_work[future]
        for future in done:
            future.result()
        return len(done)

    def _renew(self, at_work: Mapping[Future[None], Lease]) -> None:
        now = self._clock()
        with self._database.write() as tx:
            outbox.renew(tx, [one for one in at_work.values() if now - one.claimed_at < LONGEST_STEP], now, self._lease)

    def _do(self, lease: Lease, known: Known) -> None:
        """One step of one write. A lost lease ends the step wherever it shows, and never the drain."""
        try:
            with self._tenants.steady(known):
                self._step(lease)
        except Fenced:
            log.warning("lease_lost", writeback=lease.writeback_id, tenant=lease.tenant_id)

    def _step(self, lease: Lease) -> None:
        try:
            with self._database.read() as tx:
                state = load(tx, lease.tenant_id, lease.writeback_id)
            work = self._work.get(state.stage) if state.stage else None
            if work is None:
                self._release(lease, None)
            else:
                work(lease, state)
        except (Corrupt, NotFound) as error:
            # Stop this write and say so, again every hour; the others of the partition must not wait for it.
            log.critical("write_corrupt", writeback=lease.writeback_id, tenant=lease.tenant_id, error=str(error))
            self._stumble(lease, self._clock() + CORRUPT_AGAIN, error)
        except (Fenced, SQLAlchemyError):
            raise  # without the database nothing can be said or done (F37): the job ends, and its leases run out
        except Exception as error:  # noqa: BLE001 - one write that breaks our own code must not stop the others
            where = {"error": type(error).__name__, "place": place_of(error)}
            log.critical("step_crashed", writeback=lease.writeback_id, tenant=lease.tenant_id, **where)
            self._stumble(lease, self._clock() + pause(1), error)

    def _release(self, lease: Lease, due_at: datetime | None) -> None:
        with self._database.write() as tx:
            outbox.release(tx, lease, due_at)

    def _stumble(self, lease: Lease, again_at: datetime, error: Exception) -> None:
        with self._database.write() as tx:
            is_dead = outbox.stumble(tx, lease, again_at, type(error).__name__)
        if is_dead:
            log.critical("dead_letter", writeback=lease.writeback_id, tenant=lease.tenant_id)
