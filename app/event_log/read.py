"""Reading the log: one stream in order, or a tenant's events after a sequence number."""

import json
from collections.abc import Iterator

from sqlalchemy import Connection, Row, select

from app.event_log.event import event_from
from app.event_log.recorded import Recorded
from app.event_log.tables import events as table


def read_stream(tx: Connection, tenant_id: str, stream: str) -> list[Recorded]:
    """All events of one stream, oldest first; empty when there is no such stream."""
    query = select(table).where(table.c.tenant_id == tenant_id, table.c.stream == stream).order_by(table.c.version)
    return [_recorded(row) for row in tx.execute(query)]


def read_after(tx: Connection, tenant_id: str, sequence: int, limit: int = 1000) -> list[Recorded]:
    """The tenant's next events after `sequence`, in order. The sequence has no gaps."""
    query = (
        select(table)
        .where(table.c.tenant_id == tenant_id, table.c.sequence > sequence)
        .order_by(table.c.sequence)
        .limit(limit)
    )
    return [_recorded(row) for row in tx.execute(query)]


def tenants(tx: Connection) -> Iterator[str]:
    """Every tenant that has events."""
    yield from tx.execute(select(table.c.tenant_id).distinct().order_by(table.c.tenant_id)).scalars()


def _recorded(row: Row[tuple[object, ...]]) -> Recorded:
    return Recorded(
        tenant_id=row.tenant_id,
        sequence=row.sequence,
        stream=row.stream,
        version=row.version,
        event=event_from(row.tag, json.loads(row.payload)),
        actor=row.actor,
        causation=row.causation,
        recorded_at=row.recorded_at,
    )
