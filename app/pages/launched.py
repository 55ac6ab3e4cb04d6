"""The end of a launch: record it, go on with what waited for this clinician's return, and open the chart page."""

from datetime import timedelta

from flask import Response, url_for

from app.collaborators import Collaborators
from app.errors import StreamMoved
from app.ids import WritebackId
from app.outbox.rows import Partition
from app.pages.sessions import set_launch_cookie
from app.projections import follower, write_status
from app.tenants.launches import Launch
from app.tenants.record_launch import record_launch
from app.writebacks.commands import ResumeWrite
from app.writebacks.handlers import load
from app.writebacks.state import Stage
from launch.completed import CompletedLaunch


def open_chart(parts: Collaborators, completed: CompletedLaunch) -> Response:
    """Record the launch and send the browser to its chart page with the launch's own cookie."""
    lifetime = timedelta(hours=parts.settings.launch_hours)
    new = record_launch(parts.database, parts.grants, completed, parts.clock, lifetime)
    _resume_parked(parts, new.launch)
    response = Response(status=303)
    response.headers["Location"] = url_for("charts.review", launch_id=new.launch.launch_id)
    set_launch_cookie(response, new, int(lifetime.total_seconds()))
    return response


def _resume_parked(parts: Collaborators, launch: Launch) -> None:
    """The same clinician in the same chart again: their own parked writes go on under their own new token."""
    follower.catch_up(parts.database)
    with parts.database.read() as tx:
        waiting = write_status.waiting_for_sign_in(tx, launch.tenant_id, launch.issuer, launch.subject, launch.patient)
    for writeback_id in waiting:
        partition = _resume(parts, launch, WritebackId(writeback_id))
        if partition:
            parts.relay.ring(partition)


def _resume(parts: Collaborators, launch: Launch, writeback_id: WritebackId) -> Partition | None:
    """Let one parked write go on; None when the same clinician's other window was first."""
    command = ResumeWrite(launch.launch_id)
    try:
        with parts.database.write() as tx:
            if load(tx, launch.tenant_id, writeback_id).stage is not Stage.PARKED:
                return None
            state = parts.writebacks.by_person(tx, launch.tenant_id, writeback_id, command, launch.actor, parts.clock())
    except StreamMoved:
        return None
    return Partition(launch.tenant_id, state.queued.workflow)
