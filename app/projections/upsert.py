"""Insert read models' rows or replace their values; the caller's transaction holds the projection's position."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert


def upsert(tx: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Make each row, found by its primary key, hold these values; all rows name the same columns."""
    if not rows:
        return
    statement = (postgresql_insert if tx.dialect.name == "postgresql" else sqlite_insert)(table)
    keys = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), rows)
