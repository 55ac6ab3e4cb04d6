"""`countersign demo`: everything on this machine, one URL to open; with --check, the whole job in a real browser."""

import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event

import click

from app.cli.reporting import as_json, report
from app.demo.running import Demo, running_demo

LOOK_AGAIN_SECONDS = 1.0


@click.command()
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="Where the files go; default: .countersign, or a new one for --check.",
)
@click.option(
    "--transcripts",
    type=click.Path(path_type=Path, exists=True),
    help="More visits for the sandbox, as ACI-BENCH JSON.",
)
@click.option("--check", "checking", is_flag=True, help="Do the whole job in a headless browser and report.")
@as_json
def demo(home: Path | None, transcripts: Path | None, *, checking: bool, as_json: bool) -> None:
    """Start the simulated EHRs and Countersign together."""
    if checking:
        from app.demo.check import check, check_lines  # noqa: PLC0415 - a server has no browser to drive

        _when_told_to_stop(lambda: sys.exit(1))
        home = home or Path(tempfile.mkdtemp(prefix="countersign-check-"))
        found = check(home, transcripts)
        report(found, check_lines(found, home), as_json=as_json, ok=bool(found["ok"]))
    stopped = Event()
    _when_told_to_stop(lambda: sys.exit(0))  # while it starts: an exception, so that what was started is stopped
    with running_demo(home or Path(".countersign"), transcripts) as demo:
        _when_told_to_stop(stopped.set)
        _greet(demo, as_json=as_json)
        while not stopped.wait(LOOK_AGAIN_SECONDS):
            for name in demo.processes.restart_dead():
                click.echo(f"{name} had stopped and was started again", err=True)
    click.echo("Stopped.", err=True)


def _when_told_to_stop(act: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


def _greet(demo: Demo, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"url": demo.url, "app": demo.app, "sandbox": demo.sandbox}))
        return
    started = ", ".join(demo.processes.running)
    click.echo(f"Started: {started}. Their logs are in {demo.processes.logs}.", err=True)
    click.echo(f"\n  Open {demo.url}\n")
    click.echo("  Choose an EHR and a patient, then press Open Countersign in the chart. Ctrl-C stops everything.\n")
