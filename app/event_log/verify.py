"""Is the log what was written? Recomputes every chain from its first event, trusting no stored hash."""

import json
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, Row, select

from app.event_log.recorded import GENESIS, chain_hash
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


def verify(tx: Connection) -> Report:
    """Check sequence, links, hashes and the recorded head of every tenant's chain."""
    heads = {row.tenant_id: row for row in tx.execute(select(log_heads))}
    rows = tx.execute(select(table).order_by(table.c.tenant_id, table.c.sequence).execution_options(yield_per=1000))
    count, problems = 0, list[Problem]()
    for tenant_id, chain in groupby(rows, key=lambda row: row.tenant_id):
        previous, sequence = GENESIS, 0
        for row in chain:
            count += 1
            problems += _check(row, previous, sequence + 1)
            previous, sequence = row.hash, row.sequence
        head = heads.pop(tenant_id, None)
        if head is None or (head.sequence, head.hash) != (sequence, previous):
            problems.append(Problem(tenant_id, sequence, "the chain does not end at its recorded head"))
    problems += [Problem(name, 0, "the whole chain is missing") for name, head in heads.items() if head.sequence]
    return Report(count, tuple(problems))


def _check(row: Row[tuple[object, ...]], previous: str, expected_sequence: int) -> list[Problem]:
    found = []
    if row.sequence != expected_sequence:
        found.append(f"events {expected_sequence} to {row.sequence - 1} are missing")
    if row.previous_hash != previous:
        found.append("the link to the event before is broken")
    if chain_hash(row.previous_hash, dict(row._mapping), row.payload) != row.hash:
        found.append("the event was changed after it was recorded")
    if not _is_json(row.payload):
        found.append("the payload is not readable")
    return [Problem(row.tenant_id, row.sequence, what) for what in found]


def _is_json(payload: bytes) -> bool:
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True
