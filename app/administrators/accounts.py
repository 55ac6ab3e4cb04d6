"""Administrators' accounts: local ones with a password, made by a command, and those of an identity provider.

An account is known by issuer and subject, never by a name or an address that could change hands (OpenID Connect Core
5.7). It is disabled, never deleted: events name it for ever.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from app.administrators import passwords, sessions
from app.administrators.events import AdministratorCreated, AdministratorDisabled, AdministratorRolesChanged
from app.administrators.record import actor_of, hold, record
from app.administrators.roles import TOGETHER, TWO_ACCOUNTS, Role, roles_conflict, roles_of, written
from app.administrators.tables import administrators as table
from app.errors import BadInput, NotFound

LOCAL = "local"
LONGEST_NAME = 100


@dataclass(frozen=True)
class Account:
    """One administrator. `name` is what pages call them; events never do."""

    account_id: str
    issuer: str
    subject: str
    name: str
    roles: tuple[Role, ...]
    created_at: datetime
    disabled_at: datetime | None

    @property
    def actor(self) -> str:
        """The account as every event names it."""
        return actor_of(self.account_id)

    @property
    def is_local(self) -> bool:
        """Whether it signs in with a password of ours."""
        return self.issuer == LOCAL


def add_local(tx: Connection, name: str, password: str, roles: tuple[Role, ...], actor: str, now: datetime) -> Account:
    """A new account with a password. Raises `BadInput` when the name is taken or cannot be one, or the password."""
    hold(tx)
    subject = _as_name(name).casefold()
    if not roles:
        raise BadInput("An account needs at least one role.")
    _require_apart(roles)
    if _by_subject(tx, LOCAL, subject):
        raise BadInput(f"There is an account {name} already, perhaps a disabled one.", "Choose another name.")
    return _create(tx, LOCAL, subject, _as_name(name), roles, passwords.hashed(password), actor, now)


def of_provider(
    tx: Connection, issuer: str, subject: str, name: str, roles: tuple[Role, ...], now: datetime
) -> Account:
    """The account of a user whom the provider has just verified, made at their first visit; its roles are the claim's.

    The provider decides: a role that it took away is gone here at the next sign-in. A disabled account stays disabled.
    """
    _require_apart(roles)
    hold(tx)
    row = _by_subject(tx, issuer, subject)
    if row is None:
        return _create(tx, issuer, subject, name[:LONGEST_NAME] or "Unnamed", roles, None, "system:provider", now)
    account = _account(row)
    if account.disabled_at is None and account.roles != roles:
        change_roles(tx, account.account_id, roles, "system:provider", now, because="provider")
    return require(tx, account.account_id)


def find_local(tx: Connection, name: str) -> tuple[Account, str | None] | None:
    """The local account of this name with its password's hash."""
    row = _by_subject(tx, LOCAL, name.strip().casefold())
    return (_account(row), row.password_hash) if row else None


def require(tx: Connection, account_id: str) -> Account:
    """The account with this id. Raises `NotFound`."""
    row = tx.execute(select(table).where(table.c.account_id == account_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such account.", "Go back to the accounts.")
    return _account(row)


def everyone(tx: Connection) -> list[Account]:
    """Every account, oldest first."""
    return [_account(row) for row in tx.execute(select(table).order_by(table.c.created_at, table.c.account_id))]


def change_roles(
    tx: Connection, account_id: str, roles: tuple[Role, ...], actor: str, now: datetime, because: str = "asked"
) -> Account:
    """Give the account these roles and no others; open sessions have them at their next request.

    Raises `BadInput` for roles that may not meet in one account, for one's own account, and when nobody could look
    after accounts afterwards.
    """
    hold(tx)
    before = require(tx, account_id)
    if actor == before.actor:
        raise BadInput("These are your own roles.", "Let another IT administrator do it.")
    _require_apart(roles)
    if Role.IT_ADMIN not in roles and because == "asked":
        _keep_one_it_admin(tx, before)
    after = written(roles)
    tx.execute(update(table).where(table.c.account_id == account_id).values(roles=after))
    event = AdministratorRolesChanged(account_id=account_id, before=written(before.roles), after=after, because=because)
    record(tx, account_id, event, actor, now)
    return require(tx, account_id)


def disable(tx: Connection, account_id: str, actor: str, now: datetime) -> Account:
    """Close the account for good and end its sessions at once (ASVS 7.4.2). Raises `BadInput` for the last IT admin."""
    hold(tx)
    account = require(tx, account_id)
    if account.disabled_at is not None:
        raise BadInput("This account is disabled already.")
    _keep_one_it_admin(tx, account)
    tx.execute(update(table).where(table.c.account_id == account_id).values(disabled_at=now))
    ended = sessions.end_all_of(tx, account_id, now)
    record(tx, account_id, AdministratorDisabled(account_id=account_id, sessions_ended=ended), actor, now)
    return require(tx, account_id)


def keep_hash(tx: Connection, account_id: str, password_hash: str) -> None:
    """Replace the stored hash by one of the same password under today's parameters."""
    tx.execute(update(table).where(table.c.account_id == account_id).values(password_hash=password_hash))


def _require_apart(roles: tuple[Role, ...]) -> None:
    if roles_conflict(roles):
        raise BadInput(TOGETHER, *TWO_ACCOUNTS)


def _keep_one_it_admin(tx: Connection, leaving: Account) -> None:
    others = [one for one in everyone(tx) if one.account_id != leaving.account_id and one.disabled_at is None]
    if Role.IT_ADMIN in leaving.roles and not any(Role.IT_ADMIN in one.roles for one in others):
        raise BadInput("This is the last account that looks after accounts.", "Give another account it_admin first.")


def _create(
    tx: Connection,
    issuer: str,
    subject: str,
    name: str,
    roles: tuple[Role, ...],
    password_hash: str | None,
    actor: str,
    now: datetime,
) -> Account:
    account_id = secrets.token_hex(8)
    row = {"account_id": account_id, "issuer": issuer, "subject": subject, "name": name, "roles": written(roles)}
    tx.execute(insert(table).values(**row, password_hash=password_hash, created_at=now))
    event = AdministratorCreated(account_id=account_id, issuer=issuer, roles=written(roles))
    record(tx, account_id, event, actor, now)
    return require(tx, account_id)


def _as_name(name: str) -> str:
    name = " ".join(name.split())
    if not 2 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadInput(f"A name has between 2 and {LONGEST_NAME} printable characters.")
    return name


def _by_subject(tx: Connection, issuer: str, subject: str) -> Row[tuple[object, ...]] | None:
    return tx.execute(select(table).where(table.c.issuer == issuer, table.c.subject == subject)).one_or_none()


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(
        account_id=row.account_id,
        issuer=row.issuer,
        subject=row.subject,
        name=row.name,
        roles=roles_of(row.roles),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
