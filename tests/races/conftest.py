"""The same database seen by several processes."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine

from app.db import Database

Connect = Callable[[], Database]


@pytest.fixture
def connect(migrated_url: str) -> Iterator[Connect]:
    """Opens the same database as one more process would: an engine of its own for each call."""
    opened: list[Database] = []

    def open_it() -> Database:
        opened.append(Database(create_engine(migrated_url)))
        return opened[-1]

    yield open_it
    for database in opened:
        database.engine.dispose()
