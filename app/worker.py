"""The RQ worker's job and process. A job is a doorbell for one partition: ids in, one call; the rows are the truth."""

import gc
import signal
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from threading import Event

from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import delete
from structlog import get_logger

from app.administrators.tables import admin_sign_ins
from app.collaborators import EXTENSION, Collaborators
from app.ids import TenantId, WritebackId
from app.log_lines import place_of
from app.outbox import rows as outbox
from app.outbox.dead_letters import dead_letters
from app.outbox.pause import UNDELIVERED_TOO_LONG
from app.outbox.rows import Partition
from app.projections import write_status
from app.projections.follower import catch_up
from app.publication.leave import may_leave
from app.resuming import newer_launches, resume_under_newest
from app.settings import Settings
from app.tenants.standing import SWITCHED_OFF, may_send
from app.tenants.switches import RESOURCES
from app.tenants.tables import launch_transactions
from app.wiring import create_app
from app.writebacks.commands import ResumeWrite
from app.writebacks.handlers import WORKER, load
from app.writebacks.state import Stage

log = get_logger()
# The app is built once for each process: engine, keys and connection pools live as long as the worker.
_parts: list[Collaborators] = []
# When the sweeper last said what waits too long; it says so again every few minutes, not at every sweep.
_told: list[datetime] = []
TOLD_AGAIN_AFTER = timedelta(minutes=5)


class DrainCrashed(Exception):
    """Stands in for an unexpected exception: RQ prints what a job raised and keeps it in Redis, so it says nothing."""


def drain(tenant_id: str, workflow: str) -> None:
    """Do everything that is due for one workflow of one tenant."""
    try:
        _drain(tenant_id, workflow)
    except Exception as error:  # noqa: BLE001 - raised again below, without what it says
        log.critical(
            "drain_crashed", tenant=tenant_id, workflow=workflow, error=type(error).__name__, place=place_of(error)
        )
        raise DrainCrashed(type(error).__name__) from None


def _drain(tenant_id: str, workflow: str) -> None:
    parts = _parts[0]
    partition = Partition(TenantId(tenant_id), workflow)
    parts.relay.answer(partition)
    drained = parts.drain.run(partition)
    log.info("drained", tenant=tenant_id, workflow=workflow, steps=drained.steps)
    if not drained.is_empty:
        parts.relay.ring(partition)


def run_worker(settings: Settings, queues: Sequence[str] = ()) -> None:
    """Work on these queues until told to stop, on all that there are by default; a running job is finished first.

    The queue of a tenant that is added later is worked on through the default one, until a worker is started for it.
    """
    _parts[:] = [create_app(settings).extensions[EXTENSION]]
    gc.freeze()  # what was built at start-up is never garbage
    redis = Redis.from_url(settings.redis)
    names = queues or _parts[0].tenants.queues()
    listening = [Queue(name, connection=redis, serializer=JSONSerializer) for name in names]
    worker = SimpleWorker(listening, connection=redis, serializer=JSONSerializer, log_job_description=False)
    worker.work(logging_level="WARNING")


def run_sweeper(settings: Settings) -> None:
    """Ring for what is due and bring the read models up to date, again and again: what was missed is found here."""
    parts: Collaborators = create_app(settings).extensions[EXTENSION]
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.wait(settings.sweep_seconds):
        _apart("sweep", lambda: sweep_once(parts))


def sweep_once(parts: Collaborators) -> int:
    """Ring for every partition that has something due, then all the rest; returns how many partitions there were.

    The bells come first, because notes wait for them. Each part, and in each part each tenant, stands alone: one
    tenant's row that cannot be read, or a database that is away for a while, must not stop what others wait for.
    """
    rung: list[Partition] = []
    _apart("bells", lambda: rung.extend(ring_for_what_is_due(parts)))
    _apart("age", lambda: alarm_for_what_waits(parts))
    _apart("read_models", lambda: catch_up(parts.database))
    _apart("switches", lambda: resume_switched_on(parts))
    _apart("signers", lambda: resume_under_newer_launches(parts))
    _apart("following", parts.following.sweep)
    _apart("checkpoints", parts.checkpoints.sweep)
    _apart("expired", lambda: forget_what_expired(parts))
    _apart("grants", parts.giving_back.sweep)
    _apart("traces", parts.traces.purge)
    _apart("notices", parts.notices.purge)
    return len(rung)


def _apart(part: str, work: Callable[[], object], tenant_id: str = "") -> None:
    """Do one part of a sweep; whatever it raises is logged, by type and place, and goes no further."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, it must stay this part's
        log.error("sweep_failed", tenant=tenant_id, detail=part, error=type(error).__name__, place=place_of(error))


def ring_for_what_is_due(parts: Collaborators) -> list[Partition]:
    """Ring for every partition that has something due; returns them."""
    with parts.database.read() as tx:
        partitions = list(outbox.due_partitions(tx, parts.clock()))
    for partition in partitions:
        _apart("bells", partial(parts.relay.ring, partition), partition.tenant_id)
    return partitions


def alarm_for_what_waits(parts: Collaborators) -> None:
    """Say in the error log what a signed note has been waiting for too long, and what nothing works on any more."""
    now = parts.clock()
    if _told and now - _told[0] < TOLD_AGAIN_AFTER:
        return
    with parts.database.read() as tx:
        late = [one for one in outbox.depths(tx, now) if now - (one.undelivered or now) > UNDELIVERED_TOO_LONG]
        dead = dead_letters(tx)
    _told[:] = [now] if late or dead else []
    for one in late:
        partition, minutes = one.partition, int((now - (one.undelivered or now)).total_seconds() // 60)
        where = {"tenant": partition.tenant_id, "workflow": partition.workflow}
        log.error("undelivered_too_long", **where, count=one.waiting, detail=f"{minutes} minutes")
    for letter in dead:
        log.error("dead_letter", tenant=letter.tenant_id, writeback=letter.writeback_id, error=letter.why)


def forget_what_expired(parts: Collaborators) -> None:
    """Remove what waited for somebody who did not come back: launches and administrators' sign-ins under way."""
    now = parts.clock()
    with parts.database.write() as tx:
        for waiting in (launch_transactions, admin_sign_ins):
            tx.execute(delete(waiting).where(waiting.c.expires_at <= now))


def resume_under_newer_launches(parts: Collaborators) -> None:
    """Let every write go on that stopped for want of a token while its signer has a newer launch open in that chart."""
    for writeback_id, newer in newer_launches(parts).items():
        _apart("signers", partial(resume_under_newest, parts, writeback_id, newer), newer[0].tenant_id)


def resume_switched_on(parts: Collaborators) -> int:
    """Let every write go on that was parked by a switch and may leave now, however that came; returns how many."""
    with parts.database.read() as tx:
        waiting = write_status.waiting_for_switch(tx)
    backlog: dict[Partition, list[WritebackId]] = {}
    for tenant_id, workflow, writeback_id in waiting:
        backlog.setdefault(Partition(TenantId(tenant_id), workflow), []).append(WritebackId(writeback_id))
    resumed: list[WritebackId] = []
    for partition, writes in backlog.items():
        _apart("switches", partial(_resume_partition, parts, partition, writes, resumed), partition.tenant_id)
    return len(resumed)


def _resume_partition(
    parts: Collaborators, partition: Partition, writes: list[WritebackId], resumed: list[WritebackId]
) -> None:
    """Asked once for the partition: while everything is off, a long backlog costs one look."""
    with parts.database.read() as tx:
        tenant_id, workflow = partition.tenant_id, partition.workflow
        if not any(may_send(tx, parts.tenants, tenant_id, workflow, kind) for kind in RESOURCES):
            return
    for writeback_id in writes:
        _apart("switches", partial(_resume, parts, partition, writeback_id, resumed), partition.tenant_id)
    parts.relay.ring(partition)


def _resume(parts: Collaborators, partition: Partition, writeback_id: WritebackId, resumed: list[WritebackId]) -> None:
    tenant_id = partition.tenant_id
    with parts.database.write() as tx:
        outbox.hold(tx, writeback_id)  # before it is read: it could be parked anew meanwhile, for something else
        state = load(tx, tenant_id, writeback_id)
        if (state.stage, state.parked_for) != (Stage.PARKED, SWITCHED_OFF):
            return
        resource = "Provenance" if state.parked_from is Stage.VERIFIED else state.queued.resource_type
        if not may_leave(tx, parts.tenants, tenant_id, state.queued, resource):
            return
        parts.writebacks.by_person(tx, tenant_id, writeback_id, ResumeWrite(state.launch_id), WORKER, parts.clock())
    resumed.append(writeback_id)
