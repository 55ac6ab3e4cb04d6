"""Several callers at the same moment."""

from collections.abc import Callable
from threading import Barrier, Thread
from time import monotonic, sleep
from typing import Any

from sqlalchemy import text

from app.db import Database

JOINED_WITHIN_SECONDS = 60
WAITS_WITHIN_SECONDS = 15
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


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


def wait_until_somebody_waits(database: Database) -> None:
    """Until another connection waits for a lock; on SQLite a writer waits for the whole file at once."""
    until = monotonic() + WAITS_WITHIN_SECONDS
    while database.engine.dialect.name == "postgresql":
        with database.read() as tx:
            if tx.execute(WAITING).scalar_one():
                return
        assert monotonic() < until, "it did not wait for the row"
        sleep(0.02)
