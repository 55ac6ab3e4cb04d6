"""Callers who come at once: one of them does the work of all who wait, in one go.

Sixteen people sign at the same moment, and each alone would lock the same log, wait for the disk and let the next one
in. Here the first does its own; whoever comes meanwhile waits; then one of those who wait does all of theirs together.
Each returns only when its own is done. Where one of them is at fault, each is done alone, so that nobody fails for
another. Whoever is alone waits for nobody.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

# So many at the most in one go: the first of them must not wait for an endless queue.
MOST_AT_ONCE = 64

Work = TypeVar("Work")


class _Call(Generic[Work]):
    """One caller's work, and what became of it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.turn = Event()  # set when it is done, or when its caller is to do it
        self.is_done = False
        self.error: BaseException | None = None

    def end(self, error: BaseException | None) -> None:
        self.error, self.is_done = error, True
        self.turn.set()


class Combining(Generic[Work]):
    """Does the work of callers who come at once together."""

    def __init__(self, do_all: Callable[[Sequence[Work]], None], own_faults: type[Exception]) -> None:
        """`do_all` does all of it or, raising, none. `own_faults` are the fault of one of them: the others go on."""
        self._do_all = do_all
        self._own_faults = own_faults
        self._lock = Lock()
        self._waiting: deque[_Call[Work]] = deque()
        self._is_led = False

    def do(self, work: Work) -> None:
        """Return when `work` is done, by whomever. Raises what doing it raised; then it may be done all the same.

        Never from inside of a transaction: whoever does the work opens one.
        """
        mine = _Call(work)
        with self._lock:
            self._waiting.append(mine)
            leads, self._is_led = not self._is_led, True
        if not leads:
            self._wait(mine)
        if not mine.is_done:
            self._lead()
        if mine.error is not None:
            raise mine.error

    def _wait(self, mine: _Call[Work]) -> None:
        try:
            mine.turn.wait()
        except BaseException:
            with self._lock:
                was_to_lead = mine.turn.is_set() and not mine.is_done
                if mine in self._waiting:
                    self._waiting.remove(mine)
            if was_to_lead:
                self._pass_on()
            raise

    def _lead(self) -> None:
        """Do what waits, one's own among it, and let one of those who came meanwhile do theirs."""
        with self._lock:
            calls = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
        try:
            self._do(calls)
        finally:
            self._pass_on()

    def _do(self, calls: Sequence[_Call[Work]]) -> None:
        try:
            self._do_all([call.work for call in calls])
        except BaseException as error:
            if isinstance(error, self._own_faults) and len(calls) > 1:
                self._do_each(calls)
                return
            for call in calls:
                call.end(error)
            if not isinstance(error, Exception):
                raise
        else:
            for call in calls:
                call.end(None)

    def _do_each(self, calls: Sequence[_Call[Work]]) -> None:
        """Each alone. Whoever is stopped in the middle of it tells those that are left, so that none waits for ever."""
        left = deque(calls)
        try:
            while left:
                self._do([left.popleft()])
        except BaseException as error:
            for call in left:
                call.end(error)
            raise

    def _pass_on(self) -> None:
        with self._lock:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].turn.set()
