"""Administrators' sessions: opaque, of 256 random bits, kept by digest, ended on the server.

A new one at every sign-in, so that one planted before is worth nothing (fixation). It ends when it was idle for
`COUNTERSIGN_ADMIN_IDLE_MINUTES`, `COUNTERSIGN_ADMIN_SESSION_HOURS` after it began, at sign-out, and when its account
is disabled. Source: OWASP ASVS 5 section 7.2 to 7.4; conformance E11, E12.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from app.administrators.tables import admin_sessions as table
from app.administrators.tables import administrators
from app.event_log.canonical import digest

# Looking counts as use, but not every look needs a write.
NOTED_EVERY = timedelta(seconds=20)
KEPT_AFTER_END = timedelta(days=1)


@dataclass(frozen=True)
class Lifetime:
    """How long a session may lie idle, and how long it may last in all."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True)
class OpenSession:
    """A session that a cookie opened: whose it is, and when it was last noted."""

    session_digest: str
    account_id: str
    last_seen_at: datetime
    expires_at: datetime


def begin(tx: Connection, account_id: str, lifetime: Lifetime, now: datetime, replaced: str = "") -> str:
    """A new session; returns the secret for its cookie. The one whose secret is `replaced` ends with it."""
    end(tx, replaced, now)
    tx.execute(delete(table).where(table.c.expires_at < now - KEPT_AFTER_END))
    secret = secrets.token_urlsafe(32)
    row = {"session_digest": _digest(secret), "account_id": account_id, "created_at": now, "last_seen_at": now}
    tx.execute(insert(table).values(**row, expires_at=now + lifetime.absolute))
    return secret


def open_session(tx: Connection, secret: str, lifetime: Lifetime, now: datetime) -> OpenSession | None:
    """The live session that this secret opens; None when there is none, it ended, or its account is disabled."""
    query = (
        select(table)
        .join(administrators, administrators.c.account_id == table.c.account_id)
        .where(table.c.session_digest == _digest(secret), table.c.ended_at.is_(None))
        .where(table.c.expires_at > now, table.c.last_seen_at > now - lifetime.idle)
        .where(administrators.c.disabled_at.is_(None))
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return OpenSession(row.session_digest, row.account_id, row.last_seen_at, row.expires_at)


def is_to_be_noted(session: OpenSession, now: datetime) -> bool:
    """Whether the session's last use was noted so long ago that this one must be."""
    return now - session.last_seen_at >= NOTED_EVERY


def note_use(tx: Connection, session: OpenSession, now: datetime) -> None:
    """The session was used now. Never backwards, and never one that has ended meanwhile."""
    mine = (table.c.session_digest == session.session_digest) & table.c.ended_at.is_(None)
    tx.execute(update(table).where(mine, table.c.last_seen_at < now).values(last_seen_at=now))


def end(tx: Connection, secret: str, now: datetime) -> bool:
    """End the session of this secret; false when there was none."""
    return _end(tx, table.c.session_digest == _digest(secret), now) == 1 if secret else False


def end_all_of(tx: Connection, account_id: str, now: datetime) -> int:
    """End every session of this account; returns how many."""
    return _end(tx, table.c.account_id == account_id, now)


def _end(tx: Connection, which: ColumnElement[bool], now: datetime) -> int:
    return tx.execute(update(table).where(which, table.c.ended_at.is_(None)).values(ended_at=now)).rowcount


def _digest(secret: str) -> str:
    return digest(secret.encode())
