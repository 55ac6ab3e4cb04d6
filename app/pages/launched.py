"""The end of a launch: record it, go on with what waited for this clinician's return, and open the chart page."""

from datetime import timedelta

from flask import Response, g, request, url_for

from app.collaborators import Collaborators
from app.ids import new_reference
from app.pages.sessions import drop_launch_cookies, presented_launches, set_launch_cookie
from app.resuming import resume_parked
from app.tenants import launches
from app.tenants.launches import Launch
from app.tenants.record_launch import record_launch
from app.tenants.traces import COMPLETED, Trace
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
