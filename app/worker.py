"""The RQ worker's job and process. A job is a doorbell for one partition: ids in, one call; the rows are the truth."""

import signal
from threading import Event

from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.collaborators import EXTENSION, Collaborators
from app.ids import TenantId
from app.log_lines import place_of
from app.outbox import rows as outbox
from app.outbox.relay import QUEUE
from app.outbox.rows import Partition
from app.projections.follower import catch_up
from app.settings import Settings
from app.wiring import create_app

log = get_logger()
# The app is built once for each process: engine, keys and connection pools live as long as the worker.
_parts: list[Collaborators] = []


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


def run_worker(settings: Settings) -> None:
    """Work until told to stop; a running job is finished first."""
    _parts[:] = [create_app(settings).extensions[EXTENSION]]
    redis = Redis.from_url(settings.redis)
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer, log_job_description=False)
    worker.work(logging_level="WARNING")


def run_sweeper(settings: Settings) -> None:
    """Ring for what is due and bring the read models up to date, again and again: what was missed is found here."""
    parts: Collaborators = create_app(settings).extensions[EXTENSION]
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.wait(settings.sweep_seconds):
        try:
            sweep_once(parts)
        except SQLAlchemyError as error:  # the database may be away for a while; whoever looks for what is due may not
            log.error("sweep_failed", error=type(error).__name__, place=place_of(error))


def sweep_once(parts: Collaborators) -> int:
    """Ring for every partition that has something due, then follow the log; returns how many partitions there were."""
    with parts.database.read() as tx:
        partitions = list(outbox.due_partitions(tx, parts.clock()))
    for partition in partitions:
        parts.relay.ring(partition)
    catch_up(parts.database)
    return len(partitions)
