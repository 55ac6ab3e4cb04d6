"""The whole product on one machine: sandbox EHR, web, worker, sweeper and the embedded servers, as one thing."""

import fcntl
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from app.demo.processes import Processes
from app.demo.redis_server import EmbeddedRedis
from app.demo.registration import SECRET_NAME, sandbox_clients

APP_PORT, SANDBOX_PORT = 8410, 8411


@dataclass(frozen=True)
class Demo:
    """A running demo: the addresses that a browser opens, and the processes behind them."""

    app: str
    sandbox: str
    home: Path
    processes: Processes
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """The one page to open: the sandbox's list of EHRs and patients."""
        return f"{self.sandbox}/"


@contextmanager
def running_demo(home: Path, transcripts: Path | None = None, **extra: str) -> Iterator[Demo]:
    """Start everything, hand it over when all is ready, stop it at the end. A home directory can be used again."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    redis = None if os.environ.get("COUNTERSIGN_REDIS_URL") else EmbeddedRedis(home)
    ports = ExitStack()
    app_port, sandbox_port = _port(APP_PORT, ports), _port(SANDBOX_PORT, ports)
    app, sandbox = f"http://app.localhost:{app_port}", f"http://ehr.localhost:{sandbox_port}"
    environment = _environment(home, app, sandbox, redis.url if redis else "") | extra
    processes = Processes(home / "logs", environment)
    try:
        if redis:
            redis.start()
        _start_all(processes, home, app_port, sandbox_port, app, transcripts)
        yield Demo(app, sandbox, home, processes, environment)
    finally:
        processes.stop()
        if redis:
            redis.stop()
        ports.close()


def _start_all(
    processes: Processes, home: Path, app_port: int, sandbox_port: int, app: str, transcripts: Path | None
) -> None:
    clients = home / "clients.json"
    clients.write_text(json.dumps(sandbox_clients(app, processes.environment[SECRET_NAME])))
    more = ["--transcripts", str(transcripts)] if transcripts else []
    arguments = [
        "--port",
        str(sandbox_port),
        "--home",
        str(home / "sandbox"),
        "--clients",
        str(clients),
        *more,
    ]
    processes.start("sandbox", "-m", "sandbox", *arguments)
    processes.start("migrate", "-m", "app.cli", "migrate")
    migrated = processes.running.pop("migrate")
    if migrated.wait() != 0:
        raise RuntimeError(f"The database could not be prepared:\n{processes.last_lines('migrate')}")
    processes.start("web", "-m", "app.cli", "web", "--port", str(app_port), "--workers", "1")
    processes.start("worker", "-m", "app.cli", "worker")
    processes.start("sweeper", "-m", "app.cli", "sweep")
    processes.wait_for("sandbox", lambda: _answers(sandbox_port, "/healthz"))
    processes.wait_for("web", lambda: _answers(app_port, "/readyz"))


def _environment(home: Path, app: str, sandbox: str, redis_url: str) -> dict[str, str]:
    mine = {
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_PUBLIC_URL": app,
        "COUNTERSIGN_SANDBOX_URL": sandbox,
        "COUNTERSIGN_CHECKPOINTS": str(home / "checkpoints"),
        SECRET_NAME: secrets.token_urlsafe(24),
    }
    return {**os.environ, **mine, **({"COUNTERSIGN_REDIS_URL": redis_url} if redis_url else {})}


def _port(preferred: int, ours: ExitStack) -> int:
    """The preferred port, or a free one when somebody else is there or another demo is about to be."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            _reserve(preferred, ours)
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reserve(port: int, ours: ExitStack) -> None:
    """Keep other demos off a port that nobody listens on yet. Raises `OSError` when one was faster."""
    lock = ours.enter_context((Path(tempfile.gettempdir()) / f"countersign-demo-{port}.lock").open("w"))
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _answers(port: int, path: str) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=2).ok
    except requests.RequestException:
        return False
