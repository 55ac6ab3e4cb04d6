"""The end of a launch: record it, go on with what waited for this clinician's return, and open the chart page."""

from datetime import timedelta

from flask import Response, g, request, url_for
from sqlalchemy import Connection

from app.collaborators import Collaborators
from app.errors import AddressChanged
from app.ids import WritebackId, new_reference
from app.outbox import rows as outbox
from app.outbox.rows import Partition
from app.pages.sessions import drop_launch_cookies, presented_launches, set_launch_cookie
from app.projections import follower, write_status
from app.tenants import launches
from app.tenants.launches import Launch
from app.tenants.moved_bases import is_same_ehr
from app.tenants.record_launch import record_launch
from app.tenants.traces import COMPLETED, Trace
from app.writebacks.commands import ResumeWrite
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState
from launch.completed import CompletedLaunch
from launch.facts import LaunchFacts

# A browser sends every cookie with every request; beyond so many, servers refuse the whole request.
MOST_OPEN = 30


def open_chart(parts: Collaborators, completed: CompletedLaunch) -> Response:
    """Record the launch and send the browser to its chart page with the launch's own cookie."""
    lifetime = timedelta(hours=parts.settings.launch_hours)
    new = record_launch(parts.database, parts.tenants, parts.grants, completed, parts.clock, lifetime)
    _leave_trace(parts, new.launch)
    resume_parked(parts, new.launch)
    parts.following.hasten_chart(new.launch.tenant_id, new.launch.patient)
    response = Response(status=303)
    response.headers["Location"] = url_for("charts.review", launch_id=new.launch.launch_id)
    drop_launch_cookies(response, _no_longer_open(parts, new.launch))
    set_launch_cookie(response, new, int(lifetime.total_seconds()))
    return response


def _leave_trace(parts: Collaborators, launch: Launch) -> None:
    facts: LaunchFacts = g.get("launch_facts") or LaunchFacts()
    trace = Trace(
        new_reference(), launch.tenant_id, "completed", COMPLETED, facts=facts.document(), launch_id=launch.launch_id
    )
    parts.traces.keep(trace)


def _no_longer_open(parts: Collaborators, launch: Launch) -> set[str]:
    """The launches of this browser that end now: another person's, and the oldest beyond what it may hold."""
    presented = presented_launches(request)
    with parts.database.write() as tx:
        ended = launches.end_of_others(tx, presented, launch, parts.clock())
    mine = [launch_id for launch_id in presented if launch_id not in ended]
    return ended | set(mine[: max(0, len(mine) - MOST_OPEN + 1)])


def resume_parked(parts: Collaborators, launch: Launch) -> None:
    """The same clinician in the same chart again: their own parked writes go on under their own new token."""
    if not parts.signing.may_file(launch):
        return  # this launch may not write; the next one that may will find the note waiting
    follower.catch_up(parts.database, launch.tenant_id)
    with parts.database.read() as tx:
        waiting = write_status.waiting_for_sign_in(tx, launch.tenant_id, launch.issuer, launch.subject, launch.patient)
    for writeback_id in waiting:
        partition = _resume(parts, launch, WritebackId(writeback_id))
        if partition:
            parts.relay.ring(partition)


def _resume(parts: Collaborators, launch: Launch, writeback_id: WritebackId) -> Partition | None:
    """Let one parked write go on; None when it does not wait for this launch."""
    with parts.database.write() as tx:
        outbox.hold(tx, writeback_id)  # before it is read: it could be parked anew meanwhile, for something else
        state = load(tx, launch.tenant_id, writeback_id)
        if not _waits_for(tx, parts, state, launch):
            return None
        command = ResumeWrite(launch.launch_id)
        parts.writebacks.by_person(tx, launch.tenant_id, writeback_id, command, launch.actor, parts.clock())
    return Partition(launch.tenant_id, state.queued.workflow)


def _waits_for(tx: Connection, parts: Collaborators, state: WritebackState, launch: Launch) -> bool:
    """Whether the write stopped for want of a token, and this launch's token is its author's, for the same EHR.

    One that stopped because the EHR moved waits for an administrator first (F45). One whose access had ended before
    that is tried, and then says so too.
    """
    if state.stage is not Stage.PARKED or state.queued.author != launch.fhir_user:
        return False
    if state.parked_for == AddressChanged.code:
        return is_same_ehr(tx, parts.tenants.require(launch.tenant_id), state.queued.fhir_base)
    return state.parked_for == "reauth"
