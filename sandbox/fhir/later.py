"""What was accepted with 202 and is filed later: after some seconds, or after some more requests."""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class _Accepted:
    at: float
    requests: int
    file: Callable[[], object]


class Later:
    """Kept in memory: an EHR that stops before it filed has lost what it accepted, as real ones do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: list[_Accepted] = []

    def add(self, at: float, after_requests: int, file: Callable[[], object]) -> None:
        """File this as soon as it is `at`, and as many more requests have come."""
        with self._lock:
            self._accepted.append(_Accepted(at, after_requests, file))

    def file_all(self) -> None:
        """File now whatever was accepted."""
        with self._lock:
            due, self._accepted = self._accepted, []
        for accepted in due:
            accepted.file()

    def forget(self) -> None:
        """What was accepted and is not filed yet never will be."""
        with self._lock:
            self._accepted.clear()

    def waiting(self) -> int:
        """How many are still to be filed."""
        return len(self._accepted)

    def file_what_is_due(self, now: float, *, a_request: bool = False) -> None:
        """File what is due, oldest first; a request that came counts down first."""
        if not self._accepted:
            return
        with self._lock:
            for accepted in self._accepted:
                accepted.requests -= 1 if a_request else 0
            due = [one for one in self._accepted if one.at <= now and one.requests <= 0]
            self._accepted = [one for one in self._accepted if not any(one is taken for taken in due)]
        for accepted in due:
            accepted.file()
