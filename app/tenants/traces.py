"""Traces: what became of each launch, kept under the code that its page showed. `trace_search.py` finds them.

Anybody may open `/launch` and `/callback` with anything, so what failed is kept within bounds: so many a minute, and
the newest, of each outcome of each tenant and of nobody's. Each outcome is counted for itself, so that what a stranger
can cause at will leaves alone the room of the failures that befall clinicians. A launch that completed took a sign-in
at the EHR; its trace is kept whatever else comes. None is kept for longer than ninety days. A trace never holds PHI,
tokens, codes, `state` or users: step, code and detail are words of ours, and the facts come from `launch/facts.py`.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.tenants.tables import launch_traces as table

COMPLETED = "completed"
KEPT_FOR = timedelta(days=90)
PURGED_EVERY = timedelta(hours=1)
MOST_A_MINUTE = 60
MOST_OF_AN_OUTCOME = 5_000
LONGEST_FACTS = 8_000

log = get_logger()


@dataclass(frozen=True)
class Trace:
    """One launch, completed or failed: at which step, with which outcome, in our own words."""

    reference: str
    tenant_id: str | None
    step: str
    outcome: str
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    launch_id: str | None = None


class Traces:
    """Keeps traces, and lets go of old ones."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = Lock()
        self._minute: datetime | None = None
        self._counted: dict[tuple[str, str], int] = {}
        self._purged_at: datetime | None = None

    def keep(self, trace: Trace) -> bool:
        """Store one trace; False when it was left out. Never raises for want of a database: an error page must come."""
        now = self._clock()
        if trace.outcome != COMPLETED and not self._has_room(trace.tenant_id or "", trace.outcome, now):
            return False
        try:
            with self._database.write() as tx:
                tx.execute(insert(table).values(_row(trace, now)))
        except SQLAlchemyError as error:
            log.error("trace_not_kept", reference=trace.reference, code=trace.outcome, error=type(error).__name__)
            return False
        return True

    def purge(self) -> int:
        """Forget what is older than ninety days, or beyond the newest failures of its kind; returns how many.

        Called with every sweep; looks once an hour.
        """
        now = self._clock()
        if self._purged_at and now - self._purged_at < PURGED_EVERY:
            return 0
        self._purged_at = now
        with self._database.write() as tx:
            gone = tx.execute(delete(table).where(table.c.happened_at < now - KEPT_FOR)).rowcount
            failed = select(table.c.tenant_id, table.c.outcome).where(table.c.outcome != COMPLETED).distinct()
            for tenant_id, outcome in tx.execute(failed).all():
                gone += _purge_beyond(tx, tenant_id, outcome)
        return gone

    def _has_room(self, tenant_id: str, outcome: str, now: datetime) -> bool:
        """Whether another failure of this kind may be kept this minute; the first that may not is said in the log."""
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            if minute != self._minute:
                self._minute, self._counted = minute, {}
            count = self._counted[tenant_id, outcome] = self._counted.get((tenant_id, outcome), 0) + 1
        if count == MOST_A_MINUTE + 1:
            log.warning(
                "traces_left_out", tenant=tenant_id, code=outcome, reason="too many failed launches in one minute"
            )
        return count <= MOST_A_MINUTE


def _purge_beyond(tx: Connection, tenant_id: str | None, outcome: str) -> int:
    whose = table.c.tenant_id == tenant_id if tenant_id is not None else table.c.tenant_id.is_(None)
    mine = whose & (table.c.outcome == outcome)
    newest_first = select(table.c.happened_at).where(mine).order_by(table.c.happened_at.desc())
    last_kept = tx.execute(newest_first.offset(MOST_OF_AN_OUTCOME - 1).limit(1)).scalar()
    if last_kept is None:
        return 0
    return tx.execute(delete(table).where(mine, table.c.happened_at < last_kept)).rowcount


def _row(trace: Trace, now: datetime) -> dict[str, Any]:
    facts = json.dumps(dict(trace.facts), sort_keys=True)
    return {
        "trace_id": secrets.token_hex(16),
        "reference": trace.reference,
        "tenant_id": trace.tenant_id or None,
        "happened_at": now,
        "step": trace.step[:32],
        "outcome": trace.outcome[:32],
        "detail": trace.detail[:500],
        "facts": facts if len(facts) <= LONGEST_FACTS else "{}",
        "launch_id": trace.launch_id,
    }
