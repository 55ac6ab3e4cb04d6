"""Commands on administrators' accounts: the first one can be made in no other way."""

import getpass
import sys

import click

from app.administrators import accounts
from app.administrators.accounts import Account
from app.administrators.roles import RIGHTS, Role, written
from app.cli.reporting import as_json, report, wired
from app.errors import BadInput, NotFound

ROLES = click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    required=True,
    help="May be given more than once.",
)


@click.group()
def admin() -> None:
    """Administrators' accounts."""


@admin.command()
@click.argument("name")
@ROLES
@as_json
def add(name: str, roles: tuple[str, ...], *, as_json: bool) -> None:
    """Add a local account; its password is asked for, or read from standard input."""
    password, parts = _password(), wired()
    with parts.database.write() as tx:
        try:
            account = accounts.add_local(tx, name, password, _roles(roles), _actor(), parts.clock())
        except BadInput as refused:
            raise click.ClickException(" ".join((refused.what_happened, *refused.what_to_do))) from refused
    report(_shown(account), [_line(account), f"Sign in at {parts.settings.public_url}/admin/"], as_json=as_json)


@admin.command(name="list")
@as_json
def list_accounts(*, as_json: bool) -> None:
    """Every account, disabled ones too."""
    with wired().database.read() as tx:
        everyone = accounts.everyone(tx)
    document = {"accounts": [_shown(one) for one in everyone]}
    report(document, [_line(one) for one in everyone] or ["There is no account yet."], as_json=as_json)


@admin.command()
@click.argument("account_id")
@as_json
def disable(account_id: str, *, as_json: bool) -> None:
    """Close an account for good, and end its sessions."""
    parts = wired()
    with parts.database.write() as tx:
        try:
            account = accounts.disable(tx, account_id, _actor(), parts.clock())
        except (BadInput, NotFound) as refused:
            raise click.ClickException(refused.what_happened) from refused
    report(_shown(account), [_line(account)], as_json=as_json)


@admin.command(name="roles")
@click.argument("account_id", required=False)
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    help="The roles that it is to have.",
)
@as_json
def change_roles(account_id: str | None, roles: tuple[str, ...], *, as_json: bool) -> None:
    """Say what each role is for; with an account and roles, give it these and no others."""
    if account_id is None:
        table = {role.value: rights.words for role, rights in RIGHTS.items()}
        report({"roles": table}, [f"{role}: {words}" for role, words in table.items()], as_json=as_json)
    if not roles:
        raise click.UsageError("Give at least one --role. To close the account: countersign admin disable ID")
    parts = wired()
    with parts.database.write() as tx:
        try:
            account = accounts.change_roles(tx, str(account_id), _roles(roles), _actor(), parts.clock())
        except (BadInput, NotFound) as refused:
            raise click.ClickException(" ".join((refused.what_happened, *refused.what_to_do))) from refused
    report(_shown(account), [_line(account)], as_json=as_json)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _roles(names: tuple[str, ...]) -> tuple[Role, ...]:
    return tuple(Role(name) for name in names)


def _shown(account: Account) -> dict[str, object]:
    return {
        "account_id": account.account_id,
        "name": account.name,
        "issuer": account.issuer,
        "roles": written(account.roles).split(","),
        "disabled": account.disabled_at is not None,
    }


def _line(account: Account) -> str:
    state = "disabled" if account.disabled_at else written(account.roles)
    return f"{account.account_id}  {account.name}  {account.issuer}  {state}"
