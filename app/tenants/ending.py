"""Ending a launch before its time. From then on no page opens under it; its tokens stay until nothing needs them.

The launch's row is changed before anything else, and so waits for what is being signed in it (`launches.hold_open`).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select, update

from app.ids import LaunchId, TenantId
from app.tenants import launch_log
from app.tenants.events import LaunchWasEnded
from app.tenants.tables import launches

EndedFor = Literal["signed_out", "another_person", "tenant_retired"]


def end_launch(
    tx: Connection, tenant_id: TenantId, launch_id: LaunchId, reason: EndedFor, *, actor: str, now: datetime
) -> bool:
    """End the launch and say so in the log; false when it had ended before."""
    mine = (launches.c.launch_id == launch_id) & (launches.c.tenant_id == tenant_id) & launches.c.ended_at.is_(None)
    if tx.execute(update(launches).where(mine).values(ended_at=now, ended_for=reason)).rowcount != 1:
        return False
    launch_log.record(
        tx, tenant_id, launch_id, LaunchWasEnded(launch_id=launch_id, reason=reason), actor=actor, now=now
    )
    return True


def end_launches_of(tx: Connection, tenant_id: TenantId, *, actor: str, now: datetime) -> int:
    """End every open launch of a tenant that is being retired; returns how many there were."""
    query = select(launches.c.launch_id).where(
        launches.c.tenant_id == tenant_id, launches.c.ended_at.is_(None), launches.c.expires_at > now
    )
    ending = [LaunchId(launch_id) for launch_id in tx.execute(query).scalars()]
    hold_launches(tx, ending)
    return sum(end_launch(tx, tenant_id, one, "tenant_retired", actor=actor, now=now) for one in ending)


def hold_launches(tx: Connection, launch_ids: Iterable[LaunchId]) -> None:
    """Lock the rows of several launches, in one order, before the log is: signing takes the two in this order too."""
    mine = launches.c.launch_id.in_(list(launch_ids))
    tx.execute(select(launches.c.launch_id).where(mine).order_by(launches.c.launch_id).with_for_update()).all()
