"""The story of everything: one row for each event, in the words of the log, found by stream or patient."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from app.event_log.recorded import Recorded
from app.projections.tables import audit_trail as table


@dataclass(frozen=True)
class AuditLine:
    """One thing that happened: when, by whom, what, and the identifiers and versions that belong to it."""

    recorded_at: datetime
    actor: str
    tag: str
    stream: str
    details: dict[str, object]


def project(tx: Connection, batch: Sequence[Recorded]) -> None:
    """Add each event's line."""
    tx.execute(insert(table), [_line(recorded) for recorded in batch])


def _line(recorded: Recorded) -> dict[str, object]:
    return {
        "tenant_id": recorded.tenant_id,
        "sequence": recorded.sequence,
        "recorded_at": recorded.recorded_at,
        "actor": recorded.actor,
        "tag": recorded.event.tag,
        "stream": recorded.stream,
        "causation": recorded.causation,
        # As recorded, not as read today: a release that lets an event grow must not give its line another content.
        "details": json.dumps(recorded.event.recorded_fields(), sort_keys=True),
    }


def story(tx: Connection, tenant_id: str, streams: Sequence[str]) -> list[AuditLine]:
    """Everything that happened in these streams, in the order in which it was recorded."""
    query = select(table).where(table.c.tenant_id == tenant_id, table.c.stream.in_(streams)).order_by(table.c.sequence)
    return [
        AuditLine(row.recorded_at, row.actor, row.tag, row.stream, json.loads(row.details)) for row in tx.execute(query)
    ]


@dataclass(frozen=True)
class Asked:
    """What somebody looks for in the trail; empty: anything."""

    stream: str = ""
    tag: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class NumberedLine:
    """A line with its number in the tenant's log, by which the next page begins."""

    sequence: int
    line: AuditLine


def search(tx: Connection, tenant_id: str, asked: Asked, before: int | None, limit: int) -> list[NumberedLine]:
    """The newest lines that fit, or the newest before a number."""
    query = select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.sequence.desc()).limit(limit)
    for column, value in ((table.c.stream, asked.stream), (table.c.tag, asked.tag), (table.c.actor, asked.actor)):
        query = query.where(column == value) if value else query
    query = query.where(table.c.recorded_at >= asked.since) if asked.since else query
    query = query.where(table.c.recorded_at < asked.until) if asked.until else query
    query = query.where(table.c.sequence < before) if before is not None else query
    return [
        NumberedLine(row.sequence, AuditLine(row.recorded_at, row.actor, row.tag, row.stream, json.loads(row.details)))
        for row in tx.execute(query)
    ]
