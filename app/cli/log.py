"""Commands on the event log."""

from dataclasses import asdict

import click

from app.artifacts.verify import verify_everything
from app.cli.reporting import as_json, report
from app.db import open_database
from app.settings import Settings


@click.group()
def log() -> None:
    """The event log."""


@log.command()
@as_json
def verify(*, as_json: bool) -> None:
    """Check every chain from its first event, and every artifact that the events refer to."""
    with open_database(Settings()).read() as tx:
        found = verify_everything(tx)
    document = {
        "ok": found.ok,
        "events": found.events,
        "problems": [asdict(problem) for problem in found.problems],
    }
    lines = [f"{problem.tenant_id} event {problem.sequence}: {problem.what}" for problem in found.problems]
    summary = f"{found.events} events checked, {len(found.problems)} problems"
    report(document, [*lines, summary], as_json=as_json, ok=found.ok)
