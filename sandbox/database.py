"""SQLite in WAL mode, one connection per thread."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
  last_updated TEXT NOT NULL, patient TEXT, searchable_at REAL NOT NULL DEFAULT 0, body TEXT NOT NULL,
  UNIQUE (type, id)
);
CREATE INDEX IF NOT EXISTS resources_by_patient ON resources (type, patient);
CREATE TABLE IF NOT EXISTS identifiers (
  type TEXT NOT NULL, value TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (type, value, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chart_changes (
  number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, action TEXT NOT NULL,
  resource_type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, person TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS moved (type TEXT NOT NULL, id TEXT NOT NULL, to_id TEXT NOT NULL, PRIMARY KEY (type, id));
CREATE TABLE IF NOT EXISTS versions (
  type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, method TEXT NOT NULL,
  last_updated TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (type, id, version)
);
CREATE TABLE IF NOT EXISTS launches (
  token_sha256 TEXT PRIMARY KEY, practitioner TEXT NOT NULL, patient TEXT NOT NULL, encounter TEXT,
  expires_at REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS clients (client_id TEXT PRIMARY KEY, registration TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS codes (
  code_sha256 TEXT PRIMARY KEY, family TEXT NOT NULL, client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL,
  scope TEXT NOT NULL, practitioner TEXT NOT NULL, patient TEXT, encounter TEXT, nonce TEXT,
  code_challenge TEXT NOT NULL, expires_at REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS tokens (
  token_sha256 TEXT PRIMARY KEY, refresh_sha256 TEXT UNIQUE, family TEXT NOT NULL, client_id TEXT NOT NULL,
  practitioner TEXT NOT NULL, patient TEXT, encounter TEXT, scope TEXT NOT NULL,
  issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  revoked INTEGER NOT NULL DEFAULT 0, refresh_used INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS tokens_by_family ON tokens (family);
CREATE TABLE IF NOT EXISTS assertions (
  client_id TEXT NOT NULL, jti TEXT NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (client_id, jti)
);
CREATE TABLE IF NOT EXISTS writes (
  number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, interaction TEXT NOT NULL,
  resource_type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, token_sha256 TEXT NOT NULL,
  subject TEXT NOT NULL, client_id TEXT NOT NULL, patient TEXT, encounter TEXT
);
CREATE INDEX IF NOT EXISTS writes_by_version ON writes (resource_type, id, version);
CREATE INDEX IF NOT EXISTS chart_changes_by_version ON chart_changes (resource_type, id, version);
"""
# Columns that came later; a home that was made before gets them when it is opened.
ADDED = (("launches", "family", "TEXT NOT NULL DEFAULT ''"), ("launches", "sign_in", "TEXT NOT NULL DEFAULT '{}'"))
WAIT_FOR_LOCK_SECONDS = 15


class Database:
    """One EHR's state: resources with their versions, and everything the authorization server remembers.

    In a file, with a connection for each thread; without one (`path` None) in memory, where the threads of this
    process share one connection, one statement or one transaction at a time.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._local = threading.local()
        self._turn: AbstractContextManager[object] = threading.RLock() if path is None else nullcontext()
        self._shared = _in_memory() if path is None else None
        self._connection().executescript(SCHEMA)
        for table, column, kind in ADDED:
            if column not in {row["name"] for row in self.rows(f"PRAGMA table_info({table})")}:
                self.change(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._turn:
            return self._connection().execute(sql, parameters).fetchall()

    def row(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._turn:
            found: sqlite3.Row | None = self._connection().execute(sql, parameters).fetchone()
        return found

    def change(self, sql: str, *parameters: Any) -> int:
        """Execute one change and say how many rows it touched: an atomic claim when that is 0 or 1."""
        with self._turn:
            return self._connection().execute(sql, parameters).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take the write lock, then commit, or roll back on any exception. Joins one already open."""
        with self._turn:
            connection = self._connection()
            if connection.in_transaction:
                yield
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Close this thread's connection (SQLite connections must not cross a fork); memory is kept."""
        if self._shared is None:
            self._connection().close()
            del self._local.connection

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = self._shared or getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(str(self.path), timeout=WAIT_FOR_LOCK_SECONDS, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return connection


def _in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection
