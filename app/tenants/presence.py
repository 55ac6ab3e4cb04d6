"""Whether somebody still sits before a launch's pages, and whether they still know whose chart it is.

An EHR does not tell an app that its user turned to another patient (App Launch 2.2: the context is that of the launch),
and a workstation is left and come back to. So a launch that was idle asks before it shows anything, and signing asks
for the patient once more when the launch lay idle, or when its user opened another chart after it (conformance A34,
E12, E13).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, exists, or_, select, update

from app.ids import LaunchId
from app.tenants.launches import Launch
from app.tenants.tables import launches

WRITTEN_EVERY = timedelta(minutes=1)

Doubt = Literal["", "always", "away", "another_chart"]


@dataclass(frozen=True)
class Patience:
    """How long a launch may lie idle before its pages ask, and before signing asks."""

    idle: timedelta
    reconfirm: timedelta


def pause(tx: Connection, launch: Launch, now: datetime) -> timedelta:
    """How long nobody has used this launch; what was noted is up to a minute old."""
    row = tx.execute(select(launches.c.last_seen_at).where(launches.c.launch_id == launch.launch_id)).one()
    return now - max(row.last_seen_at or launch.created_at, launch.created_at)


def must_note(paused: timedelta) -> bool:
    """Whether this use has to be written down; most follow another one closely."""
    return paused >= WRITTEN_EVERY


def note_use(tx: Connection, launch_id: LaunchId, paused: timedelta, patience: Patience, now: datetime) -> None:
    """Somebody used the launch after it had paused so long; a long pause is remembered until its end."""
    away = {"away_at": now} if paused >= patience.reconfirm else {}
    is_later = or_(launches.c.last_seen_at.is_(None), launches.c.last_seen_at < now)
    tx.execute(update(launches).where(launches.c.launch_id == launch_id, is_later).values(last_seen_at=now, **away))


def doubt(tx: Connection, launch: Launch, *, always: bool) -> Doubt:
    """Why the patient has to be confirmed before this launch signs; empty when nothing speaks for it.

    `always`: the tenant wants it with every signature.
    """
    if always:
        return "always"
    if tx.execute(select(launches.c.away_at).where(launches.c.launch_id == launch.launch_id)).scalar_one():
        return "away"
    another = exists().where(
        launches.c.tenant_id == launch.tenant_id,
        launches.c.issuer == launch.issuer,
        launches.c.subject == launch.subject,
        launches.c.patient != launch.patient,
        launches.c.created_at > launch.created_at,
    )
    return "another_chart" if tx.execute(select(another)).scalar_one() else ""
