"""Signing in, by password or by the identity provider in two requests: ends in a session, or in an event why not."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, insert, select

from app.administrators import accounts, passwords, sessions
from app.administrators.accounts import Account
from app.administrators.events import AdministratorSignedIn, AdministratorSignedOut, AdministratorSignInFailed
from app.administrators.identity_provider import Asked, IdentityProvider
from app.administrators.record import SIGN_IN, record
from app.administrators.roles import TOGETHER, TWO_ACCOUNTS, roles_conflict
from app.administrators.sessions import Lifetime, OpenSession
from app.administrators.tables import admin_sign_ins as waiting
from app.clock import Clock
from app.db import Database
from app.errors import SignInEnded, SignInRefused
from app.event_log.canonical import digest
from app.sealing import Keyring, Sealed
from app.settings import Settings

ANSWERED_WITHIN = timedelta(minutes=10)
ASKED: TypeAdapter[Asked] = TypeAdapter(Asked)
WRONG = "The name and the password do not belong together."


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, and the secret for their new cookie."""

    account: Account
    secret: str


class SignIn:
    """The door to the administrators' pages. `provider` is None where only local accounts exist."""

    def __init__(self, database: Database, keyring: Keyring, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self.provider = IdentityProvider(settings, clock) if settings.admin_oidc_issuer else None
        self.lifetime = Lifetime(
            timedelta(minutes=settings.admin_idle_minutes), timedelta(hours=settings.admin_session_hours)
        )

    def with_password(self, name: str, password: str, replaced: str = "") -> SignedIn:
        """Sign a local account in. Raises `SignInRefused`, in the same words and after the same work for any reason."""
        with self._database.read() as tx:
            found = accounts.find_local(tx, name)
        account, stored = found or (None, None)
        # Outside of any transaction: it takes long on purpose.
        fits = passwords.matches(stored, password)
        if account is None or stored is None or not fits:
            reason = "wrong_password" if account else "unknown_name"
            self._failed("password", reason, account.account_id if account else "", name)
            raise SignInRefused(reason, WRONG)
        renewed = passwords.hashed(password) if passwords.is_outdated(stored) else ""
        return self._begin(account, "password", replaced, renewed)

    def ask_provider(self, browser_secret: str) -> str:
        """Begin at the provider; returns where to send the browser that holds `browser_secret`."""
        provider = self._required_provider()
        asked = Asked(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        url = provider.sign_in_url(asked)
        key, now = _key(asked.state, browser_secret), self._clock()
        sealed = self._keyring.seal(ASKED.dump_json(asked), _context(key))
        row = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}
        with self._database.write() as tx:
            tx.execute(insert(waiting).values(state_digest=key, expires_at=now + ANSWERED_WITHIN, **row))
        return url

    def answered(self, answer: dict[str, str], browser_secret: str, replaced: str = "") -> SignedIn:
        """The provider's answer came back in a browser. Raises `SignInRefused`; each answer counts once."""
        provider = self._required_provider()
        try:
            claims = provider.claims(answer, self._take(answer.get("state", ""), browser_secret))
            account = self._account_of(provider, claims)
        except SignInRefused as error:
            self._failed("provider", error.reason, "", "")
            raise
        return self._begin(account, "provider", replaced, "")

    def open(self, secret: str) -> tuple[Account, OpenSession]:
        """Whose session this is, and that it was used now. Raises `SignInEnded`."""
        now = self._clock()
        with self._database.read() as tx:
            session = sessions.open_session(tx, secret, self.lifetime, now) if secret else None
            if session is None:
                raise SignInEnded("You signed out, or your session ended because it was not used for a while.")
            account = accounts.require(tx, session.account_id)
        if sessions.is_to_be_noted(session, now):
            with self._database.write() as tx:
                sessions.note_use(tx, session, now)
        return account, session

    def sign_out(self, account: Account, secret: str) -> None:
        """End the session on the server."""
        now = self._clock()
        with self._database.write() as tx:
            if sessions.end(tx, secret, now):
                record(
                    tx, account.account_id, AdministratorSignedOut(account_id=account.account_id), account.actor, now
                )

    def _begin(self, account: Account, method: str, replaced: str, renewed_hash: str) -> SignedIn:
        now = self._clock()
        with self._database.write() as tx:
            account = accounts.require(tx, account.account_id)
            if account.disabled_at is None:
                if renewed_hash:
                    accounts.keep_hash(tx, account.account_id, renewed_hash)
                secret = sessions.begin(tx, account.account_id, self.lifetime, now, replaced)
                event = AdministratorSignedIn(account_id=account.account_id, method=method)
                record(tx, account.account_id, event, account.actor, now)
                return SignedIn(account, secret)
        self._failed(method, "disabled", account.account_id, "")
        # By password nobody learns that there is such an account; the provider's users know it already.
        happened = WRONG if method == "password" else "Your account here is disabled."
        raise SignInRefused("disabled", happened)

    def _account_of(self, provider: IdentityProvider, claims: dict[str, Any]) -> Account:
        roles = provider.mapping.roles(claims)
        if not roles:
            raise SignInRefused(
                "no_role",
                "Your organisation knows you, and has given you no role in Countersign.",
                "Ask an IT administrator to give you one in your organisation's directory, then sign in again.",
            )
        if roles_conflict(roles):
            raise SignInRefused("roles_conflict", TOGETHER, *TWO_ACCOUNTS)
        name = next((str(claims[one]) for one in ("name", "preferred_username", "email") if claims.get(one)), "")
        with self._database.write() as tx:
            return accounts.of_provider(tx, provider.issuer, str(claims["sub"]), name, roles, self._clock())

    def _take(self, state: str, browser_secret: str) -> Asked:
        """What was asked with this state, by this browser; gone afterwards, so that of two answers one counts."""
        key = _key(state, browser_secret)
        mine = waiting.c.state_digest == key
        with self._database.write() as tx:
            row = tx.execute(select(waiting).where(mine).with_for_update()).one_or_none()
            taken = row is not None and tx.execute(delete(waiting).where(mine)).rowcount == 1
        if row is None or not taken or row.expires_at <= self._clock():
            raise SignInRefused("unasked", "This sign-in was not begun in this browser, or it took too long.")
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        return ASKED.validate_json(self._keyring.open(sealed, _context(key)))

    def _required_provider(self) -> IdentityProvider:
        if self.provider is None:
            raise SignInRefused("no_provider", "There is no sign-in of your organisation here.")
        return self.provider

    def _failed(self, method: str, reason: str, account_id: str, name: str) -> None:
        """Say that somebody was not let in, without saying what they typed."""
        # Keyed and short: tells one name tried often from many, and gives no password away that was typed as a name.
        mark = self._keyring.mac(name.strip().casefold(), "sign-in names")[:8] if name and not account_id else ""
        event = AdministratorSignInFailed(method=method, reason=reason, account_id=account_id, name_mark=mark)
        with self._database.write() as tx:
            record(tx, account_id, event, SIGN_IN, self._clock())


def _key(state: str, browser_secret: str) -> str:
    """One digest over both, so that an answer in another browser finds nothing and uses nothing up."""
    return digest(f"{len(state)}:{state}:{browser_secret}".encode())


def _context(key: str) -> str:
    return f"admin-sign-in/{key}"
