"""Log and artifacts together: the chains, and the sealed bytes that the events committed to. Needs no key."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from app.artifacts.store import Referred, verify_artifacts
from app.errors import Corrupt
from app.event_log.event import event_from, referenced_artifacts
from app.event_log.tables import events as table
from app.event_log.verify import AS_STORED, Problem, Report, undecodable_text_allowed, verify

LOOKED_UP_AT_ONCE = 500


def verify_everything(tx: Connection) -> Report:
    """The log's own report, with what is wrong with the artifacts added."""
    chains = verify(tx)
    query = select(*AS_STORED).order_by(table.c.tenant_id, table.c.sequence)
    unreadable: list[Problem] = []
    with undecodable_text_allowed(tx):
        rows = iter(tx.execute(query).yield_per(1000))
        referred = (one for row in rows for one in _referred(row, unreadable))
        artifacts = list[Problem]()
        while part := list(islice(referred, LOOKED_UP_AT_ONCE)):
            artifacts += verify_artifacts(tx, part)
    return Report(chains.events, chains.problems + tuple(unreadable) + tuple(artifacts))


def _referred(row: Any, unreadable: list[Problem]) -> Iterator[Referred]:
    try:
        event = event_from(row.tag, row.payload)
    except (Corrupt, ValueError):
        unreadable.append(Problem(row.tenant_id, row.sequence, "the event cannot be read by this version"))
        return
    yield from (Referred(row.tenant_id, row.sequence, reference) for reference in referenced_artifacts(event))
