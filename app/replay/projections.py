"""Projecting the whole log again, beside the read models in use, and comparing the two row by row.

The log is copied into a database of its own and projected there, so nobody waits for a replay and nothing in use is
touched.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Row, Table, create_engine, insert, select

from app.db import Database, metadata
from app.errors import TryAgain
from app.event_log.read import ends
from app.event_log.tables import events, log_heads
from app.projections.follower import PROJECTIONS, catch_up
from app.projections.tables import audit_trail, projection_positions, write_status

READ_MODELS: dict[str, Table] = {"write_status": write_status, "audit_trail": audit_trail}
COPIED_AT_ONCE = 1000
MOST_TRIES = 5

if READ_MODELS.keys() != PROJECTIONS.keys():
    raise TypeError(f"these projections are not replayed: {sorted(PROJECTIONS.keys() ^ READ_MODELS.keys())}")


@dataclass(frozen=True)
class ComparedReadModel:
    """How many rows a replay of the log gives, and the keys of those that are not in use as they should be."""

    rows: int
    different: tuple[str, ...]


@dataclass(frozen=True)
class ReplayedLog:
    """The number of events that were projected again, and each read model compared."""

    events: int
    read_models: dict[str, ComparedReadModel]

    @property
    def ok(self) -> bool:
        """Whether every read model is what the log says."""
        return not any(one.different for one in self.read_models.values())


def replay_projections(database: Database) -> ReplayedLog:
    """Rebuild every read model from nothing and compare it with the one in use.

    Raises `TryAgain` when the read models in use never stood at the log's end: too much is written just now, or an
    event that this release cannot read holds one of them up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="countersign-replay-") as folder,
        _scratch(Path(folder)) as scratch,
        _at_the_end(database) as tx,
    ):
        copied = _copy(tx, scratch)
        catch_up(scratch)
        with scratch.read() as replayed:
            compared = {name: _compare(tx, replayed, table) for name, table in READ_MODELS.items()}
    return ReplayedLog(copied, compared)


@contextmanager
def _scratch(folder: Path) -> Iterator[Database]:
    engine = create_engine(f"sqlite:///{folder / 'replay.db'}")
    metadata.create_all(engine, tables=[events, log_heads, projection_positions, *READ_MODELS.values()])
    try:
        yield Database(engine)
    finally:
        engine.dispose()


@contextmanager
def _at_the_end(database: Database) -> Iterator[Connection]:
    """One moment of the database at which every read model has followed the log to its end."""
    for _ in range(MOST_TRIES):
        catch_up(database)
        with database.read() as tx:
            if _followed(tx) == {(name, tenant): end for tenant, end in ends(tx).items() for name in READ_MODELS}:
                yield tx
                return
    raise TryAgain("The read models do not reach the end of the log.", "Run it again at a quieter time.")


def _followed(tx: Connection) -> dict[tuple[str, str], int]:
    return {(row.projection, row.tenant_id): row.sequence for row in tx.execute(select(projection_positions))}


def _copy(tx: Connection, scratch: Database) -> int:
    copied = 0
    for table in (events, log_heads):
        query = select(table).order_by(*table.primary_key).execution_options(yield_per=COPIED_AT_ONCE)
        rows = tx.execute(query)
        for part in rows.mappings().partitions():
            with scratch.write() as into:
                into.execute(insert(table), [dict(row) for row in part])
            copied += len(part) if table is events else 0
    return copied


def _compare(live: Connection, replayed: Connection, table: Table) -> ComparedReadModel:
    in_use, expected = _rows(live, table), _rows(replayed, table)
    keys = in_use.keys() | expected.keys()
    return ComparedReadModel(len(expected), tuple(sorted(key for key in keys if in_use.get(key) != expected.get(key))))


def _rows(tx: Connection, table: Table) -> dict[str, Row[tuple[object, ...]]]:
    names = [column.name for column in table.primary_key]
    return {"/".join(str(getattr(row, name)) for name in names): row for row in tx.execute(select(table))}
