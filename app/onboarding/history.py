"""What was left behind: by recent launches, who completed and who failed where; by filing, what the EHR was seen to do.

Read from the launches, their traces and the habits of the EHR; neither a patient nor a user is looked at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, select

from app.tenants import habits
from app.tenants.habits import Habit, Seen
from app.tenants.registrations import Tenant
from app.tenants.tables import launch_traces as traces
from app.tenants.tables import launches

LOOKED_BACK = timedelta(days=14)
MOST = 200
COMPLETED = "completed"
# The errors of launches whose tenant could not be told.
STRANGERS = ("unknown_issuer", "ambiguous_issuer")


@dataclass(frozen=True)
class Completed:
    """The last launch that came through: the registered base that it went by, and what it was granted."""

    fhir_base: str
    scopes: str
    at: datetime


@dataclass(frozen=True)
class Trace:
    """One launch as far as it came."""

    reference: str
    at: datetime
    step: str
    outcome: str
    detail: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """The last completed launch; this tenant's traces and those of strangers on its host, newest first; habits."""

    last: Completed | None = None
    traces: tuple[Trace, ...] = ()
    strangers: tuple[Trace, ...] = ()
    habits: Mapping[Habit, Seen] = field(default_factory=dict)

    @property
    def carried(self) -> str:
        """The iss of the newest launch as it stood in the address; what was registered then, where no trace says."""
        told = (str(trace.facts["issuer"]) for trace in self.traces if trace.facts.get("issuer"))
        return next(told, self.last.fhir_base if self.last else "")

    @property
    def failed_since(self) -> tuple[Trace, ...]:
        """The launches that failed after the last one that completed."""
        since = self.last.at if self.last else None
        return tuple(
            trace for trace in self.traces if trace.outcome != COMPLETED and (since is None or trace.at > since)
        )


def history_of(tx: Connection, tenant: Tenant, now: datetime) -> History:
    """The tenant's recent launches."""
    since = now - LOOKED_BACK
    newest = select(launches).where(launches.c.tenant_id == tenant.id, launches.c.created_at > since)
    row = tx.execute(newest.order_by(launches.c.created_at.desc()).limit(1)).one_or_none()
    recent = select(traces).where(traces.c.happened_at > since).order_by(traces.c.happened_at.desc()).limit(MOST)
    mine = tx.execute(recent.where(traces.c.tenant_id == tenant.id)).all()
    others = tx.execute(recent.where(traces.c.outcome.in_(STRANGERS))).all()
    return History(
        last=Completed(row.fhir_base, row.scopes, row.created_at) if row else None,
        traces=tuple(_trace(one) for one in mine),
        strangers=tuple(trace for trace in map(_trace, others) if _is_neighbour(trace, tenant)),
        habits=habits.seen(tx, tenant.id),
    )


def _trace(row: Row[Any]) -> Trace:
    facts = json.loads(row.facts)
    return Trace(row.reference, row.happened_at, row.step, row.outcome, row.detail, facts)


def _is_neighbour(trace: Trace, tenant: Tenant) -> bool:
    """Whether an unregistered iss is on this tenant's own host: most likely the same EHR under another spelling."""
    theirs = urlsplit(str(trace.facts.get("issuer", "")))
    ours = urlsplit(tenant.fhir_base)
    return bool(theirs.hostname) and theirs.hostname == ours.hostname and theirs.port == ours.port
