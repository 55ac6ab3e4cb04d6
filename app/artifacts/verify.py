"""Log and artifacts together: the chains, and the sealed bytes that the events committed to. Needs no key."""

import json

from sqlalchemy import Connection, select

from app.artifacts.store import verify_artifact
from app.errors import Corrupt
from app.event_log.event import event_from, referenced_artifacts
from app.event_log.tables import events as table
from app.event_log.verify import AS_STORED, Problem, Report, undecodable_text_allowed, verify


def verify_everything(tx: Connection) -> Report:
    """The log's own report, with what is wrong with the artifacts added."""
    chains = verify(tx)
    query = select(*AS_STORED).order_by(table.c.tenant_id, table.c.sequence)
    with undecodable_text_allowed(tx):
        artifacts = [
            problem
            for row in tx.execute(query)
            for problem in _artifact_problems(tx, row.tenant_id, row.sequence, row.tag, row.payload)
        ]
    return Report(chains.events, chains.problems + tuple(artifacts))


def _artifact_problems(tx: Connection, tenant_id: str, sequence: int, tag: str, payload: bytes) -> list[Problem]:
    try:
        event = event_from(tag, json.loads(payload))
    except (Corrupt, ValueError):
        return [Problem(tenant_id, sequence, "the event cannot be read by this version")]
    return [
        problem
        for reference in referenced_artifacts(event)
        for problem in verify_artifact(tx, tenant_id, sequence, reference)
    ]
