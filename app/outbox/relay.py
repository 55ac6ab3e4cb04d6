"""The doorbell: tells a worker that a partition has something due. A lost ring costs nothing; the sweeper rings again.

RQ's `unique` refuses a ring while a job of that name still runs, and that job may already have looked for the last
time. So rings coalesce on a key that the job deletes before it looks: any later ring starts a new job.
"""

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from structlog import get_logger

from app.outbox.rows import Partition
from app.tenants.directory import Tenants
from app.tenants.registrations import DEFAULT_QUEUE

DRAIN_JOB = "app.worker.drain"
COALESCE_SECONDS = 10
# Longer than a drain's longest run and its last step with every HTTP timeout, so that RQ never interrupts a send.
JOB_TIMEOUT_SECONDS = 600
FAILED_JOB_SECONDS = 7 * 24 * 3600

log = get_logger()


class Relay:
    """Rings for a partition over Redis, on the queue of its workflow."""

    def __init__(self, redis: Redis, tenants: Tenants) -> None:
        self._redis = redis
        self._tenants = tenants

    def ring(self, partition: Partition) -> bool:
        """Enqueue one drain of `partition` unless one is already waiting. False when Redis cannot be reached."""
        try:
            if self._redis.set(_bell(partition), 1, nx=True, ex=COALESCE_SECONDS):
                self._queue_of(partition).enqueue_call(
                    DRAIN_JOB,
                    args=(partition.tenant_id, partition.workflow),
                    timeout=JOB_TIMEOUT_SECONDS,
                    result_ttl=0,
                    failure_ttl=FAILED_JOB_SECONDS,
                    description=f"drain {partition.tenant_id} {partition.workflow}",
                )
        except RedisError as error:
            log.warning("doorbell_unreachable", tenant=partition.tenant_id, error=type(error).__name__)
            return False
        return True

    def _queue_of(self, partition: Partition) -> Queue:
        """The workflow's queue; the default one while nobody works on it, so that no registration can lose writes."""
        name = self._tenants.queue_of(partition.tenant_id, partition.workflow)
        queue = Queue(name, connection=self._redis, serializer=JSONSerializer)
        if name != DEFAULT_QUEUE and not Worker.count(queue=queue):
            return Queue(DEFAULT_QUEUE, connection=self._redis, serializer=JSONSerializer)
        return queue

    def answer(self, partition: Partition) -> None:
        """Called by the drain before it looks, so that every later ring is heard."""
        self._redis.delete(_bell(partition))

    def reachable(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except RedisError:
            return False


def _bell(partition: Partition) -> str:
    return f"countersign:bell:{partition.tenant_id}:{partition.workflow}"
