"""Our own signing keys: several for each tenant that authenticates us by `private_key_jwt`, kept sealed (A59 to A61).

A key is published before it signs and stays published after it signed, so that an EHR that asks for our key set as
seldom as that allows never meets an unknown key (SMART App Launch 2.2, client-confidential-asymmetric, caching). Which
key signs is asked of the database each time: every process notices a rotation at once.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import ColumnElement, Connection, insert, or_, select, update
from structlog import get_logger

from app.db import Database, lock_named
from app.errors import Corrupt, NotFound, Refused
from app.sealing import Keyring, Sealed
from app.tenants.events import TenantKeyMade, TenantKeyRetired
from app.tenants.registrations import Tenant
from app.tenants.tables import client_keys as table
from app.tenants.tenant_log import OURSELVES, record
from launch.keys import KEY_SET_SECONDS
from launch.registration import PrivateKeyJWT

# From publishing to signing: every copy of the key set from before has run out, and clocks may differ a little.
LEAD = timedelta(seconds=KEY_SET_SECONDS) + timedelta(minutes=2)
# From the other key's signing to dropping: what was signed in the last moment is checked long before (A60).
OVERLAP = timedelta(seconds=KEY_SET_SECONDS) + timedelta(minutes=10)
ERASED = b""

MAKERS: dict[str, Callable[[], RSAKey | ECKey]] = {
    "RS384": lambda: RSAKey.generate_key(3072),
    "ES384": lambda: ECKey.generate_key("P-384"),
}
READERS: dict[str, Callable[[dict[str, Any]], RSAKey | ECKey]] = {
    "RS384": RSAKey.import_key,
    "ES384": ECKey.import_key,
}

log = get_logger()


@dataclass(frozen=True)
class KeyAge:
    """One key as it may be shown. `signs` tells whether it is the one that signs now."""

    kid: str
    algorithm: str
    created_at: datetime
    signs_from: datetime
    published_until: datetime | None
    signs: bool


class ClientKeys:
    """Makes, rotates, keeps and opens the tenants' keys."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._opened: dict[str, RSAKey | ECKey] = {}  # by kid: what a kid names never changes

    def signer(self, tenant: Tenant, now: datetime) -> PrivateKeyJWT:
        """The key that signs for the tenant now; the first is made at the first call."""
        with self._database.read() as tx:
            row = self._signing(tx, tenant, now)
        if row is None:
            with self._database.write() as tx:
                # Of two processes making one at once, the second finds it: made later, perhaps, than its own `now`.
                _hold(tx, tenant.id)
                row = self._signing(tx, tenant, now) or self._waiting(tx, tenant, now)
                if row is None:
                    self._make(tx, tenant, now, now, OURSELVES)
                    row = self._signing(tx, tenant, now)
        return self._open(row)

    def published(self, tenant_id: str | None, now: datetime) -> list[PrivateKeyJWT]:
        """Every key whose public half an EHR may have to know now: of one tenant, or of all."""
        query = select(table).where(_published(now)).order_by(table.c.tenant_id, table.c.signs_from)
        with self._database.read() as tx:
            rows = tx.execute(query if tenant_id is None else query.where(table.c.tenant_id == tenant_id)).all()
        return list(self._opening(rows))

    def ages(self, tenant: Tenant, now: datetime) -> tuple[KeyAge, ...]:
        """The tenant's keys, newest first, those that are over included."""
        with self._database.read() as tx:
            signing = self._signing(tx, tenant, now)
            query = select(table).where(table.c.tenant_id == tenant.id).order_by(table.c.created_at.desc())
            return tuple(
                KeyAge(
                    row.kid,
                    row.algorithm,
                    row.created_at,
                    row.signs_from,
                    row.published_until,
                    signs=signing is not None and row.kid == signing.kid,
                )
                for row in tx.execute(query)
            )

    def rotate(self, tenant: Tenant, now: datetime, actor: str, lead: timedelta = LEAD) -> KeyAge:
        """Make the next key: published now, signing after `lead`, while the present one goes on until then.

        The present key stays published for `OVERLAP` after that. A longer lead is for EHRs that keep our key set for
        longer than it says; a shorter one than `LEAD` is not taken. Raises `Refused` when the tenant has no key of
        ours, or while a rotation is under way.
        """
        _require_keys(tenant)
        signs_from = now + max(lead, LEAD)
        with self._database.write() as tx:
            _hold(tx, tenant.id)
            if self._waiting(tx, tenant, now):
                raise Refused("A new key of this tenant is published already and signs soon.", "Wait until it signs.")
            self._forget_ended(tx, tenant.id, now)
            self._end(tx, tenant.id, _signs_on(tenant) & _published(now), signs_from + OVERLAP, actor, now)
            kid = self._make(tx, tenant, now, signs_from, actor)
        return next(age for age in self.ages(tenant, now) if age.kid == kid)

    def retire_key(self, tenant: Tenant, kid: str, now: datetime, actor: str) -> None:
        """Drop a key at once and for ever, because it may have leaked: unpublished, its private half erased.

        Another key signs from this moment on: the one that was waiting, or a new one. An EHR that still keeps the old
        key set refuses launches until it asks again. Raises `NotFound` when the tenant has no such published key.
        """
        with self._database.write() as tx:
            _hold(tx, tenant.id)
            this = (table.c.kid == kid) & (table.c.tenant_id == tenant.id) & _published(now)
            if not self._end(tx, tenant.id, this, now, actor, now, at_once=True):
                raise NotFound("This tenant publishes no key of this name.", "Look at the list of its keys.")
            self._forget_ended(tx, tenant.id, now)
            self._let_another_sign(tx, tenant, now, actor)
        self._opened.pop(kid, None)

    def end_all(self, tenant: Tenant, now: datetime, actor: str) -> None:
        """Give all keys of a tenant that was retired an end, late enough to revoke what is left of its tokens."""
        with self._database.write() as tx:
            _hold(tx, tenant.id)
            lasting = (table.c.tenant_id == tenant.id) & table.c.published_until.is_(None)
            self._end(tx, tenant.id, lasting, now + OVERLAP, actor, now)

    def _let_another_sign(self, tx: Connection, tenant: Tenant, now: datetime, actor: str) -> None:
        signing, waiting = self._signing(tx, tenant, now), self._waiting(tx, tenant, now)
        if signing is None and waiting:
            tx.execute(update(table).where(table.c.kid == waiting.kid).values(signs_from=now))
        elif signing and not waiting:  # its end was set for a successor that is gone
            tx.execute(update(table).where(table.c.kid == signing.kid).values(published_until=None))
        elif signing is None and tenant.authentication.method == "private_key_jwt":
            self._make(tx, tenant, now, now, actor)

    def _signing(self, tx: Connection, tenant: Tenant, now: datetime) -> Any:
        query = select(table).where(_signs_on(tenant), _published(now), table.c.signs_from <= now)
        return tx.execute(query.order_by(table.c.signs_from.desc()).limit(1)).one_or_none()

    def _waiting(self, tx: Connection, tenant: Tenant, now: datetime) -> Any:
        query = select(table).where(_signs_on(tenant), _published(now), table.c.signs_from > now)
        return tx.execute(query.order_by(table.c.signs_from).limit(1)).one_or_none()

    def _make(self, tx: Connection, tenant: Tenant, now: datetime, signs_from: datetime, actor: str) -> str:
        algorithm = tenant.authentication.algorithm
        key = MAKERS[algorithm]()
        kid = f"{tenant.id}-{key.thumbprint()[:16]}"
        sealed = self._keyring.seal(json.dumps(key.as_dict(private=True)).encode(), _context(tenant.id, kid))
        row = {"tenant_id": tenant.id, "kid": kid, "algorithm": algorithm, "created_at": now, "signs_from": signs_from}
        secret = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}
        tx.execute(insert(table).values(**row, **secret))
        made = TenantKeyMade(kid=kid, algorithm=algorithm, signs_from=signs_from)
        record(tx, tenant.id, made, actor=actor, now=now)
        return kid

    def _end(
        self,
        tx: Connection,
        tenant_id: str,
        which: ColumnElement[bool],
        until: datetime,
        actor: str,
        now: datetime,
        *,
        at_once: bool = False,
    ) -> int:
        """Publish those keys until `until` and no longer; returns how many. Those that end earlier stay as they are."""
        earlier = or_(table.c.published_until.is_(None), table.c.published_until > until)
        kids = list(tx.execute(select(table.c.kid).where(which, earlier)).scalars())
        for kid in kids:
            tx.execute(update(table).where(table.c.kid == kid).values(published_until=until))
            event = TenantKeyRetired(kid=kid, published_until=until, at_once=at_once)
            record(tx, tenant_id, event, actor=actor, now=now)
        return len(kids)

    def _forget_ended(self, tx: Connection, tenant_id: str, now: datetime) -> None:
        """Erase the private halves of keys that are over; that they were there stays known."""
        over = (table.c.tenant_id == tenant_id) & (table.c.published_until <= now)
        tx.execute(update(table).where(over).values(ciphertext=ERASED, wrapped_key=ERASED))

    def _opening(self, rows: Iterable[Any]) -> Iterable[PrivateKeyJWT]:
        for row in rows:
            try:
                yield self._open(row)
            except Corrupt:  # one tenant's key must not take the others' key set away
                log.critical("client_key_unreadable", tenant=row.tenant_id)

    def _open(self, row: Any) -> PrivateKeyJWT:
        if row.kid not in self._opened:
            sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
            members = json.loads(self._keyring.open(sealed, _context(row.tenant_id, row.kid)))
            self._opened[row.kid] = READERS[row.algorithm](members)
        return PrivateKeyJWT(row.kid, self._opened[row.kid], row.algorithm)


def _signs_on(tenant: Tenant) -> ColumnElement[bool]:
    return (table.c.tenant_id == tenant.id) & (table.c.algorithm == tenant.authentication.algorithm)


def _published(now: datetime) -> ColumnElement[bool]:
    return or_(table.c.published_until.is_(None), table.c.published_until > now)


def _hold(tx: Connection, tenant_id: str) -> None:
    lock_named(tx, _context(tenant_id, ""))


def _require_keys(tenant: Tenant) -> None:
    if tenant.authentication.method != "private_key_jwt":
        method = tenant.authentication.method
        raise Refused(f"{tenant.id} authenticates by {method}; it has no key of ours.", "There is nothing to rotate.")


def _context(tenant_id: str, kid: str) -> str:
    return f"client-key/{tenant_id}/{kid}"
