"""Reading the log: one stream in order, or a tenant's events after a sequence number."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from sqlalchemy import Connection, Row, func, select

from app.event_log.event import event_from
from app.event_log.recorded import Recorded
from app.event_log.tables import events as table
from app.event_log.tables import log_heads


def read_stream(tx: Connection, tenant_id: str, stream: str) -> list[Recorded]:
    """All events of one stream, oldest first; empty when there is no such stream."""
    query = select(table).where(table.c.tenant_id == tenant_id, table.c.stream == stream).order_by(table.c.version)
    return [_recorded(row) for row in tx.execute(query)]


def read_streams(tx: Connection, tenant_id: str, streams: Iterable[str]) -> Iterator[tuple[str, Iterator[Recorded]]]:
    """Each of these streams with its events, oldest first, all in one query; read a stream before asking for the next.

    An event that this release cannot read raises `Corrupt` where its own stream is read; the others can be read still.
    """
    query = select(table).where(table.c.tenant_id == tenant_id, table.c.stream.in_(list(streams)))
    rows = tx.execute(query.order_by(table.c.stream, table.c.version))
    for stream, history in groupby(rows, key=lambda row: row.stream):
        yield str(stream), map(_recorded, history)


def read_after(tx: Connection, tenant_id: str, sequence: int, limit: int = 1000) -> list[Recorded]:
    """The tenant's next events after `sequence`, in order. The sequence has no gaps."""
    query = (
        select(table)
        .where(table.c.tenant_id == tenant_id, table.c.sequence > sequence)
        .order_by(table.c.sequence)
        .limit(limit)
    )
    return [_recorded(row) for row in tx.execute(query)]


def stream_version(tx: Connection, tenant_id: str, stream: str) -> int:
    """The last version of a stream; 0 when there is no such stream."""
    query = select(func.max(table.c.version)).where(table.c.tenant_id == tenant_id, table.c.stream == stream)
    return tx.execute(query).scalar() or 0


def ends(tx: Connection) -> dict[str, int]:
    """The last sequence number of every tenant that has events."""
    query = select(log_heads.c.tenant_id, log_heads.c.sequence).order_by(log_heads.c.tenant_id)
    return {row.tenant_id: row.sequence for row in tx.execute(query)}


def _recorded(row: Row[tuple[object, ...]]) -> Recorded:
    return Recorded(
        tenant_id=row.tenant_id,
        sequence=row.sequence,
        stream=row.stream,
        version=row.version,
        event=event_from(row.tag, row.payload),
        actor=row.actor,
        causation=row.causation,
        recorded_at=row.recorded_at,
    )
