"""Where faults meet the running code: each moment is counted, and what the history has for it strikes there.

The database is met at its own seams, a connection that is taken for a transaction and the driver's commit, so that
nothing of the code under test is replaced.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from app.chaos.faults import Fault, Moment


class Killed(BaseException):
    """The process died here. Not an `Exception`: nothing in the code under test may catch it."""


class Moments:
    """Counts moments and strikes. Silent until `faults` are given and between histories."""

    def __init__(self) -> None:
        self._faults: dict[tuple[Moment, int], Fault] = {}
        self._seen: Counter[Moment] = Counter()
        self._writing: set[Any] = set()  # connections whose transaction holds, or held, the write lock
        self._answer_is_lost = False
        self._is_silent = True
        self.struck: Counter[str] = Counter()
        self.pause: Callable[[float], None] = lambda _seconds: None

    def expect(self, faults: Sequence[Fault]) -> None:
        """Begin a history with these faults; of two at one moment the first strikes."""
        self._faults = {(fault.moment, fault.at): fault for fault in reversed(faults)}
        self._seen.clear()
        self.struck.clear()
        self._answer_is_lost = False

    def disarm(self) -> None:
        """Nothing more goes wrong in this history."""
        self._faults = {}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """While this lasts, the code under test is running; in the middle of it another process may."""
        with self._silence(is_silent=False):
            yield

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """While this lasts, the simulation itself looks or acts."""
        with self._silence(is_silent=True):
            yield

    @contextmanager
    def _silence(self, *, is_silent: bool) -> Iterator[None]:
        before, self._is_silent = self._is_silent, is_silent
        try:
            yield
        finally:
            self._is_silent = before

    def meet(self, moment: Moment) -> Fault | None:
        """One more moment of this kind; the fault that strikes at it, if any."""
        if self._is_silent:
            return None
        fault = self._faults.pop((moment, self._seen[moment]), None)
        self._seen[moment] += 1
        if fault:
            self.struck[fault.kind] += 1
        return fault

    def met(self, moment: Moment) -> int:
        """How many moments of this kind the history has had."""
        return self._seen[moment]

    def step(self, *, pause_at_most: float | None = None) -> None:
        """A point at which a process waits: it may die here, or stand still. Raises `Killed`."""
        fault = self.meet(Moment.STEP)
        if fault is None:
            return
        if fault.kind == "killed":
            raise Killed
        seconds = fault.seconds if pause_at_most is None else min(fault.seconds, pause_at_most)
        # Whoever holds SQLite's one write lock and stands still stops everybody: that is no race, and left out.
        if seconds > 0 and not self._somebody_writes():
            self.pause(seconds)

    def watch(self, engine: Engine) -> None:
        """Meet every transaction of this engine."""
        event.listen(engine, "engine_connect", self._beginning)  # "begin" would be too late: it takes the write lock
        event.listen(engine, "begin", self._begun)
        event.listen(engine, "commit", self._committing)
        dialect: Any = engine.dialect
        commit = dialect.do_commit

        def do_commit(connection: Any) -> None:
            commit(connection)
            self._committed()

        dialect.do_commit = do_commit

    def _beginning(self, _connection: Connection) -> None:
        self.step()
        if self.meet(Moment.BEGIN):
            raise _away("the database is away")

    def _begun(self, connection: Connection) -> None:
        if connection.get_execution_options().get("countersign_write"):
            self._writing.add(connection.connection.dbapi_connection)

    def _committing(self, _connection: Connection) -> None:
        self.step()
        fault = self.meet(Moment.COMMIT)
        if fault and fault.kind == "commit_failed":
            raise _away("the database went away")
        self._answer_is_lost = fault is not None

    def _committed(self) -> None:
        if self._answer_is_lost:
            self._answer_is_lost = False
            raise sqlite3.OperationalError("the answer to the commit was lost")
        self.step()

    def _somebody_writes(self) -> bool:
        self._writing = {one for one in self._writing if _is_open(one)}
        return bool(self._writing)


def _away(what: str) -> OperationalError:
    return OperationalError(None, None, sqlite3.OperationalError(what))


def _is_open(connection: Any) -> bool:
    try:
        return bool(connection.in_transaction)
    except sqlite3.ProgrammingError:  # it was closed
        return False
