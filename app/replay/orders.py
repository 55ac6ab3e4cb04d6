"""Every write that was ordered, with what it was rendered from: read in parts, so that a long log costs no memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, select

from app.artifacts.store import ArtifactStore
from app.event_log.event import ArtifactRef, Event, event_from
from app.event_log.tables import events
from app.ids import NoteId, TenantId, WritebackId
from app.notes.events import NoteRetracted, NoteSigned
from app.notes.reading import stream_of as note_stream
from app.writebacks.events import WritebackQueued, WritebackRegenerated
from app.writebacks.handlers import stream_of

READ_AT_ONCE = 500


@dataclass(frozen=True)
class Ordered:
    """One ordered write as it stands: its stream, its order, and the contents; None where they cannot be read.

    `is_signed` says whether a signature, or a signer's retraction, names it.
    """

    tenant_id: TenantId
    stream: str
    order: WritebackQueued
    snapshot: bytes | None
    payload: bytes | None
    base: bytes | None
    is_signed: bool


def all_ordered(tx: Connection, artifacts: ArtifactStore) -> Iterator[Ordered]:
    """Every write that was ever queued, tenant by tenant, in the order of the log."""
    query = select(events.c.tenant_id, events.c.stream, events.c.payload).where(events.c.tag == WritebackQueued.tag)
    rows = tx.execute(query.order_by(events.c.tenant_id, events.c.sequence).execution_options(yield_per=READ_AT_ONCE))
    for part in rows.partitions():
        for tenant_id, same in groupby(part, key=lambda row: row.tenant_id):
            placed = [(row.stream, event_from(WritebackQueued.tag, row.payload)) for row in same]
            orders = {stream: order for stream, order in placed if isinstance(order, WritebackQueued)}
            orders |= _regenerated(tx, tenant_id, orders)
            yield from _with_contents(tx, artifacts, TenantId(tenant_id), orders)


def _regenerated(tx: Connection, tenant_id: str, orders: dict[str, WritebackQueued]) -> dict[str, WritebackQueued]:
    """The orders whose payload took another's place before anything of it was sent."""
    anew = dict(orders)
    for stream, event in _events(tx, tenant_id, list(orders), WritebackRegenerated.tag):
        if isinstance(event, WritebackRegenerated):
            anew[stream] = event.of(anew[stream])
    return anew


def _with_contents(
    tx: Connection, artifacts: ArtifactStore, tenant_id: TenantId, orders: dict[str, WritebackQueued]
) -> Iterator[Ordered]:
    streams = [note_stream(NoteId(note_id)) for note_id in {order.note_id for order in orders.values()}]
    signed = _signatures(tx, tenant_id, streams)
    wanted = {stream: (signed.get(stream), order.payload, order.base) for stream, order in orders.items()}
    contents = artifacts.open_all(tx, tenant_id, {ref for refs in wanted.values() for ref in refs if ref})
    for stream, order in orders.items():
        snapshot, payload, base = (contents.get(ref.artifact_id) if ref else None for ref in wanted[stream])
        yield Ordered(tenant_id, stream, order, snapshot, payload, base, stream in signed)


def _signatures(tx: Connection, tenant_id: TenantId, streams: Sequence[str]) -> dict[str, ArtifactRef | None]:
    """The streams of the writes that signers ordered, each with what was signed; a retraction signs no new text."""
    found: dict[str, ArtifactRef | None] = {}
    for _, event in _events(tx, tenant_id, streams, NoteRetracted.tag):
        if isinstance(event, NoteRetracted):
            found[stream_of(WritebackId(event.writeback_id))] = None
    for _, event in _events(tx, tenant_id, streams, NoteSigned.tag):
        if isinstance(event, NoteSigned):
            writes = (event.writeback_id, *(writeback_id for _, writeback_id, _ in event.entries))
            found |= dict.fromkeys((stream_of(WritebackId(one)) for one in writes), event.snapshot)
    return found


def _events(tx: Connection, tenant_id: str, streams: Sequence[str], tag: str) -> Iterator[tuple[str, Event]]:
    query = select(events.c.stream, events.c.payload).where(
        events.c.tenant_id == tenant_id, events.c.stream.in_(streams), events.c.tag == tag
    )
    for row in tx.execute(query.order_by(events.c.sequence)).all():
        yield row.stream, event_from(tag, row.payload)
