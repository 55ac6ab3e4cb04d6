"""Several callers at the same moment."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

JOINED_WITHIN_SECONDS = 60


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Start all calls together in threads; each one's answer, or the exception that it ended with."""
    answers: list[Any] = [None] * len(calls)
    barrier = Barrier(len(calls))

    def run(index: int) -> None:
        barrier.wait()
        try:
            answers[index] = calls[index]()
        except Exception as error:  # noqa: BLE001 - the test looks at whatever it was
            answers[index] = error

    threads = [Thread(target=run, args=(index,), daemon=True) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOINED_WITHIN_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a caller never came back: deadlock"
    return answers


def failures(answers: list[Any]) -> list[Exception]:
    return [answer for answer in answers if isinstance(answer, Exception)]
