"""P5: a tenant's log verified and folded into its write-backs, against the eventsourcing library and a plain SELECT."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text

from app.bench import databases
from app.bench.measure import Bar, Wrong, alternate, rate
from app.bench.signatures import ACTOR, TENANT, Signature, order_of, prepare
from app.db import Database
from app.event_log.append import append
from app.event_log.event import ArtifactRef, Event
from app.event_log.read import read_after
from app.event_log.verify import verify
from app.writebacks.events import AttemptBegun, WritebackFiled, WritebackVerified
from app.writebacks.fold import evolve
from app.writebacks.handlers import stream_of
from app.writebacks.state import Stage, WritebackState

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVENTS_OF_A_WRITE = 4
NAMESPACE = UUID(int=0)
NEW = WritebackState()


def replaying_bars(folder: Path, writes: int) -> Iterator[Bar]:
    """P5, on SQLite."""
    prepared = prepare(writes)
    with databases.fresh(folder) as address:
        database = databases.opened(address)
        _fill(database, prepared)
        peer = _Library(folder, prepared)
        count = writes * EVENTS_OF_A_WRITE
        against_library = alternate(
            lambda: rate(lambda: _verified_and_folded(database, prepared), count),
            lambda: rate(lambda: peer.fold_all(prepared), count),
        )[0]
        against_select = alternate(
            lambda: rate(lambda: _verified(database, count), count),
            lambda: rate(lambda: _selected(database, count), count),
        )[0]
        database.engine.dispose()
    yield Bar(
        "P5 library",
        "events verified and folded, against eventsourcing's repository.get (no hash is checked there)",
        "events/s",
        5.0,
        against_library,
        "an event is read, hashed and made a typed value; the last costs most",
    )
    yield Bar(
        "P5 SELECT",
        "events verified, against a plain SELECT of the same rows",
        "events/s",
        0.6,
        against_select,
        "SHA-256 over each row, and the canonical form of what it covers",
    )


def events_of(one: Signature, number: int) -> Sequence[Event]:
    """What happens to a write that is filed at once."""
    ref = ArtifactRef(artifact_id=one.writeback_id, digest="d" * 64)
    filed = {"resource_id": str(number), "resource_version": "1"}
    return (
        order_of(one, ref, ref),
        AttemptBegun(attempt=1, fence=1, launch_id="bench-launch", payload_digest="d" * 64),
        WritebackFiled(resource_type="DocumentReference", status=201, reply=ref, found=False, **filed),
        WritebackVerified(stored=ref, differences=(), **filed),
    )


def _fill(database: Database, prepared: Sequence[Signature]) -> None:
    with database.write() as tx:
        for number, one in enumerate(prepared):
            new = events_of(one, number)
            stream = stream_of(one.writeback_id)
            append(tx, TENANT, stream, 0, new, actor=ACTOR, causation="bench", now=NOW + timedelta(seconds=number))


def _verified_and_folded(database: Database, prepared: Sequence[Signature]) -> None:
    with database.read() as tx:
        if not verify(tx).ok:
            raise Wrong("the log does not verify")
        states: dict[str, WritebackState] = {}
        sequence = 0
        while part := read_after(tx, TENANT, sequence):
            for recorded in part:
                states[recorded.stream] = evolve(states.get(recorded.stream, NEW), recorded)
            sequence = part[-1].sequence
    if [states[stream_of(one.writeback_id)].stage for one in prepared] != [Stage.VERIFIED] * len(prepared):
        raise Wrong("a write was folded wrongly")


def _verified(database: Database, count: int) -> None:
    with database.read() as tx:
        report = verify(tx)
    if not report.ok or report.events != count:
        raise Wrong("the log does not verify")


def _selected(database: Database, count: int) -> None:
    with database.read() as tx:
        rows = tx.execute(text("SELECT * FROM events ORDER BY tenant_id, sequence")).all()
    if len(rows) != count:
        raise Wrong("a row is missing")


class _Library:
    """The same lives as aggregates of the eventsourcing library, on SQLite too."""

    def __init__(self, folder: Path, prepared: Sequence[Signature]) -> None:
        from app.bench.library_peer import application  # noqa: PLC0415 - a development part, which production lacks

        self._application, aggregate = application(folder / "library.db")
        for number, one in enumerate(prepared):
            known = aggregate(one.writeback_id)
            for event in events_of(one, number):
                known.happened(event.tag, json.loads(event.model_dump_json()))
            self._application.save(known)

    def fold_all(self, prepared: Sequence[Signature]) -> None:
        """Each aggregate rebuilt from its events."""
        for one in prepared:
            known: Any = self._application.repository.get(identity(one.writeback_id))
            if known.stage != "writeback:verified":
                raise Wrong("the peer folded a write wrongly")


def identity(writeback_id: str) -> UUID:
    """The id of a write at the peer, which wants UUIDs."""
    return uuid5(NAMESPACE, writeback_id)
