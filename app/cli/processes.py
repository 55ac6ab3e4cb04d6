"""The long-running processes, one command each."""

import click
import flask_migrate

from app.cli.reporting import wired
from app.settings import Settings
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
