"""For whoever runs it: is the process up, can it work, and how many writes stand where."""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.pages.sessions import collaborators
from app.projections import write_status

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> ResponseReturnValue:
    """200 while the process answers."""
    return jsonify(ok=True)


@health.get("/readyz")
def ready() -> ResponseReturnValue:
    """200 when database and queue answer; a queue that is down loses nothing, but filing waits."""
    parts = collaborators()
    checks = {"database": _database_answers(), "queue": parts.relay.reachable()}
    return jsonify(ok=all(checks.values()), **checks), 200 if all(checks.values()) else 503


@health.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Writes by tenant and stage as last projected, in the Prometheus text format. Looking at it changes nothing."""
    with collaborators().database.read() as tx:
        lines = [
            f'countersign_writebacks{{tenant="{tenant}",stage="{stage}"}} {count}'
            for (tenant, stage), count in sorted(write_status.counts(tx).items())
        ]
    head = ["# HELP countersign_writebacks Write-backs by stage.", "# TYPE countersign_writebacks gauge"]
    return Response("\n".join([*head, *lines, ""]), content_type="text/plain; version=0.0.4; charset=utf-8")


def _database_answers() -> bool:
    try:
        with collaborators().database.read() as tx:
            tx.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True
