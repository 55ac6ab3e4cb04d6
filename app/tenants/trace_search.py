"""Finding the traces that launches left: by the code that a clinician saw, or the newest of a tenant."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, Select, select

from app.tenants.tables import launch_traces as table


@dataclass(frozen=True)
class FoundTrace:
    """What became of one launch: our own words and names of things, never PHI, tokens, codes or state."""

    reference: str
    tenant_id: str
    happened_at: datetime
    step: str
    outcome: str
    detail: str
    facts: Mapping[str, object]


def by_reference(tx: Connection, reference: str) -> list[FoundTrace]:
    """Every launch under this code, newest first: short codes are not unique for ever."""
    return _found(tx, select(table).where(table.c.reference == reference))


def newest(tx: Connection, tenant_id: str | None, limit: int) -> list[FoundTrace]:
    """The newest launches of a tenant, or of all and of nobody, completed and failed."""
    query = select(table).limit(limit)
    return _found(tx, query if tenant_id is None else query.where(table.c.tenant_id == tenant_id))


def _found(tx: Connection, query: Select[tuple[object, ...]]) -> list[FoundTrace]:
    return [_trace(row) for row in tx.execute(query.order_by(table.c.happened_at.desc(), table.c.trace_id))]


def _trace(row: Row[tuple[object, ...]]) -> FoundTrace:
    return FoundTrace(
        reference=row.reference,
        tenant_id=row.tenant_id or "",
        happened_at=row.happened_at,
        step=row.step,
        outcome=row.outcome,
        detail=row.detail,
        facts=json.loads(row.facts),
    )
