"""For whoever runs it: is the process up, can it work, and how many writes stand where."""

from collections import Counter
from collections.abc import Mapping

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.outbox import pace
from app.outbox import rows as outbox
from app.outbox.dead_letters import dead_letters
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
    """Writes, queues and EHRs by tenant, in the Prometheus text format. Looking at it changes nothing."""
    parts = collaborators()
    now = parts.clock()
    with parts.database.read() as tx:
        queues = [
            (_labels(tenant=one.partition.tenant_id, workflow=one.partition.workflow), one)
            for one in outbox.depths(tx, now)
        ]
        dead = Counter(one.tenant_id for one in dead_letters(tx))
        lines = [
            *_gauge(
                "countersign_writebacks",
                "Write-backs by stage.",
                {
                    _labels(tenant=tenant, stage=stage): count
                    for (tenant, stage), count in sorted(write_status.counts(tx).items())
                },
            ),
            *_gauge(
                "countersign_outbox_due",
                "Writes that a worker could take now.",
                {labels: one.due for labels, one in queues},
            ),
            *_gauge(
                "countersign_outbox_oldest_seconds",
                "How long the oldest undelivered write has been waited for.",
                {labels: int((now - (one.undelivered or now)).total_seconds()) for labels, one in queues},
            ),
            *_gauge(
                "countersign_ehr_failures",
                "Exchanges in a row without a usable answer.",
                {_labels(tenant=one.tenant_id): one.failures for one in pace.troubled(tx, now)},
            ),
            *_gauge(
                "countersign_dead_letters",
                "Writes that our own code cannot work on.",
                {_labels(tenant=tenant): count for tenant, count in sorted(dead.items())},
            ),
        ]
    return Response("\n".join([*lines, ""]), content_type="text/plain; version=0.0.4; charset=utf-8")


def _gauge(name: str, words: str, values: Mapping[str, int]) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} gauge", *(f"{name}{{{at}}} {n}" for at, n in values.items())]


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def _database_answers() -> bool:
    try:
        with collaborators().database.read() as tx:
            tx.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True
