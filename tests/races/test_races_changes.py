"""Leases and locks of several at once: a long step among fast ones, and two people who end the same write."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from app.errors import Fenced
from app.event_log.append import hold_log
from app.ids import TenantId, WritebackId
from app.outbox import rows as outbox
from app.outbox.pace import Pace
from app.outbox.rows import Lease, Partition
from app.publication import drain as draining
from app.publication.drain import Drain, Tempo
from app.resuming import resume_parked
from app.tenants.directory import Tenants
from app.writebacks.commands import ConfirmCopy, ParkWrite, ResumeWrite
from app.writebacks.docket import Docket, enter
from app.writebacks.events import CopyOffered
from app.writebacks.handlers import WritebackCommands, load
from app.writebacks.state import Stage, WritebackState
from tests.races.at_once import wait_until_somebody_waits
from tests.races.conftest import Connect
from tests.service import Service

TENANT = TenantId("harbor-epic")
PARTITION = Partition(TENANT, "primary-care")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
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
        wait_until_somebody_waits(connect())
        if mine.engine.dialect.name == "postgresql":
            tx.execute(text("SET LOCAL lock_timeout = '2s'"))
        hold_log(tx, TENANT)
    other.join(60)
    with mine.read() as tx:
        assert load(tx, TENANT, write).stage is Stage.COPIED


def test_a_write_that_is_parked_anew_does_not_go_on_for_what_it_waited_for_before(service: Service) -> None:
    """F20, I7: the signer comes back at the very moment at which it stops for something that needs somebody else."""
    chart = service.signed(ehr="reference")
    service.end_tokens()
    service.work()
    launch, parts, write = chart.launch(), service.parts, chart.note().state.signed.writeback_id
    assert chart.writeback().parked_for == "reauth"
    returning = Thread(target=resume_parked, args=(parts, launch), daemon=True)
    with parts.database.write() as tx:
        outbox.hold(tx, write)
        returning.start()
        wait_until_somebody_waits(parts.database)
        again = ResumeWrite(launch.launch_id)
        parts.writebacks.by_person(tx, launch.tenant_id, write, again, launch.actor, parts.clock())
        partition = Partition(launch.tenant_id, chart.writeback().queued.workflow)
        (lease,) = outbox.claim(tx, partition, parts.clock(), timedelta(minutes=2)).leases
        parts.writebacks.by_worker(tx, lease, ParkWrite("conflict"), parts.clock())
    returning.join(60)
    state = chart.writeback()
    assert (state.stage, state.parked_for) == (Stage.PARKED, "conflict")


def offer() -> CopyOffered:
    known: dict[str, Any] = {
        "note_id": "n", "note_version": 1, "launch_id": "l", "fhir_base": "https://e/fhir", "author_issuer": "i",
        "author_subject": "s", "author": "Practitioner/1", "patient": "Patient/1", "encounter": None,
        "workflow": "w", "identifier": "s|v", "profile": "p", "profile_version": "1",
        "provenance": {"artifact_id": "a" * 32, "digest": "b" * 64},
    }  # fmt: skip
    return CopyOffered.model_validate(known)
