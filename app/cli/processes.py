"""The long-running processes, one command each."""

import json
import os
import secrets
import sys
from pathlib import Path

import click
import flask_migrate

from app.cli.reporting import wired
from app.demo.registration import SECRET_NAME, sandbox_clients
from app.settings import ROOT, Settings
from app.web import serve
from app.wiring import create_app
from app.worker import run_sweeper, run_worker, sweep_once


@click.command()
def migrate() -> None:
    """Bring the database to this version."""
    with create_app(Settings()).app_context():
        flask_migrate.upgrade()


@click.command()
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8410, show_default=True, help="Port to listen on.")
@click.option("--workers", default=2, show_default=True, help="Web processes.")
def web(bind: str, port: int, workers: int) -> None:
    """Serve the pages."""
    serve(Settings(), bind, port, workers)


@click.command()
@click.option("--queues", default="", help="Work on these queues only, comma-separated; default: all of them.")
def worker(queues: str) -> None:
    """Send what was signed, until told to stop."""
    run_worker(Settings(), [name.strip() for name in queues.split(",") if name.strip()])


@click.command()
@click.option("--once", is_flag=True, help="Sweep once and end.")
def sweep(once: bool) -> None:
    """Ring for whatever is due, so that nothing depends on the queue's memory."""
    if once:
        click.echo(f"rang for {sweep_once(wired())} partitions", err=True)
    else:
        run_sweeper(Settings())


@click.command()
@click.option("--port", default=8411, show_default=True, help="Port to listen on.")
@click.option("--home", type=click.Path(path_type=Path), help="Directory that keeps the EHRs' state.")
@click.option("--clients", type=click.Path(path_type=Path, exists=True), help="Registered apps, as JSON.")
@click.option("--transcripts", type=click.Path(path_type=Path, exists=True), help="More visits, as ACI-BENCH JSON.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on.")
def sandbox(port: int, home: Path | None, clients: Path | None, transcripts: Path | None, bind: str) -> None:
    """Run the simulated EHRs alone; without --clients they know the app at COUNTERSIGN_PUBLIC_URL."""
    settings = Settings()
    home = home or settings.home / "sandbox"
    # A process of its own: the sandbox knows nothing of the app, and the app nothing of the sandbox.
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--home", str(home.resolve()), "--bind", bind]
    command += ["--clients", str((clients or _registered(home, settings)).resolve())]
    command += ["--transcripts", str(transcripts.resolve())] if transcripts else []
    os.chdir(ROOT)
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter; signals then reach the EHRs themselves


def _registered(home: Path, settings: Settings) -> Path:
    secret = settings.references().get(SECRET_NAME)
    if secret is None:
        secret = secrets.token_urlsafe(24)
        click.echo(f"The athenaOne client's secret is new. Start the app with {SECRET_NAME}={secret}", err=True)
    home.mkdir(parents=True, exist_ok=True)
    path = home / "clients.json"
    path.write_text(json.dumps(sandbox_clients(settings.public_url, secret)))
    return path
