"""Launches by the short code that a clinician read out: what came, how far it got, what stopped it."""

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.administrators.roles import Area
from app.errors import NotFound
from app.pages.admin.doors import guard, visitor
from app.pages.admin.screens import LaunchesScreen, LaunchScreen, TraceStory
from app.pages.admin.tenant_page import launch_row
from app.pages.admin.words import moment
from app.pages.sessions import collaborators
from app.tenants import trace_search
from app.tenants.trace_search import FoundTrace
from app.tenants.traces import COMPLETED

SHOWN = 50
LONGEST_CODE = 16

admin_launches = Blueprint("admin_launches", __name__, url_prefix="/admin/launches")
guard(admin_launches, {"search": Area.LAUNCHES, "show": Area.LAUNCHES})


@admin_launches.get("")
def search() -> ResponseReturnValue:
    """The search box, and the newest launches of everybody."""
    asked = _code(request.args.get("code", ""))
    with collaborators().database.read() as tx:
        if asked and trace_search.by_reference(tx, asked):
            return redirect(f"/admin/launches/{asked}", 303)
        rows = tuple(map(launch_row, trace_search.newest(tx, None, SHOWN)))
    screen = LaunchesScreen(asked, asked, rows)
    return render_template("admin/launches.html", screen=screen, visitor=visitor())


@admin_launches.get("/<reference>")
def show(reference: str) -> ResponseReturnValue:
    """Every launch under this code."""
    with collaborators().database.read() as tx:
        found = trace_search.by_reference(tx, _code(reference))
    if not found:
        raise NotFound(
            "No launch has left this code, or it was too long ago.",
            "Compare it with the code on the clinician's screen: it has digits and the letters A to F.",
        )
    screen = LaunchScreen(_code(reference), tuple(map(_story, found)))
    return render_template("admin/launch.html", screen=screen, visitor=visitor())


def _code(typed: str) -> str:
    """The code as it was made. People copy it with the words before it: "state_refused 1A2B3C"."""
    words = typed.split()
    code = (words[-1] if words else "").upper()[:LONGEST_CODE]
    return code if code.isalnum() and code.isascii() else ""


def _story(trace: FoundTrace) -> TraceStory:
    tenant = collaborators().tenants.get(trace.tenant_id)
    return TraceStory(
        at=moment(trace.happened_at),
        tenant_id=tenant.id if tenant else "",
        organization=tenant.organization if tenant else trace.tenant_id or "No registered tenant",
        step=trace.step.replace("_", " "),
        outcome=trace.outcome.replace("_", " "),
        failed=trace.outcome != COMPLETED,
        detail=trace.detail,
        facts=tuple(_facts(trace.facts)),
    )


def _facts(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _said(value)) for name, value in facts.items() if value not in (None, "", [])]


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
