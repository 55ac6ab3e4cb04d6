"""Launches: one SMART launch each, named by an opaque id in every URL and opened by its own cookie.

The cookie belongs to one launch, not to the browser, so two charts in one browser are two launches that cannot touch
each other, and a launch started by somebody else cannot attach itself to this browser's session.
"""

import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, insert, select

from app.errors import LaunchEnded, NotFound
from app.event_log.canonical import digest
from app.ids import LaunchId, TenantId
from app.tenants.ending import end_launch, hold_launches
from app.tenants.tables import launches

ENDED = {
    "signed_out": "You signed out of this session.",
    "another_person": "This session ended when another person started Countersign in this browser.",
    "tenant_retired": "Your organisation has ended its use of Countersign.",
}

_BY_ID = select(launches).where(launches.c.launch_id == bindparam("which"))  # made once: each request and send asks


@dataclass(frozen=True)
class Launch:
    """One completed launch: who, in whose chart, in which visit, allowed to do what. Fixed for its whole life."""

    launch_id: LaunchId
    tenant_id: TenantId
    fhir_base: str
    issuer: str
    subject: str
    fhir_user: str
    user_name: str
    patient: str
    encounter: str | None
    scopes: str
    created_at: datetime
    expires_at: datetime

    @property
    def actor(self) -> str:
        """The user as every event names them: issuer and subject of the verified id_token."""
        return f"{self.issuer}#{self.subject}"


@dataclass(frozen=True)
class NewLaunch:
    """A launch to record, and the secret that its cookie will hold."""

    launch: Launch
    browser_secret: str


def new_launch(launch: Launch) -> NewLaunch:
    """The launch with a fresh 256-bit secret for its cookie; nothing is stored yet."""
    return NewLaunch(launch, secrets.token_urlsafe(32))


def record(tx: Connection, new: NewLaunch) -> None:
    """Store the launch; of the secret only its digest."""
    fields = {name: getattr(new.launch, name) for name in Launch.__dataclass_fields__}
    tx.execute(insert(launches).values(**fields, browser_digest=digest(new.browser_secret.encode())))


def find(tx: Connection, launch_id: str) -> Launch:
    """The launch with this id, for the worker. Raises `NotFound`."""
    return _launch(_row(tx, launch_id))


def open_in_browser(tx: Connection, launch_id: str, browser_secret: str, now: datetime) -> Launch:
    """The launch with this id if the browser holds its secret and it has not expired.

    Raises `NotFound` for an unknown id and `LaunchEnded` for a missing or foreign cookie or an expired launch.
    """
    row = _row(tx, launch_id)
    _require_not_ended(row)
    if not _holds(row, browser_secret):
        raise LaunchEnded("This browser does not hold the session of this chart.")
    _require_not_expired(row, now)
    return _launch(row)


def hold_open(tx: Connection, launch_id: str, now: datetime) -> None:
    """Keep the launch from being ended until this transaction is; for whatever is written in its user's name.

    Asked first in the transaction: whoever ends a launch takes this row's lock before any other too. Raises
    `NotFound`, and `LaunchEnded` when the launch ended, or expired, after the page's request was let in.
    """
    hold_all_open(tx, {launch_id}, now)


def hold_all_open(tx: Connection, launch_ids: Collection[str], now: datetime) -> None:
    """The same for several, in the order in which whoever ends several takes them."""
    query = select(launches).where(launches.c.launch_id.in_(launch_ids)).order_by(launches.c.launch_id)
    rows = tx.execute(query.with_for_update(read=True)).all()
    if len(rows) != len(launch_ids):
        raise NotFound("There is no such session.")
    for row in rows:
        _require_not_ended(row)
        _require_not_expired(row, now)


def end_of_others(tx: Connection, presented: Mapping[str, str], user: Launch, now: datetime) -> set[str]:
    """End the launches of other people among those that a browser presents (id to secret); returns their ids.

    One browser is one person at a time: whoever signs in next must not find the last one's charts open.
    """
    known = tx.execute(select(launches).where(launches.c.launch_id.in_(presented))).all()
    others = {
        LaunchId(row.launch_id): TenantId(row.tenant_id)
        for row in known
        if _holds(row, presented[row.launch_id]) and (row.issuer, row.subject) != (user.issuer, user.subject)
    }
    hold_launches(tx, others)
    for launch_id, tenant_id in sorted(others.items(), key=lambda one: one[1]):  # their logs in one order too
        end_launch(tx, tenant_id, launch_id, "another_person", actor=user.actor, now=now)
    return set(others)


def _require_not_ended(row: Row[tuple[object, ...]]) -> None:
    if row.ended_at is not None:
        raise LaunchEnded(ENDED.get(row.ended_for or "", "This session was ended."))


def _require_not_expired(row: Row[tuple[object, ...]], now: datetime) -> None:
    if row.expires_at <= now:
        raise LaunchEnded("This session has been open for too long and was closed.")


def _holds(row: Row[tuple[object, ...]], secret: str) -> bool:
    return hmac.compare_digest(row.browser_digest, digest(secret.encode()))


def _row(tx: Connection, launch_id: str) -> Row[tuple[object, ...]]:
    row = tx.execute(_BY_ID, {"which": launch_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such session.")
    return row


def _launch(row: Row[tuple[object, ...]]) -> Launch:
    return Launch(**{name: getattr(row, name) for name in Launch.__dataclass_fields__})
