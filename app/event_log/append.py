"""Appending: expected version, gap-free sequence per tenant, hash chain. All in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.db import insert_if_absent
from app.errors import StreamMoved
from app.event_log.canonical import canonical_json
from app.event_log.event import Event
from app.event_log.read import stream_version, stream_versions
from app.event_log.recorded import GENESIS, chain_hash
from app.event_log.tables import events as table
from app.event_log.tables import log_heads

# Made once: every signature and every step of a worker goes through these.
_WHOSE = log_heads.c.tenant_id == bindparam("whose")
_HEAD = select(log_heads.c.sequence, log_heads.c.hash).where(_WHOSE).with_for_update()
_MOVE_HEAD = update(log_heads).where(_WHOSE).values(sequence=bindparam("end"), hash=bindparam("end_hash"))
_INSERT = insert(table)


@dataclass(frozen=True)
class Addition:
    """New events of one stream, whose last version must be `expected_version` (0: it must not exist)."""

    stream: str
    expected_version: int
    events: Sequence[Event]
    actor: str
    causation: str
    now: datetime


class Head(NamedTuple):
    """The end of a tenant's log, which nobody else moves before the transaction ends."""

    sequence: int
    hash: str


def append(
    tx: Connection,
    tenant_id: str,
    stream: str,
    expected_version: int,
    new: Sequence[Event],
    *,
    actor: str,
    causation: str,
    now: datetime,
    held: Head | None = None,
) -> int:
    """Append `new` to `stream`, whose last version must be `expected_version` (0: it must not exist).

    Returns the stream's new version. Raises `StreamMoved` when someone else appended first; the caller's
    transaction must then end. The tenant's head row is locked until commit, so readers never skip a late row.

    `held` is what `hold_log` gave before the stream was read: nobody appended since, and nothing is asked again.
    """
    append_all(tx, tenant_id, [Addition(stream, expected_version, new, actor, causation, now)], held)
    return expected_version + len(new)


def append_next(
    tx: Connection, tenant_id: str, stream: str, event: Event, *, actor: str, now: datetime, causation: str = ""
) -> None:
    """Append an event to a stream that takes whatever comes, in the order of coming.

    Without a `causation` it is caused by the one before it.
    """
    held = hold_log(tx, tenant_id)
    version = stream_version(tx, tenant_id, stream)
    because = causation or f"{stream}@{version}"
    append(tx, tenant_id, stream, version, [event], actor=actor, causation=because, now=now, held=held)


def append_all(tx: Connection, tenant_id: str, additions: Sequence[Addition], held: Head | None = None) -> None:
    """The same for several streams, in this order; all of them or, raising `StreamMoved`, none."""
    if held is None:
        held = hold_log(tx, tenant_id)
        _require_unmoved(tx, tenant_id, additions)
    sequence, previous = held
    rows = []
    for addition in additions:
        for version, event in enumerate(addition.events, start=addition.expected_version + 1):
            sequence += 1
            row: dict[str, object] = {
                "tenant_id": tenant_id,
                "sequence": sequence,
                "stream": addition.stream,
                "version": version,
                "tag": event.tag,
                "schema_version": event.schema_version,
                "actor": addition.actor,
                "causation": addition.causation,
                "recorded_at": addition.now,
            }
            payload = canonical_json(event.fields())
            hashed = chain_hash(previous, row, payload)
            rows.append(row | {"payload": payload, "previous_hash": previous, "hash": hashed})
            previous = hashed
    try:
        tx.execute(_INSERT, rows)
    except IntegrityError as error:
        raise StreamMoved(additions[-1].stream, additions[-1].expected_version) from error
    tx.execute(_MOVE_HEAD, {"whose": tenant_id, "end": sequence, "end_hash": previous})


def _require_unmoved(tx: Connection, tenant_id: str, additions: Sequence[Addition]) -> None:
    """Raise `StreamMoved` for a stream that went on; that one is new is for its unique key to say."""
    known = [one for one in additions if one.expected_version]
    versions = stream_versions(tx, tenant_id, {one.stream for one in known})
    for one in known:
        if versions[one.stream] != one.expected_version:
            raise StreamMoved(one.stream, one.expected_version)


def hold_log(tx: Connection, tenant_id: str) -> Head:
    """The last sequence and hash of the tenant's log, to which nobody else appends before this transaction ends.

    A command that is often sent twice at once takes it before it reads, and never finds that the stream has moved.
    """
    head = tx.execute(_HEAD, {"whose": tenant_id}).one_or_none()
    if head is None:
        insert_if_absent(tx, log_heads, {"tenant_id": tenant_id, "sequence": 0, "hash": GENESIS})
        head = tx.execute(_HEAD, {"whose": tenant_id}).one()
    return Head(head.sequence, head.hash)
