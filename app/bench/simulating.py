"""P11: histories of the chaos simulation in process, against the same number with real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter

from app.bench.measure import Bar, Round, Wrong
from app.settings import ROOT

SEED = 11
IN_PROCESS, WITH_PROCESSES = 120, 10


def simulating_bars() -> Iterator[Bar]:
    """P11. Real processes are slow to start and kill, so they run once; the simulation in process runs five times."""
    real = _histories(WITH_PROCESSES, "--processes")
    rounds = tuple(Round(_histories(IN_PROCESS), real) for _ in range(5))
    yield Bar(
        "P11",
        "chaos histories a second in process, against real processes with PostgreSQL and Redis",
        "histories/s",
        50,
        rounds,
        "in process: the log's appends and the sandbox's store; with processes: starts, kills and leases that run out",
    )


def _histories(count: int, *more: str) -> float:
    arguments = ["chaos", "--histories", str(count), "--seed", str(SEED), "--json", *more]
    begun = perf_counter()
    done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-m", "app.cli", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    took = perf_counter() - begun
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise Wrong(f"the simulation did not end: {done.stderr[-300:]}") from None
    if found["violations"] or found["histories"] != count:
        raise Wrong("the simulation found a violation: its speed says nothing")
    return count / took
