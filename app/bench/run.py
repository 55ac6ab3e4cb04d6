"""All bars, one after the other; what cannot be measured is said, and stops nothing else."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.bench import databases
from app.bench.measure import Bar, Machine, Wrong, this_machine

QUICK = {"sign": 40, "at_once": 64, "replay": 300, "file": 40}
BARS = ("P1", "P2", "P3", "P4", "P5", "P11")
WHOLE = {"sign": 300, "at_once": 480, "replay": 2000, "file": 300}


@dataclass
class Measured:
    """What a run found."""

    machine: Machine
    bars: list[Bar] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def run(names: frozenset[str], told: Callable[[str], None], *, quick: bool = False) -> Measured:
    """Measure the named bars (`P1` and so on), all where none is named; `told` hears of each as it begins.

    Raises `ImportError` where the development parts are missing.
    """
    from app.bench import filing, replaying, signing, simulating  # noqa: PLC0415 - they need the development parts

    gc.freeze()  # as our web processes and workers do after start-up; whichever side runs here has it so
    size = QUICK if quick else WHOLE
    with databases.home() as folder, databases.postgresql(folder) as url:
        found = Measured(this_machine(*databases.versions(url)))
        parts: dict[str, Callable[[Path], Iterator[Bar]]] = {
            "P1": lambda at: filing.latency_bars(at, size["file"]),
            "P2": lambda at: filing.no_latency_bar(at, size["file"]),
            "P3": lambda at: signing.signing_bars(at, url, size["sign"]),
            "P4": lambda at: signing.signers_bars(at, url, size["at_once"]),
            "P5": lambda at: replaying.replaying_bars(at, size["replay"]),
            "P11": lambda _: simulating.simulating_bars(),
        }
        for name in BARS:
            if not names or name in names:
                told(name)
                try:
                    found.bars += parts[name](folder)
                except Wrong as wrong:
                    found.failed.append((name, str(wrong)))
    return found
