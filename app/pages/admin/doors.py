"""The door of the administrators' pages: their session, proof that a change comes from our page, the table of rights.

Each blueprint says for each of its views which area it belongs to or which act it is; a view that nobody named is
refused to everybody. Source: conformance E08, E11, E12, E30.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from flask import Blueprint, Response, g, redirect, request
from flask.typing import ResponseReturnValue

from app.administrators.accounts import Account
from app.administrators.roles import Act, Area, may_do, may_see
from app.errors import NotPermitted, SignInEnded
from app.pages.same_origin import SAFE_METHODS, csrf_token, require_same_origin
from app.pages.sessions import collaborators

COOKIE = "__Host-countersign-admin"
SIGN_IN = "/admin/sign-in"
# Where a sign-in may lead on to: our own pages, and nothing that a browser could read as another address.
ONWARDS = re.compile(r"/(admin|audit|ops)(/[A-Za-z0-9_-]+)*/?")


@dataclass(frozen=True)
class Visitor:
    """Who is signed in on this request."""

    account: Account
    csrf: str

    def sees(self, area: Area) -> bool:
        """Whether they see these pages."""
        return may_see(self.account.roles, area)

    def does(self, act: Act) -> bool:
        """Whether they may do this."""
        return may_do(self.account.roles, act)


# Where a page about an error leads back to whoever sees that area; else to the tenants.
BACK = {"operations": ("/ops/", "Back to operations"), "audit": ("/audit/", "Back to the audit trail")}
# What each guarded view is, by blueprint and by the view's name.
GUARDED: dict[str, Mapping[str, Area | Act]] = {}


def guard(blueprint: Blueprint, views: Mapping[str, Area | Act]) -> None:
    """Let nobody reach a view of `blueprint` without a session and the right that `views` names for it."""
    GUARDED[blueprint.name] = views

    @blueprint.before_request
    def let_in() -> ResponseReturnValue | None:
        secret = request.cookies.get(COOKIE, "")
        try:
            account, _ = collaborators().sign_in.open(secret)
        except SignInEnded:
            if request.method in SAFE_METHODS:
                return redirect(f"{SIGN_IN}?next={onwards(request.path)}", 303)
            g.back = (SIGN_IN, "Sign in")
            raise
        g.visitor = Visitor(account, csrf_token(secret))
        g.back = ("/admin/", "Back to the tenants")
        require_same_origin(request, secret, collaborators().settings.public_url)
        _require(views.get(str(request.endpoint).rpartition(".")[2]))
        g.back = BACK.get(blueprint.name, g.back)
        return None


def visitor() -> Visitor:
    """Who is signed in on this request."""
    return cast(Visitor, g.visitor)


def onwards(path: str) -> str:
    """The path if it is one of ours to go on to, else the first page."""
    return path if ONWARDS.fullmatch(path) else "/admin/"


def set_cookie(response: Response, name: str, value: str) -> None:
    """Give the browser a cookie of the administrators' pages; it goes when the browser does. Empty: take it away."""
    # Lax, not Strict: an identity provider's answer and a link in a mail come from elsewhere, and are only looked at.
    age = None if value else 0
    response.set_cookie(name, value, max_age=age, path="/", secure=True, httponly=True, samesite="Lax")


def _require(right: Area | Act | None) -> None:
    allowed = visitor().sees(right) if isinstance(right, Area) else right is not None and visitor().does(right)
    if not allowed:
        raise NotPermitted("You are signed in, and this is not among what your role sees or does.")
