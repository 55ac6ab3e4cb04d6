"""The processes of docker-compose.yml, started by hand: its commands, its environment and nothing else.

Only ports and paths are moved. PostgreSQL and Redis are real servers on TCP; a clinician's browser signs a note.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import sync_playwright
from sqlalchemy import text

from app.artifacts.verify import verify_everything
from app.db import open_database
from app.demo.browser import launch_chromium
from app.demo.check import PRODUCTS, Run
from app.demo.processes import Processes
from app.demo.running import Demo
from app.settings import Settings
from tests.deployment.compose_file import ROOT, SECRETS, ComposeFile
from tests.deployment.servers import postgresql_on_tcp, redis_on_tcp
from tests.ehr import free_port

HEALTHY_WITHIN_SECONDS = 30
STOPPED_WITHIN_SECONDS = 20


@dataclass
class Deployment:
    """The running services of the compose file."""

    file: ComposeFile
    home: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, service: str) -> dict[str, str]:
        given = {name: str(value) for name, value in self.file.services[service].get("environment", {}).items()}
        # PATH, and what the Dockerfile sets; nothing of the machine that runs the test.
        return {"PATH": os.environ["PATH"], "COUNTERSIGN_HOME": str(self.home / "countersign"), **given}

    def start(self, service: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "app.cli", *self.file.services[service]["command"]]
        with self.log_of(service).open("ab") as log:
            self.processes[service] = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(service), stdout=log, stderr=log, start_new_session=True
            )
        return self.processes[service]

    def wait_until_healthy(self, service: str) -> None:
        """Run the service's own health check until it passes."""
        _, program, *arguments = self.file.services[service]["healthcheck"]["test"]
        check = [{"python": sys.executable}[program], *arguments]
        deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while subprocess.run(check, capture_output=True, timeout=10, check=False).returncode:
            if time.monotonic() > deadline or self.processes[service].poll() is not None:
                raise AssertionError(f"{service} is not healthy:\n{self.log_of(service).read_text()}")
            time.sleep(0.1)

    def stop(self, *services: str) -> dict[str, int]:
        """SIGTERM, as Docker does; returns the exit codes."""
        for service in services:
            self.processes[service].send_signal(signal.SIGTERM)
        return {service: self.processes[service].wait(STOPPED_WITHIN_SECONDS) for service in services}

    def log_of(self, service: str) -> Path:
        return self.home / f"{service}.log"

    def kill_all(self) -> None:
        for process in self.processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()

    def as_demo(self) -> Demo:
        settings = self.environment("web")
        app, sandbox = settings["COUNTERSIGN_PUBLIC_URL"], settings["COUNTERSIGN_SANDBOX_URL"]
        return Demo(app, sandbox, self.home, Processes(self.home, settings), settings)


@contextmanager
def deployed(home: Path) -> Iterator[Deployment]:
    """Servers up, in the compose file's order: sandbox, migrate to its end, then the rest."""
    postgres, queue, app, ehr = (str(free_port()) for _ in range(4))
    moved = {
        "postgres:5432": f"127.0.0.1:{postgres}",
        "redis:6379": f"127.0.0.1:{queue}",
        "8410": app,
        "8411": ehr,
        "/var/lib/sandbox": str(home / "sandbox"),
    }
    file = ComposeFile(SECRETS, moved)
    database: dict[str, Any] = file.services["postgres"]["environment"]
    with ExitStack() as stack:
        deployment = Deployment(file, home)
        stack.callback(deployment.kill_all)
        deployment.start("sandbox")
        stack.enter_context(
            postgresql_on_tcp(
                int(postgres),
                database["POSTGRES_USER"],
                database["POSTGRES_PASSWORD"],
                database["POSTGRES_DB"],
                file.document["configs"]["roles"]["content"],
            )
        )
        stack.enter_context(redis_on_tcp(int(queue), file.services["redis"]["command"][1:], home / "redis"))
        assert deployment.start("migrate").wait(HEALTHY_WITHIN_SECONDS) == 0, deployment.log_of("migrate").read_text()
        for service in ("web", "worker", "sweeper"):
            deployment.start(service)
        for service in ("sandbox", "web"):
            deployment.wait_until_healthy(service)
        yield deployment


@pytest.mark.browser
@pytest.mark.postgresql
def test_a_note_is_signed_filed_and_verified_by_the_processes_of_the_compose_file(tmp_path: Path) -> None:
    product, steps, drive = PRODUCTS[0]
    with deployed(tmp_path) as deployment:
        run = Run(product, dict.fromkeys(steps, False))
        with sync_playwright() as playwright:
            browser = launch_chromium(playwright)
            drive(run, deployment.as_demo(), browser.new_page())
            browser.close()

        assert all(run.steps.values()), run.steps
        database = open_database(Settings(database_url=deployment.environment("web")["COUNTERSIGN_DATABASE_URL"]))
        with database.read() as tx:
            assert verify_everything(tx).ok
            assert tx.scalar(text("SELECT count(*) FROM events WHERE tag = 'writeback:verified'")) == 1
        database.engine.dispose()
        queue = redis.Redis.from_url(deployment.environment("web")["COUNTERSIGN_REDIS_URL"])
        assert queue.config_get("maxmemory-policy", "appendonly") == {
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
        }
        queue.close()
        # Every process ends by itself when asked to, so that the grace periods are enough.
        assert deployment.stop("web", "worker", "sweeper") == {"web": 0, "worker": 0, "sweeper": 0}
