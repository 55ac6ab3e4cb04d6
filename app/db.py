"""The database: one SQLAlchemy engine for SQLite and PostgreSQL, and the two kinds of transaction there are.

Rooms use SQLAlchemy Core and receive a `Connection`; nothing relies on an ambient session.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Executable,
    MetaData,
    Table,
    TypeDecorator,
    bindparam,
    create_engine,
    event,
    func,
    literal,
    make_url,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.pool import ConnectionPoolEntry

from app.errors import Misconfigured
from app.group_commit import GroupCommit
from app.settings import Settings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# Of SQLite, in one process; as many as a drain has threads.
MOST_CONNECTIONS = 64

metadata = MetaData(naming_convention=NAMING)
db = SQLAlchemy(metadata=metadata)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in UTC: refuses naive values on the way in, gives aware ones back on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """To UTC; a naive datetime is a programming error."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime was about to be stored")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """SQLite forgets the zone; put it back."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class Database:
    """Hands out transactions over one engine."""

    def __init__(self, engine: Engine, *, own_clock: bool = False, together: bool = True) -> None:
        """`own_clock`: leases go by the database's clock, which machines share, and not by the caller's (F39).

        `together`: writers of this process share commits where the database has one writer at a time.
        """
        self.engine = engine
        options: dict[str, Any] = {"countersign_own_clock": own_clock and engine.dialect.name == "postgresql"}
        self._writer = engine.execution_options(countersign_write=True, **options)
        if engine.dialect.name == "postgresql":  # SQLite's WAL gives every transaction its own moment
            options["isolation_level"] = "REPEATABLE READ"
        self._reader = engine.execution_options(**options)
        self._group: GroupCommit | None = None
        self._is_sqlite = engine.dialect.name == "sqlite"
        if self._is_sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
            self._group = GroupCommit(self._writer.connect, begin_write_on_sqlite) if together else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that takes the write lock at once, so that it never fails half-way for want of it.

        It is durable when this returns. On SQLite it may be a part of one that several writers share.
        """
        if self._group:
            with self._group.join() as connection:
                yield connection
        else:
            with self._writer.begin() as connection:
                if self._is_sqlite:
                    begin_write_on_sqlite(connection)
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, all of it at one moment: what others commit meanwhile does not show."""
        with self._reader.begin() as connection:
            if self._is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection


def engine_options(url: str) -> dict[str, Any]:
    """What the app's engine is made with, beside its address.

    A new connection of SQLite reads the whole schema first, and costs its server nothing to keep: as many are kept as
    a worker has threads. PostgreSQL's are counted by its server, for all processes.
    """
    return {"pool_size": MOST_CONNECTIONS} if make_url(url).get_backend_name() == "sqlite" else {}


def open_database(settings: Settings) -> Database:
    """The database alone, for commands that must work when nothing else is configured.

    Raises `Misconfigured` when there is none: looking at a record must not make an empty one.
    """
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise Misconfigured(f"There is no database at {url.database}. Set COUNTERSIGN_HOME.")
    return Database(create_engine(url))


def moment(tx: Connection, now: datetime) -> ColumnElement[datetime]:
    """`now` for a statement that grants or checks a lease: by the database's own clock where machines share it.

    SQLite is a file on one machine, whose clock is the caller's. A simulated clock is always the caller's.
    """
    if has_own_clock(tx):
        return func.clock_timestamp(type_=UTCDateTime())
    return literal(now, UTCDateTime())


def shared_moment(tx: Connection, now: datetime) -> datetime:
    """The same as a value."""
    return tx.execute(select(moment(tx, now))).scalar_one() if has_own_clock(tx) else now


def has_own_clock(tx: Connection) -> bool:
    """Whether leases go by the database's own clock here."""
    return bool(tx.get_execution_options().get("countersign_own_clock"))


def moment_given(*, own_clock: bool) -> ColumnElement[datetime]:
    """As `moment`, for a statement that is made once: the caller's moment is its parameter `now`."""
    return func.clock_timestamp(type_=UTCDateTime()) if own_clock else bindparam("now", type_=UTCDateTime())


def insert_if_absent(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert `row` unless one of its unique keys is taken; false when it is. Waits for whoever inserts it right now."""
    return insert_those_absent(tx, table, [row]) == 1


def insert_those_absent(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """The same for several rows at once; how many of them were inserted."""
    return tx.execute(_insert_unless_taken(table, tx.dialect.name), [dict(row) for row in rows]).rowcount


@cache
def _insert_unless_taken(table: Table, dialect: str) -> Executable:
    into = postgresql_insert if dialect == "postgresql" else sqlite_insert
    return into(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def upsert(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make each row, found by its primary key, hold these values; all rows name the same columns."""
    if rows:
        tx.execute(_insert_or_replace(table, tx.dialect.name, tuple(rows[0])), [dict(row) for row in rows])


@cache
def _insert_or_replace(table: Table, dialect: str, names: tuple[str, ...]) -> Executable:
    into = (postgresql_insert if dialect == "postgresql" else sqlite_insert)(table)
    keys = [column.name for column in table.primary_key]
    values = {name: into.excluded[name] for name in names if name not in keys}
    return into.on_conflict_do_update(index_elements=keys, set_=values)


def lock_named(tx: Connection, name: str) -> None:
    """Hold the lock of this name until the transaction ends; for what has no row to lock yet.

    A write transaction on SQLite is alone already.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    """WAL lets readers and the one writer work at once; FULL makes a commit survive a power cut."""
    connection.isolation_level = None  # the driver opens no transaction by itself: each is begun as it is meant
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
        connection.execute(f"PRAGMA {pragma}").close()


def begin_write_on_sqlite(connection: Connection) -> None:
    """Begin what SQLAlchemy calls begun already, with the write lock."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
