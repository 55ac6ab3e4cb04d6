"""Signing in and out of the administrators' pages."""

import secrets

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from app.administrators.sign_in import SignedIn
from app.errors import SignInEnded, SignInRefused
from app.pages.admin.doors import COOKIE, SIGN_IN, onwards, set_cookie
from app.pages.admin.screens import SignInScreen
from app.pages.error_pages import quoted_code
from app.pages.same_origin import csrf_token, require_same_origin
from app.pages.sessions import collaborators

# What binds the form, and a sign-in at the provider, to this browser before there is a session.
BEFORE = "__Host-countersign-sign-in"

admin_sign_in = Blueprint("admin_sign_in", __name__, url_prefix=SIGN_IN)
admin_sign_out = Blueprint("admin_sign_out", __name__, url_prefix="/admin/sign-out")


@admin_sign_in.get("")
def show() -> ResponseReturnValue:
    """The form."""
    return _form(None)


@admin_sign_in.post("")
def with_password() -> ResponseReturnValue:
    """A local account signs in."""
    g.back = (SIGN_IN, "Back to the sign-in page")
    require_same_origin(request, _before(), collaborators().settings.public_url)
    try:
        signed = collaborators().sign_in.with_password(
            request.form.get("name", ""), request.form.get("password", ""), request.cookies.get(COOKIE, "")
        )
    except SignInRefused as refused:
        return _form(refused), refused.status
    return _entered(signed, onwards(request.form.get("next", "")))


@admin_sign_in.get("/provider")
def ask_provider() -> ResponseReturnValue:
    """Begin at the identity provider: like `/launch`, a GET that leaves a sealed row which ends by itself.

    A form would do it by POST, and `form-action` would then have to name every host that the provider leads over.
    """
    if not _before() or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return redirect(SIGN_IN, 303)
    try:
        url = collaborators().sign_in.ask_provider(_before())
    except SignInRefused as refused:
        return _form(refused), 502
    return redirect(url, 303)


@admin_sign_in.get("/answer")
def answered() -> ResponseReturnValue:
    """The identity provider sends the browser back."""
    given = request.args.to_dict(flat=False)
    # A repeated parameter could be read in two ways; such an answer is no answer to anything that was asked.
    answer = {name: values[0] for name, values in given.items()} if all(map(_is_single, given.values())) else {}
    try:
        signed = collaborators().sign_in.answered(answer, _before(), request.cookies.get(COOKIE, ""))
    except SignInRefused as refused:
        return _form(refused), refused.status
    return _entered(signed, "/admin/")


@admin_sign_out.post("")
def sign_out() -> ResponseReturnValue:
    """End the session on the server, and take its cookie."""
    secret = request.cookies.get(COOKIE, "")
    g.back = (SIGN_IN, "Sign in")
    require_same_origin(request, secret, collaborators().settings.public_url)
    try:
        account, _ = collaborators().sign_in.open(secret)
        collaborators().sign_in.sign_out(account, secret)
    except SignInEnded:
        pass  # it ended by itself a moment ago: that is what was asked for
    response = make_response(redirect(f"{SIGN_IN}?done=signed-out", 303))
    set_cookie(response, COOKIE, "")
    return response


def _form(refused: SignInRefused | None) -> Response:
    """The sign-in page, with why the last try failed."""
    before = _before() or secrets.token_urlsafe(32)
    provider = collaborators().sign_in.provider
    screen = SignInScreen(
        csrf=csrf_token(before),
        next=onwards(request.values.get("next", "")),
        provider=provider is not None,
        signed_out=request.args.get("done") == "signed-out",
        problem=refused.what_happened if refused else "",
        advice=refused.what_to_do if refused else (),
        code=quoted_code(refused) if refused else "",
    )
    response = make_response(render_template("admin/sign_in.html", screen=screen))
    if not request.cookies.get(BEFORE):
        set_cookie(response, BEFORE, before)
    return response


def _entered(signed: SignedIn, where: str) -> AnyResponse:
    response = make_response(redirect(where, 303))
    set_cookie(response, COOKIE, signed.secret)
    set_cookie(response, BEFORE, "")
    return response


def _before() -> str:
    return request.cookies.get(BEFORE, "")


def _is_single(values: list[str]) -> bool:
    return len(values) == 1
