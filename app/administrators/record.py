"""Appending to the administrators' own log: that of the tenant `console`, which no organisation may be called."""

from datetime import datetime

from sqlalchemy import Connection

from app.event_log.append import append_next, hold_log
from app.event_log.event import Event

CONSOLE = "console"
# Where sign-ins under names that nobody has are recorded.
NOBODY = "nobody"
SIGN_IN = "system:sign-in"


def stream_of(account_id: str) -> str:
    """The stream of one account."""
    return f"admin:{account_id}"


def actor_of(account_id: str) -> str:
    """An administrator as every event names them."""
    return f"admin:{account_id}"


def hold(tx: Connection) -> None:
    """Let nobody else change accounts until the transaction ends: for what reads them before it decides."""
    hold_log(tx, CONSOLE)


def record(tx: Connection, account_id: str, event: Event, actor: str, now: datetime) -> None:
    """Append one event about an account, in the transaction that makes it true."""
    append_next(tx, CONSOLE, stream_of(account_id or NOBODY), event, actor=actor, now=now, causation="console")
