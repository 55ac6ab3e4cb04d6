"""Which launch a request belongs to: the id in its URL, opened by that launch's own cookie."""

from collections.abc import Iterable
from typing import cast

from flask import Blueprint, Request, Response, current_app, g, request

from app.collaborators import EXTENSION, Collaborators
from app.pages.same_origin import csrf_token, require_same_origin
from app.tenants import launches
from app.tenants.launches import Launch, NewLaunch


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
        require_same_origin(request, secret, parts.settings.public_url)
        g.csrf = csrf_token(secret)


def current_launch() -> Launch:
    """The launch that this request opened."""
    return cast(Launch, g.launch)


def current_csrf() -> str:
    """The token that this launch's forms carry."""
    return cast(str, g.csrf)
