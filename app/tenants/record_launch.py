"""A completed launch becomes ours: the launch, its sealed tokens and the event, in one transaction."""

from datetime import timedelta

from app.clock import Clock
from app.db import Database
from app.event_log.append import append
from app.ids import TenantId
from app.tenants import launches
from app.tenants.events import LaunchCompleted
from app.tenants.grants import Grants, OpenGrant
from app.tenants.launches import NewLaunch, new_launch
from launch.completed import CompletedLaunch


def record_launch(
    database: Database, grants: Grants, completed: CompletedLaunch, clock: Clock, lifetime: timedelta
) -> NewLaunch:
    """Store the launch; returns it with the secret that its browser is to hold."""
    new = _new_launch(completed, clock, lifetime)
    launch, grant = new.launch, completed.grant
    with database.write() as tx:
        launches.record(tx, new)
        tokens = OpenGrant(grant.access_token, grant.refresh_token, grant.expires_at)
        grants.keep(tx, launch.tenant_id, launch.launch_id, tokens)
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
    return new


def _new_launch(completed: CompletedLaunch, clock: Clock, lifetime: timedelta) -> NewLaunch:
    encounter = completed.context.encounter
    return new_launch(
        tenant_id=TenantId(completed.tenant_id),
        issuer=completed.identity.issuer,
        subject=completed.identity.subject,
        fhir_user=completed.identity.fhir_user,
        patient=f"Patient/{completed.context.patient}",
        encounter=f"Encounter/{encounter}" if encounter else None,
        scopes=completed.grant.scopes.text,
        banner_needed=completed.context.need_patient_banner,
        now=clock(),
        lifetime=lifetime,
    )
