"""A launch's own story in its tenant's log, stream `launch:<id>`: renewed, ended, given back."""

from datetime import datetime

from sqlalchemy import Connection

from app.event_log.append import append_next
from app.event_log.event import Event
from app.ids import LaunchId, TenantId

RENEWAL = "system:renewal"
SWEEPER = "system:sweeper"


def stream_of(launch_id: LaunchId) -> str:
    """The name of a launch's stream."""
    return f"launch:{launch_id}"


def record(
    tx: Connection, tenant_id: TenantId, launch_id: LaunchId, event: Event, *, actor: str, now: datetime
) -> None:
    """Append the event in the transaction of the change that it tells. Identifiers only; never a token."""
    append_next(tx, tenant_id, stream_of(launch_id), event, actor=actor, now=now)
