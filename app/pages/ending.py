"""Signing out: the launch ends at once, and the page says what becomes of what was signed in it."""

from flask import Blueprint, Response, make_response, render_template
from flask.typing import ResponseReturnValue

from app.outbox.dead_letters import put_aside
from app.pages.screens import EndedScreen
from app.pages.sessions import collaborators, current_launch, drop_launch_cookies, open_launch_before
from app.pages.status import WHO_WAKES_IT
from app.publication.giving_back import unfinished_writes
from app.tenants.ending import end_launch

ending = Blueprint("ending", __name__, url_prefix="/charts/<launch_id>/end")
open_launch_before(ending)


@ending.post("")
def end() -> ResponseReturnValue:
    """End this launch. Its tokens are given back by the sweeper, when nothing is left to send under them (A53)."""
    parts, launch = collaborators(), current_launch()
    with parts.database.write() as tx:
        end_launch(tx, launch.tenant_id, launch.launch_id, "signed_out", actor=launch.actor, now=parts.clock())
        unfinished = unfinished_writes(tx, launch.tenant_id, launch.launch_id)
        aside = len(put_aside(tx, unfinished))
    filing = _still_filing(len(unfinished) - aside, parts.ehrs.adapter(launch.tenant_id).profile.title)
    screen = EndedScreen(filing=" ".join(filter(None, (filing, _put_aside(aside)))))
    response: Response = make_response(render_template("charts/ended.html", screen=screen))
    drop_launch_cookies(response, [launch.launch_id])
    return response


def _put_aside(count: int) -> str:
    if not count:
        return ""
    what = "One signed note was" if count == 1 else f"{count} signed notes were"
    return f"{what} stopped by an error of Countersign itself. {WHO_WAKES_IT}"


def _still_filing(count: int, ehr: str) -> str:
    match count:
        case 0:
            return ""
        case 1:
            return f"One signed note is still being filed in {ehr}. That goes on without you."
        case _:
            return f"{count} signed notes are still being filed in {ehr}. That goes on without you."
