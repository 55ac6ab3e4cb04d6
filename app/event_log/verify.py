"""Is the log what was written? Recomputes every chain from its first event, trusting no stored hash.

Whoever changed a row may have left anything in it, and SQLite takes anything anywhere. So the stored values are read
as they are, and what cannot have been written by us is a finding, never a crash. A tail that was cut off together
with its recorded head cannot be found from inside the database.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType

from app.event_log.recorded import GENESIS, hash_at
from app.event_log.tables import events as table
from app.event_log.tables import log_heads


@dataclass(frozen=True)
class Problem:
    """Where a chain breaks, in words an administrator can act on."""

    tenant_id: str
    sequence: int
    what: str


@dataclass(frozen=True)
class Report:
    """The outcome of one verification."""

    events: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """True when nothing was found."""
        return not self.problems


# The columns without the conversions that would fail on, or hide, what somebody else wrote.
COLUMNS = tuple(column.name for column in table.c)
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", re.ASCII)
AS_STORED = tuple(type_coerce(column, NullType()).label(column.name) for column in table.c)


def verify(tx: Connection) -> Report:
    """Check sequence, links, hashes and the recorded head of every tenant's chain."""
    heads = {row.tenant_id: row for row in tx.execute(select(log_heads))}
    count, problems = 0, list[Problem]()
    with undecodable_text_allowed(tx):
        rows = tx.execute(select(*AS_STORED).order_by(table.c.tenant_id, table.c.sequence))
        stored = (dict(zip(COLUMNS, row, strict=True)) for row in rows.yield_per(1000))
        for tenant_id, chain in groupby(stored, key=itemgetter("tenant_id")):
            previous, sequence, position = GENESIS, 0, 0
            for row in chain:
                count += 1
                found = _check(row, previous, sequence + 1, position)
                problems += [Problem(tenant_id, row["sequence"], what) for what in found]
                previous, position = row["hash"], row["position"]
                sequence = row["sequence"] if isinstance(row["sequence"], int) else sequence + 1
            head = heads.pop(tenant_id, None)
            if head is None or (head.sequence, head.hash) != (sequence, previous):
                problems.append(Problem(tenant_id, sequence, "the chain does not end at its recorded head"))
    problems += [Problem(name, 0, "the whole chain is missing") for name, head in heads.items() if head.sequence]
    return Report(count, tuple(problems))


@contextmanager
def undecodable_text_allowed(tx: Connection) -> Iterator[None]:
    """SQLite keeps bytes that are no UTF-8 in a text column and then refuses to read them; read them marked instead."""
    driver: Any = tx.connection.driver_connection
    if tx.dialect.name != "sqlite":
        yield
        return
    before, driver.text_factory = driver.text_factory, _readable
    try:
        yield
    finally:
        driver.text_factory = before


def _readable(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _check(row: Mapping[str, Any], previous: str, expected_sequence: int, after_position: int) -> list[str]:
    found = []
    if row["sequence"] != expected_sequence:
        found.append(_gap(row["sequence"], expected_sequence))
    if row["position"] <= after_position:
        found.append("the event stands before its predecessor")
    if row["previous_hash"] != previous:
        found.append("the link to the event before is broken")
    if not _is_intact(row):
        found.append("the event was changed after it was recorded")
    return found


def _gap(sequence: object, expected: int) -> str:
    if isinstance(sequence, int) and sequence > expected:
        return f"events {expected} to {sequence - 1} are missing"
    return f"event {expected} is missing"


def _is_intact(row: Mapping[str, Any]) -> bool:
    moment, payload = _moment(row["recorded_at"]), row["payload"]
    if moment is None or not _is_json(payload):
        return False
    try:
        hashed = hash_at(moment, row["previous_hash"], row, payload)
    except (AttributeError, TypeError):  # a value that is not even of the column's type
        return False
    return hashed == str(row["hash"])


def _moment(stored: object) -> str | None:
    """The moment as it was hashed; None when it is not spelled as we write it."""
    if isinstance(stored, datetime):
        return stored.astimezone(UTC).isoformat(timespec="microseconds")
    if not isinstance(stored, str) or not _WRITTEN.fullmatch(stored):
        return None
    try:
        datetime.fromisoformat(stored)
    except ValueError:
        return None
    return f"{stored[:10]}T{stored[11:]}+00:00"


def _is_json(payload: object) -> bool:
    try:
        from_json(payload if isinstance(payload, bytes) else b"")
    except ValueError:
        return False
    return True
