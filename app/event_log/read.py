"""Reading the log: one stream in order, or a tenant's events after a sequence number."""

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from app.event_log.event import event_from
from app.event_log.recorded import Recorded
from app.event_log.tables import events as table
from app.event_log.tables import log_heads

# Made once: every command reads its stream through these.
_OF_STREAM = (table.c.tenant_id == bindparam("whose")) & (table.c.stream == bindparam("which"))
_STREAM = select(table).where(_OF_STREAM).order_by(table.c.version)
_AFTER = (
    select(table)
    .where(table.c.tenant_id == bindparam("whose"), table.c.sequence > bindparam("end"))
    .order_by(table.c.sequence)
    .limit(bindparam("most"))
)
_VERSION = select(func.max(table.c.version)).where(_OF_STREAM)


def read_stream(tx: Connection, tenant_id: str, stream: str) -> list[Recorded]:
    """All events of one stream, oldest first; empty when there is no such stream."""
    return [_recorded(row) for row in tx.execute(_STREAM, {"whose": tenant_id, "which": stream}).all()]


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
    return [_recorded(row) for row in tx.execute(_AFTER, {"whose": tenant_id, "end": sequence, "most": limit}).all()]


def stream_versions(tx: Connection, tenant_id: str, streams: Collection[str]) -> dict[str, int]:
    """The last version of each of these streams; 0 where there is no such stream."""
    if len(streams) <= 1:
        return {stream: stream_version(tx, tenant_id, stream) for stream in streams}
    query = select(table.c.stream, func.max(table.c.version)).where(table.c.tenant_id == tenant_id)
    found = tx.execute(query.where(table.c.stream.in_(streams)).group_by(table.c.stream)).tuples()
    return dict.fromkeys(streams, 0) | dict(found.all())


def stream_version(tx: Connection, tenant_id: str, stream: str) -> int:
    """The last version of a stream; 0 when there is no such stream."""
    return tx.execute(_VERSION, {"whose": tenant_id, "which": stream}).scalar() or 0


def ends(tx: Connection) -> dict[str, int]:
    """The last sequence number of every tenant that has events."""
    query = select(log_heads.c.tenant_id, log_heads.c.sequence).order_by(log_heads.c.tenant_id)
    return {row.tenant_id: row.sequence for row in tx.execute(query)}


def _recorded(row: Row[*tuple[Any, ...]]) -> Recorded:
    _, tenant_id, sequence, stream, version, tag, _, payload, actor, causation, recorded_at, _, _ = row
    return Recorded(tenant_id, sequence, stream, version, event_from(tag, payload), actor, causation, recorded_at)
