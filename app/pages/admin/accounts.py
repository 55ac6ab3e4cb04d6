"""The accounts: who may come in, as what. Local ones are made by a command, the provider's at their first sign-in."""

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.administrators import accounts
from app.administrators.accounts import Account
from app.administrators.roles import RIGHTS, Act, Area, Role
from app.errors import BadInput
from app.pages.admin.doors import guard, visitor
from app.pages.admin.screens import AccountRow, AccountsScreen
from app.pages.admin.words import ROLES, moment
from app.pages.sessions import collaborators

DONE = {
    "roles": "The roles are changed; they count from that person's next click on.",
    "disabled": "The account is disabled and its sessions have ended.",
}

admin_accounts = Blueprint("admin_accounts", __name__, url_prefix="/admin/accounts")
guard(
    admin_accounts,
    {"everyone": Area.ACCOUNTS, "change_roles": Act.CHANGE_ROLES, "disable": Act.DISABLE_ACCOUNT},
)


@admin_accounts.get("")
def everyone() -> ResponseReturnValue:
    """Every account, disabled ones too: events name them."""
    return _page()


@admin_accounts.post("/<account_id>/roles")
def change_roles(account_id: str) -> ResponseReturnValue:
    """Give a local account other roles; those of the provider come with its claim."""
    chosen = tuple(role for role in Role if role in request.form.getlist("role"))
    parts = collaborators()
    try:
        with parts.database.write() as tx:
            account = accounts.require(tx, account_id)
            if not account.is_local:
                raise BadInput("This account's roles come from your organisation's directory; change them there.")
            if not chosen:
                raise BadInput("An account without a role can do nothing. Disable it instead.")
            accounts.change_roles(tx, account_id, chosen, visitor().account.actor, parts.clock())
    except BadInput as refused:
        return _page(account_id, refused), refused.status
    return redirect(f"/admin/accounts?done=roles#account-{account_id}", 303)


@admin_accounts.post("/<account_id>/disabled")
def disable(account_id: str) -> ResponseReturnValue:
    """Close an account for good."""
    parts = collaborators()
    try:
        if account_id == visitor().account.account_id:
            raise BadInput("This is your own account.", "Let another IT administrator do it.")
        with parts.database.write() as tx:
            accounts.disable(tx, account_id, visitor().account.actor, parts.clock())
    except BadInput as refused:
        return _page(account_id, refused), refused.status
    return redirect(f"/admin/accounts?done=disabled#account-{account_id}", 303)


def _page(problem_in: str = "", refused: BadInput | None = None) -> str:
    with collaborators().database.read() as tx:
        rows = tuple(map(_row, accounts.everyone(tx)))
    screen = AccountsScreen(
        rows=rows,
        roles=tuple((role, ROLES[role], RIGHTS[role].words) for role in Role),
        done=DONE.get(request.args.get("done", ""), ""),
        problem_in=problem_in,
        problem=" ".join((refused.what_happened, *refused.what_to_do)) if refused else "",
    )
    return render_template("admin/accounts.html", screen=screen, visitor=visitor())


def _row(account: Account) -> AccountRow:
    return AccountRow(
        account_id=account.account_id,
        name=account.name,
        signs_in="Password" if account.is_local else urlsplit(account.issuer).netloc,
        is_local=account.is_local,
        roles=account.roles,
        since=moment(account.created_at),
        disabled=moment(account.disabled_at) if account.disabled_at else "",
        is_self=account.account_id == visitor().account.account_id,
    )
