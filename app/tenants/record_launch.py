"""A completed launch becomes ours: the launch, its sealed tokens and the event, in one transaction."""

from datetime import timedelta

from app.clock import Clock
from app.db import Database
from app.errors import LaunchEnded
from app.event_log.append import append
from app.ids import TenantId, new_launch_id
from app.tenants import launches
from app.tenants.directory import Tenants
from app.tenants.ending import end_launch
from app.tenants.events import LaunchCompleted
from app.tenants.grants import Grants, OpenGrant
from app.tenants.launches import Launch, NewLaunch, new_launch
from app.tenants.tenant_log import OURSELVES
from launch.completed import CompletedLaunch


def record_launch(
    database: Database,
    tenants: Tenants,
    grants: Grants,
    completed: CompletedLaunch,
    clock: Clock,
    lifetime: timedelta,
) -> NewLaunch:
    """Store the launch; returns it with the secret that its browser is to hold.

    Raises `LaunchEnded` when the tenant was retired meanwhile. The launch is stored as ended then, so that the tokens
    that the EHR has just given go back to it (A53).
    """
    new = new_launch(_launch(completed, clock, lifetime))
    launch, grant = new.launch, completed.grant
    with database.write() as tx:
        is_live = tenants.holds_live(tx, launch.tenant_id)
        launches.record(tx, new)
        tokens = OpenGrant(grant.access_token, grant.refresh_token, grant.expires_at, launch.fhir_base)
        grants.keep(tx, launch, tokens)
        event = LaunchCompleted(
            launch_id=launch.launch_id,
            issuer=launch.issuer,
            subject=launch.subject,
            fhir_user=launch.fhir_user,
            patient=launch.patient,
            encounter=launch.encounter,
            scopes=launch.scopes,
        )
        stream = f"launch:{launch.launch_id}"
        append(
            tx,
            launch.tenant_id,
            stream,
            0,
            [event],
            actor=launch.actor,
            causation="launch",
            now=launch.created_at,
        )
        if not is_live:
            end_launch(tx, launch.tenant_id, launch.launch_id, "tenant_retired", actor=OURSELVES, now=launch.created_at)
    if not is_live:
        raise LaunchEnded(launches.ENDED["tenant_retired"])
    return new


def _launch(completed: CompletedLaunch, clock: Clock, lifetime: timedelta) -> Launch:
    context, identity, now = completed.context, completed.identity, clock()
    return Launch(
        launch_id=new_launch_id(),
        tenant_id=TenantId(completed.tenant_id),
        fhir_base=completed.issuer,
        issuer=identity.issuer,
        subject=identity.subject,
        fhir_user=identity.fhir_user,
        user_name=identity.name or "",
        patient=f"Patient/{context.patient}",
        encounter=f"Encounter/{context.encounter}" if context.encounter else None,
        scopes=completed.grant.scopes.text,
        created_at=now,
        expires_at=now + lifetime,
    )
