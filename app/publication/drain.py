"""Working through one partition's due writes: claim one, do what its stage asks for, until nothing is due."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.errors import Corrupt, Fenced, NotFound
from app.outbox import rows as outbox
from app.outbox.rows import Lease, Partition
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState

Work = Callable[[Lease, WritebackState], None]
CORRUPT_AGAIN = timedelta(hours=1)
# Then the job ends and rings for the rest: a worker that is asked to stop does not first empty a long backlog.
LONGEST_RUN = timedelta(seconds=30)

log = get_logger()


@dataclass(frozen=True)
class Drained:
    """How many steps were done, and whether nothing due was left."""

    steps: int
    is_empty: bool


class Drain:
    """Does the work of a partition. `work` says what each stage asks for; a stage without work is done."""

    def __init__(self, database: Database, clock: Clock, lease: timedelta, work: Mapping[Stage, Work]) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease
        self._work = work

    def run(self, partition: Partition) -> Drained:
        """Do what is due now, for so long as one job may take. Safe to run twice at once."""
        steps, until = 0, self._clock() + LONGEST_RUN
        while self._clock() < until:
            lease = self._claim(partition)
            if lease is None:
                return Drained(steps, is_empty=True)
            self._do(lease)
            steps += 1
        return Drained(steps, is_empty=False)

    def _claim(self, partition: Partition) -> Lease | None:
        with self._database.write() as tx:
            return outbox.claim(tx, partition, self._clock(), self._lease)

    def _do(self, lease: Lease) -> None:
        """One step of one write. A lost lease ends the step wherever it shows, and never the drain."""
        try:
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
            self._release(lease, self._clock() + CORRUPT_AGAIN)

    def _release(self, lease: Lease, due_at: datetime | None) -> None:
        with self._database.write() as tx:
            outbox.release(tx, lease, due_at)
