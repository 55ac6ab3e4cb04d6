"""Insert a read model's row or replace its values; the caller's transaction holds the projection's position."""

from typing import Any

from sqlalchemy import Connection, Table, and_, insert, update


def upsert(tx: Connection, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Make the row with `key` hold `values`."""
    mine = and_(*(table.c[name] == value for name, value in key.items()))
    if tx.execute(update(table).where(mine).values(**values)).rowcount == 0:
        tx.execute(insert(table).values(**key, **values))
