"""What a bar is and how it is measured: both sides in one run, one after the other, several times over.

Absolute figures of a shared machine swing; the ratio of two sides that ran within the same seconds does not. So a bar
is a ratio: the median over the rounds, with how far they lay apart.
"""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROUNDS = 5


@dataclass(frozen=True)
class Round:
    """One round of a bar: what each side did in it, in the bar's unit."""

    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.peer if self.peer else 0.0


@dataclass(frozen=True)
class Bar:
    """One bar measured. `is_ceiling`: the value must not be above the bar, where otherwise it must not be below."""

    name: str
    what: str
    unit: str
    bar: float
    rounds: tuple[Round, ...]
    limit: str
    is_ceiling: bool = False

    @property
    def value(self) -> float:
        """The median of the rounds' ratios."""
        return median(one.ratio for one in self.rounds)

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        return self.value <= self.bar if self.is_ceiling else self.value >= self.bar

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio."""
        ratios = [one.ratio for one in self.rounds]
        return min(ratios), max(ratios)

    def as_json(self) -> dict[str, Any]:
        """As `countersign bench --json` prints it."""
        return {
            "name": self.name,
            "what": self.what,
            "value": round(self.value, 3),
            "bar": self.bar,
            "at": "most" if self.is_ceiling else "least",
            "met": self.met,
            "ours": round(median(one.ours for one in self.rounds), 2),
            "peer": round(median(one.peer for one in self.rounds), 2),
            "unit": self.unit,
            "runs": len(self.rounds),
            "spread": [round(one, 3) for one in self.spread],
            "limit": self.limit,
        }


class Wrong(Exception):
    """A side did not do what it was measured for: its figure means nothing."""


def alternate(ours: Callable[[], float], *peers: Callable[[], float], rounds: int = ROUNDS) -> list[tuple[Round, ...]]:
    """Every side once in each round, ours first in every other one; for each peer the rounds against it."""
    sides = (ours, *peers)
    measured: list[list[Round]] = [[] for _ in peers]
    for number in range(rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        found = {index: sides[index]() for index in order}
        for index in range(len(peers)):
            measured[index].append(Round(found[0], found[index + 1]))
    return [tuple(one) for one in measured]


def rate(work: Callable[[], object], count: int) -> float:
    """How many a second, when `work` does `count` of them."""
    begun = perf_counter()
    work()
    return count / (perf_counter() - begun)


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    processors: int
    processor: str
    memory_gib: float
    system: str
    python: str
    sqlite: str
    postgresql: str
    load: float

    def as_json(self) -> dict[str, Any]:
        """As `countersign bench --json` prints it."""
        return asdict(self)


def this_machine(sqlite: str, postgresql: str) -> Machine:
    """The machine that this runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Machine(
        processors=len(os.sched_getaffinity(0)),
        processor=_processor(),
        memory_gib=round(memory, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=sqlite,
        postgresql=postgresql,
        load=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
