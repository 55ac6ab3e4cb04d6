"""Many histories, played in this process or in several at once, and what they came to."""

import logging
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import structlog
from structlog.typing import EventDict, WrappedLogger

from app.artifacts.verify import verify_everything
from app.chaos.chance import repeatable
from app.chaos.history import History, draw
from app.chaos.invariants import Violation
from app.chaos.play import Outcome, play
from app.chaos.result import Result
from app.chaos.shrink import shortest
from app.chaos.world import World, fresh_world, migrated

# A world's tables grow; after so many histories a fresh one is faster.
IN_ONE_WORLD = 50
# What must never be logged, whatever goes wrong around us: each is a defect of our own.
ALARMS = frozenset({"step_crashed", "write_corrupt", "dead_letter"})
MOST_SHRUNK = 3


def simulate(histories: int, seed: int, jobs: int = 0) -> Result:
    """Play so many histories of a seed; `jobs` processes at once, one for each core by default."""
    chunks = [(seed, range(start, min(start + IN_ONE_WORLD, histories))) for start in range(0, histories, IN_ONE_WORLD)]
    result = Result(seed)
    jobs = min(jobs or os.cpu_count() or 1, len(chunks))
    if jobs <= 1:
        for chunk in chunks:
            result.add(play_some(*chunk))
        return result
    migrated()  # once, before the processes part
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for part in pool.starmap(play_some, chunks, chunksize=1):
            result.add(part)
    return result


def play_some(seed: int, numbers: Sequence[int]) -> Result:
    """Play these histories in one world, and check its whole log at the end."""
    result = Result(seed)
    with quiet() as alarms, fresh_world() as world:
        for number in numbers:
            history = draw(seed, number)
            outcome = played(world, history, _name(seed, number), alarms)
            _count(result, number, history, outcome)
        with world.moments.uncounted(), world.parts.database.read() as tx:
            for problem in verify_everything(tx).problems:
                result.broken(numbers[-1], "I5", "", f"the log: {problem.what}")
    return result


def fails(history: History, name: str = "h") -> bool:
    """Whether a history breaks a promise, in a world of its own."""
    with quiet() as alarms, fresh_world() as world:
        return bool(played(world, history, name, alarms).violations)


def played(world: World, history: History, name: str, alarms: list[str]) -> Outcome:
    """Play one history; what `quiet` collected meanwhile is a broken promise too."""
    alarms.clear()
    with repeatable(name):
        outcome = play(world, history, name)
    outcome.violations += [Violation("crash", "", alarm) for alarm in alarms]
    return outcome


def _count(result: Result, number: int, history: History, outcome: Outcome) -> None:
    result.histories += 1
    result.writes += outcome.writes
    result.remade += outcome.remade
    result.unforeseen += outcome.unforeseen
    result.faults.update(outcome.faults)
    for found in outcome.violations:
        result.broken(number, found.invariant, found.writeback, found.what, found.harm)
    if outcome.violations and sum("shortest" in one for one in result.violations) < MOST_SHRUNK:
        result.violations[-1]["shortest"] = shortest(history, partial(fails, name=_name(result.seed, number))).lines()


def _name(seed: int, number: int) -> str:
    """What keeps a history's charts apart from others' in its world, and what its chance is drawn from."""
    return f"s{seed}h{number}"


@contextmanager
def quiet() -> Iterator[list[str]]:
    """No log lines meanwhile; what must never be logged is collected."""
    alarms: list[str] = []

    def collect(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        if line["event"] in ALARMS:
            alarms.append(" ".join(str(line[name]) for name in ("event", "error", "place") if name in line))
        raise structlog.DropEvent

    before, libraries = structlog.get_config(), logging.root.manager.disable
    structlog.configure(processors=[collect], cache_logger_on_first_use=False)
    logging.disable()  # what libraries say, such as that there is no Redis
    try:
        yield alarms
    finally:
        logging.disable(libraries)
        structlog.configure(**before)
