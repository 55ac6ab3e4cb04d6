"""Commands on the event log."""

from dataclasses import asdict

import click

from app.artifacts.verify import verify_everything
from app.cli.reporting import as_json, report, wired
from app.db import open_database
from app.replay.payloads import replay_payloads
from app.replay.projections import replay_projections
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


@log.command()
@as_json
def replay(*, as_json: bool) -> None:
    """Rebuild every read model from the log and every payload from what was signed, and compare them."""
    parts = wired()
    replayed = replay_projections(parts.database)
    with parts.database.read() as tx:
        payloads = replay_payloads(tx, parts.artifacts, parts.ehrs)
    ok = replayed.ok and payloads.ok
    document = {
        "ok": ok,
        "events": replayed.events,
        "projections": {name: asdict(compared) for name, compared in replayed.read_models.items()},
        "payloads": asdict(payloads),
    }
    lines = [
        f"{replayed.events} events projected again",
        *(f"{name}: {one.rows} rows, {len(one.different)} different" for name, one in replayed.read_models.items()),
        f"payloads: {payloads.identical} identical, {len(payloads.different)} different",
        f"payloads that another version rendered, not compared: {payloads.other_version}",
    ]
    report(document, lines, as_json=as_json, ok=ok)
