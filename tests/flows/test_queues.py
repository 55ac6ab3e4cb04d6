"""Which queue a workflow's writes are rung on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from app.demo.redis_server import EmbeddedRedis
from app.ids import TenantId
from app.outbox.relay import Relay
from app.outbox.rows import Partition
from app.tenants.directory import load_tenants
from tests.databases import ROOT

pytestmark = pytest.mark.either_database

REFERENCES = {"COUNTERSIGN_SANDBOX_URL": "http://ehr.localhost:1"}
EMERGENCY = Partition(TenantId("harbor-epic"), "emergency")
PRIMARY_CARE = Partition(TenantId("harbor-epic"), "primary-care")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = EmbeddedRedis(tmp_path)
    server.start()
    connection = Redis.from_url(server.url)
    yield connection
    connection.close()
    server.stop()


def waiting(redis: Redis, queue: str) -> list[tuple[str, str]]:
    jobs = Queue(queue, connection=redis, serializer=JSONSerializer).jobs
    return [tuple(job.args) for job in jobs]


def test_a_workflow_with_a_queue_of_its_own_is_rung_there_while_somebody_works_on_it(redis: Redis) -> None:
    """E24."""
    tenants = load_tenants(ROOT / "smart-config" / "tenants", REFERENCES)
    assert tenants.queues() == ("countersign", "emergency")
    relay = Relay(redis, tenants)
    worker = SimpleWorker(["emergency"], connection=redis, serializer=JSONSerializer)
    worker.register_birth()

    relay.ring(EMERGENCY)
    relay.ring(PRIMARY_CARE)

    assert waiting(redis, "emergency") == [("harbor-epic", "emergency")]
    assert waiting(redis, "countersign") == [("harbor-epic", "primary-care")]
    worker.register_death()


def test_a_queue_that_nobody_works_on_is_worked_on_by_everybody(redis: Redis) -> None:
    relay = Relay(redis, load_tenants(ROOT / "smart-config" / "tenants", REFERENCES))

    relay.ring(EMERGENCY)

    assert waiting(redis, "emergency") == []
    assert waiting(redis, "countersign") == [("harbor-epic", "emergency")]
