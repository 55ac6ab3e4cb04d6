"""Measuring: each bar is a ratio of both sides in one run."""

import json
import warnings
from pathlib import Path

import click

from app.bench.report import as_json as to_json
from app.bench.report import as_markdown
from app.bench.run import BARS, run
from app.errors import Misconfigured
from app.settings import ROOT


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the bars as one JSON document.")
@click.option(
    "--only", "names", multiple=True, type=click.Choice(BARS), help="This bar; may be given again. Default: all."
)
@click.option("--quick", is_flag=True, help="Fewer notes: to see that it works, not to measure.")
@click.option("--write", is_flag=True, help="Write the table to docs/performance.md.")
def bench(*, as_json: bool, names: tuple[str, ...], quick: bool, write: bool) -> None:
    """Measure how fast notes are signed, filed and replayed, each against a peer in the same run."""
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
    try:
        found = run(frozenset(names), lambda name: click.echo(f"measuring {name}", err=True), quick=quick)
    except ImportError as missing:
        raise Misconfigured(f"Measuring needs the development parts ({missing.name}); run: make setup") from missing
    table = as_markdown(found.machine, found.bars, found.failed)
    if write:
        Path(ROOT / "docs" / "performance.md").write_text(table)
    click.echo(json.dumps(to_json(found.machine, found.bars, found.failed), indent=1) if as_json else table)
