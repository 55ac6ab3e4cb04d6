"""The measured bars as a table for `docs/performance.md`, and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from app.bench.measure import Bar, Machine


def as_json(machine: Machine, bars: Sequence[Bar], failed: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What `countersign bench --json` prints; `failed` names what could not be measured, and why."""
    return {
        "machine": machine.as_json(),
        "bars": [bar.as_json() for bar in bars],
        "failed": [{"name": name, "why": why} for name, why in failed],
    }


def as_markdown(machine: Machine, bars: Sequence[Bar], failed: Sequence[tuple[str, str]]) -> str:
    """The page, whole."""
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; not to be edited by hand. Each bar is a ratio: both sides ran in one run, one after",
        "the other, several times over, each with its own check that the work was done and done once. The value is the",
        "median of the rounds' ratios; a shared machine moves both sides, and the ratio by about a fifth.",
        "",
        f"Measured on {datetime.now(UTC).date()}: {machine.processors} processors ({machine.processor}), "
        f"{machine.memory_gib} GiB, {machine.system}, Python {machine.python}, SQLite {machine.sqlite}"
        + (f", PostgreSQL {machine.postgresql}" if machine.postgresql else "")
        + f"; load at the start {machine.load}.",
        "",
        "| Bar | What | Ours | Peer | Ratio | Lowest to highest | Bar | Met |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(bar) for bar in bars),
        "",
        "What limits each:",
        "",
        *dict.fromkeys(f"- {bar.name.split()[0]}: {bar.limit}." for bar in bars),
    ]
    if failed:
        lines += ["", "Not measured:", "", *(f"- {name}: {why}." for name, why in failed)]
    short = [bar for bar in bars if not bar.met]
    if short:
        lines += ["", "What falls short, and by how much:", "", *(f"- {_shortfall(bar)}" for bar in short)]
    return "\n".join([*lines, ""])


def _row(bar: Bar) -> str:
    low, high = bar.spread
    sign = "at most" if bar.is_ceiling else "at least"
    ours, peer = (median(sides) for sides in zip(*((one.ours, one.peer) for one in bar.rounds), strict=True))
    return (
        f"| {bar.name} | {bar.what} | {ours:,.3g} {bar.unit} | {peer:,.3g} {bar.unit} | {bar.value:.3g} "
        f"| {low:.3g} to {high:.3g} | {sign} {bar.bar:.3g} | {'yes' if bar.met else 'no'} |"
    )


def _shortfall(bar: Bar) -> str:
    why = bar.limit[0].upper() + bar.limit[1:]
    if bar.is_ceiling:
        return f"{bar.name}: {bar.value:.3g} where at most {bar.bar:.3g} was wanted. {why}."
    share = round(100 * bar.value / bar.bar)
    return f"{bar.name}: {bar.value:.3g} where at least {bar.bar:.3g} was wanted ({share} %). {why}."
