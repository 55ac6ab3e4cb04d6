"""Callers who come at once: one does the work of all, and nobody fails for another."""

from collections.abc import Callable, Sequence
from threading import Event, Thread

import pytest

from app import combining
from app.combining import Combining
from tests.races.at_once import at_once


class Worker:
    """Writes down what was done in one go, and waits at the first work until so many others came."""

    def __init__(self, others: int) -> None:
        self.goes: list[list[object]] = []
        self.combining = Combining[object](self._do_all, LookupError)
        self._others = others
        self.begun = Event()

    def at_once(self, *works: object) -> list[object]:
        """The answers of those who came while the first was at work."""
        calls: list[Callable[[], object]] = [lambda work=work: self._behind(work) for work in works]  # type: ignore[misc]
        return at_once(lambda: self.combining.do("first"), *calls)[1:]

    def give_up(self) -> None:
        """Somebody comes and does not stay."""
        try:
            self.combining.do("given up")
        finally:
            self._others = 0

    def _behind(self, work: object) -> None:
        self.begun.wait(10)
        self.combining.do(work)

    def _do_all(self, works: Sequence[object]) -> None:
        self.begun.set()
        while works[0] == "first" and len(self.combining._waiting) < self._others:
            pass
        self.goes.append(sorted(map(str, works)))
        for work in works:
            if isinstance(work, BaseException):
                raise work


def test_what_comes_while_one_works_is_done_together() -> None:
    worker = Worker(others=3)

    answers = worker.at_once(1, 2, 3)

    assert answers == [None, None, None]
    assert worker.goes == [["first"], ["1", "2", "3"]]


def test_whoever_is_at_fault_fails_alone() -> None:
    worker = Worker(others=3)

    answers = worker.at_once(1, LookupError("this one"), 3)

    assert sorted(type(one).__name__ for one in answers) == ["LookupError", "NoneType", "NoneType"]
    assert sorted(worker.goes[2:]) == [["1"], ["3"], ["this one"]]


def test_whoever_is_stopped_while_each_is_done_alone_leaves_nobody_waiting() -> None:
    """The one who works is ended, as by its server, after the first of them: the others are told."""
    goes: list[int] = []
    begun = Event()

    def do_all(works: Sequence[object]) -> None:
        goes.append(len(works))
        begun.set()
        if goes == [1]:
            while len(callers._waiting) < 3:
                pass
        elif len(works) > 1:
            raise LookupError
        else:
            raise KeyboardInterrupt

    def behind() -> str:
        begun.wait(10)
        try:
            callers.do("behind")
        except KeyboardInterrupt:
            return "told"
        return "done"

    callers = Combining[object](do_all, LookupError)
    answers = at_once(lambda: callers.do("first"), behind, behind, behind)

    assert answers == [None, "told", "told", "told"]
    assert goes == [1, 3, 1]


def test_what_is_nobodys_fault_is_told_to_all_and_not_tried_again() -> None:
    worker = Worker(others=3)

    answers = worker.at_once(1, OSError("the disk"), 3)

    assert [type(one) for one in answers] == [OSError] * 3
    assert len(worker.goes) == 2


def test_an_endless_queue_is_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "MOST_AT_ONCE", 2)
    worker = Worker(others=5)

    answers = worker.at_once(*range(5))

    assert answers == [None] * 5
    assert [len(go) for go in worker.goes] == [1, 2, 2, 1]


def test_after_an_error_the_next_one_goes_on() -> None:
    worker = Worker(others=0)

    with pytest.raises(KeyboardInterrupt):
        worker.combining.do(KeyboardInterrupt())
    worker.combining.do(1)

    assert worker.goes[-1] == ["1"]


class GivesUpAtOnce(Event):
    def wait(self, _timeout: float | None = None) -> bool:
        raise KeyboardInterrupt


class GivesUpWhenItIsItsTurn(Event):
    def wait(self, timeout: float | None = None) -> bool:
        super().wait(timeout)
        raise KeyboardInterrupt


@pytest.mark.parametrize("event", [GivesUpAtOnce, GivesUpWhenItIsItsTurn])
def test_whoever_gives_up_waiting_holds_nobody_up(event: type[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(others=1)
    first = Thread(target=worker.combining.do, args=("first",))
    first.start()
    worker.begun.wait(10)

    with monkeypatch.context() as patch:
        patch.setattr(combining, "Event", event)
        with pytest.raises(KeyboardInterrupt):
            worker.give_up()
    first.join(10)
    worker.combining.do("next")

    assert worker.goes == [["first"], ["next"]]
