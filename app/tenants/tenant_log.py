"""A tenant's own story in its own log, stream `tenant:<id>`: every change of it is an event with who and when."""

from datetime import datetime

from sqlalchemy import Connection

from app.event_log.append import append_next, hold_log
from app.event_log.event import Event

OURSELVES = "system:countersign"


def stream_of(tenant_id: str) -> str:
    """The name of a tenant's stream."""
    return f"tenant:{tenant_id}"


def hold(tx: Connection, tenant_id: str) -> None:
    """Let nobody else append to the tenant's log before this transaction ends."""
    hold_log(tx, tenant_id)


def record(tx: Connection, tenant_id: str, event: Event, *, actor: str, now: datetime) -> None:
    """Append the event in the transaction of the change. `actor`: `admin:<account id>`, `cli:<user>` or ourselves."""
    append_next(tx, tenant_id, stream_of(tenant_id), event, actor=actor, now=now)
