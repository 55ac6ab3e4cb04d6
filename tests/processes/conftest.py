"""The whole product as real processes, started once for each kind of database; and an eye on what is left running."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from app.demo.redis_server import EmbeddedRedis
from app.demo.running import Demo, running_demo
from tests.databases import ENGINES

LEASE_SECONDS = "3"


@dataclass
class Running:
    """A demo and the Redis-compatible server that it uses, which a test may stop, flush and start again."""

    demo: Demo
    redis: EmbeddedRedis
    redis_home: Path

    def stop_redis(self) -> None:
        self.redis.stop()

    def restart_redis(self) -> None:
        self.redis = EmbeddedRedis(self.redis_home)
        self.redis.start()

    def client(self) -> Redis:
        return Redis.from_url(self.redis.url)


@pytest.fixture(scope="package", params=ENGINES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Sandbox, web, worker and sweeper, with leases that end soon."""
    home = tmp_path_factory.mktemp("demo")
    with ExitStack() as stack:
        environment = {"COUNTERSIGN_LEASE_SECONDS": LEASE_SECONDS, "COUNTERSIGN_SWEEP_SECONDS": "0.5"}
        if request.param == "postgresql":
            server = request.getfixturevalue("postgresql")
            environment["COUNTERSIGN_DATABASE_URL"] = stack.enter_context(server.fresh_database())
        redis_home = tmp_path_factory.mktemp("redis")
        redis = EmbeddedRedis(redis_home)
        redis.start()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("COUNTERSIGN_REDIS_URL", redis.url)
        demo = stack.enter_context(running_demo(home, **environment))
        started = Running(demo, redis, redis_home)
        stack.callback(started.stop_redis)
        yield started


def processes_that_know(home: Path) -> dict[int, str]:
    """The processes whose command line or environment names this directory, by id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:  # it ended meanwhile, or is another user's
            continue
        if command and str(home).encode() in command + environment:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found
