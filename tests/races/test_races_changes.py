"""Leases and locks of several at once: a long step among fast ones, and two people who end the same write."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from app.db import Database
from app.errors import Fenced
from app.event_log.append import hold_log
from app.ids import TenantId, WritebackId
from app.outbox import rows as outbox
from app.outbox.pace import Pace
from app.outbox.rows import Lease, Partition
from app.publication import drain as draining
from app.publication.drain import Drain, Tempo
from app.tenants.directory import Tenants
from app.writebacks.commands import ConfirmCopy
from app.writebacks.docket import Docket, enter
from app.writebacks.events import CopyOffered
from app.writebacks.handlers import WritebackCommands, load
from app.writebacks.state import Stage, WritebackState
from tests.races.conftest import Connect

TENANT = TenantId("harbor-epic")
PARTITION = Partition(TENANT, "primary-care")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WAITS_WITHIN_SECONDS = 15
LEASE, STEP, SHORT = timedelta(seconds=30), timedelta(seconds=10), 3


def test_a_long_step_keeps_its_lease_however_fast_the_others_are(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F32, F47: while something ends all the time, nothing ever waits for so long that a lease would be renewed."""
    database, clock, enough = connect(), [NOW], Event()
    done: list[str] = []
    lost: list[str] = []
    monkeypatch.setattr(draining, "load", lambda *_: WritebackState(stage=Stage.QUEUED))

    def step(lease: Lease, _state: WritebackState) -> None:
        if lease.writeback_id == "a-long":
            enough.wait(60)
        else:
            clock[0] += STEP
        done.append(lease.writeback_id)
        if len(done) == SHORT:
            enough.set()
        try:
            with database.write() as tx:
                outbox.check_fence(tx, lease, clock[0])
                outbox.release(tx, lease, None)
        except Fenced:
            lost.append(lease.writeback_id)

    with database.write() as tx:
        for name in ("a-long", *(f"b-{number}" for number in range(SHORT))):
            outbox.put(tx, WritebackId(name), PARTITION, NOW, note_id=name)
    tenants = cast(Tenants, SimpleNamespace(as_now=tuple, steady=nullcontext, concurrency_of=lambda _tenant: 2))
    pace = Pace(database, lambda: clock[0], chance=lambda: 0)
    drain = Drain(database, lambda: clock[0], LEASE, {Stage.QUEUED: step}, pace, tenants, Tempo(chance=lambda: 0))
    drain.run(PARTITION)

    assert (done[-1], lost) == ("a-long", [])


def test_whoever_ends_a_write_and_whoever_lets_it_go_on_never_wait_for_each_other(connect: Connect) -> None:
    """I7, F42: both hold its row before the log, as a worker does; in another order one of them would be thrown out."""
    mine, theirs, write = connect(), connect(), WritebackId("w1")
    commands = WritebackCommands(cast(Any, None))
    with mine.write() as tx:
        outbox.put(tx, write, PARTITION, NOW)
        docket = Docket(cast(Any, None), TENANT, "a", NOW)
        docket.offer_copy(write, offer(), "c")
        enter(tx, docket)

    def confirm() -> None:
        with theirs.write() as tx:
            commands.by_person(tx, TENANT, write, ConfirmCopy(), "a", NOW)

    other = Thread(target=confirm, daemon=True)
    with mine.write() as tx:
        outbox.hold(tx, write)
        other.start()
        wait_until_it_waits(connect())
        if mine.engine.dialect.name == "postgresql":
            tx.execute(text("SET LOCAL lock_timeout = '2s'"))
        hold_log(tx, TENANT)
    other.join(60)
    with mine.read() as tx:
        assert load(tx, TENANT, write).stage is Stage.COPIED


def wait_until_it_waits(database: Database) -> None:
    """Until another connection waits for a lock; on SQLite a writer waits for the whole file at once."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    until = monotonic() + WAITS_WITHIN_SECONDS
    while database.engine.dialect.name == "postgresql":
        with database.read() as tx:
            if tx.execute(waiting).scalar_one():
                return
        assert monotonic() < until, "it did not wait for the row"


def offer() -> CopyOffered:
    known: dict[str, Any] = {
        "note_id": "n", "note_version": 1, "launch_id": "l", "fhir_base": "https://e/fhir", "author_issuer": "i",
        "author_subject": "s", "author": "Practitioner/1", "patient": "Patient/1", "encounter": None,
        "workflow": "w", "identifier": "s|v", "profile": "p", "profile_version": "1",
        "provenance": {"artifact_id": "a" * 32, "digest": "b" * 64},
    }  # fmt: skip
    return CopyOffered.model_validate(known)
