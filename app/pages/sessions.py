"""Which launch a request belongs to: the id in its URL, opened by that launch's own cookie."""

from collections.abc import Iterable
from datetime import timedelta
from typing import cast

from flask import Blueprint, Request, Response, current_app, g, request

from app.collaborators import EXTENSION, Collaborators
from app.errors import LaunchEnded, LaunchIdle
from app.pages.same_origin import csrf_token, require_same_origin
from app.tenants import launches, presence
from app.tenants.launches import Launch, NewLaunch
from app.tenants.presence import Patience

# Asked for by a script again and again: that nobody is there is not changed by it.
WATCHING = frozenset({"filing.moving_status"})
# Where somebody says that they are there, or that they leave.
ANSWERING = frozenset({"still_here.confirm", "ending.end"})


def collaborators() -> Collaborators:
    """The wired parts of the running app."""
    return cast(Collaborators, current_app.extensions[EXTENSION])


def cookie_name(launch_id: str) -> str:
    """One cookie for each launch, so that two charts in one browser never share a session."""
    return f"__Host-countersign-{launch_id}"


def presented_launches(request: Request) -> dict[str, str]:
    """Every launch that the browser holds a cookie of: id to secret, oldest first as browsers send them."""
    prefix = cookie_name("")
    return {name.removeprefix(prefix): value for name, value in request.cookies.items() if name.startswith(prefix)}


def drop_launch_cookies(response: Response, launch_ids: Iterable[str]) -> None:
    """Take the cookies of these launches from the browser."""
    for launch_id in launch_ids:
        _set_cookie(response, cookie_name(launch_id), "", 0)


def set_launch_cookie(response: Response, new: NewLaunch, max_age_seconds: int) -> None:
    """Give the browser the secret that opens this launch."""
    _set_cookie(response, cookie_name(new.launch.launch_id), new.browser_secret, max_age_seconds)


def _set_cookie(response: Response, name: str, value: str, max_age: int) -> None:
    # SameSite=None because the EHR frames us; Partitioned because browsers drop other third-party cookies.
    response.set_cookie(
        name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="None", partitioned=True
    )


def open_launch_before(blueprint: Blueprint) -> None:
    """Make every request of `blueprint` open its launch first; the id leaves the view's arguments."""

    @blueprint.url_value_preprocessor
    def take_launch_id(_endpoint: str | None, values: dict[str, str] | None) -> None:
        g.launch_id = (values or {}).pop("launch_id", "")

    @blueprint.before_request
    def open_launch() -> None:
        parts = collaborators()
        secret = request.cookies.get(cookie_name(g.launch_id), "")
        with parts.database.read() as tx:
            # The tenant is known even when the session is not: its EHR may frame the page that says so.
            g.tenant_id = launches.find(tx, g.launch_id).tenant_id
            g.launch = launches.open_in_browser(tx, g.launch_id, secret, parts.clock())
            paused = presence.pause(tx, g.launch, parts.clock())
        if parts.tenants.get(g.tenant_id) is None:  # retired a moment ago, its launches not ended yet
            raise LaunchEnded(launches.ENDED["tenant_retired"])
        g.csrf = csrf_token(secret)
        require_same_origin(request, secret, parts.settings.public_url)
        _require_presence(paused)


def patience() -> Patience:
    """How long a launch may lie idle, as the operator set it."""
    settings = collaborators().settings
    return Patience(timedelta(minutes=settings.launch_idle_minutes), timedelta(minutes=settings.reconfirm_minutes))


def _require_presence(paused: timedelta) -> None:
    """Note that somebody is there. Raises `LaunchIdle` when nobody was for too long, until they say who they are."""
    if request.endpoint not in ANSWERING and paused >= patience().idle:
        minutes = int(paused.total_seconds()) // 60
        raise LaunchIdle(f"Nobody used this page for {minutes} minutes.")
    if request.endpoint not in WATCHING and presence.must_note(paused):
        note_use(paused)


def note_use(paused: timedelta) -> None:
    """Write down that somebody used this request's launch after such a pause."""
    parts = collaborators()
    with parts.database.write() as tx:
        presence.note_use(tx, current_launch().launch_id, paused, patience(), parts.clock())


def current_launch() -> Launch:
    """The launch that this request opened."""
    return cast(Launch, g.launch)


def current_csrf() -> str:
    """The token that this launch's forms carry."""
    return cast(str, g.csrf)
