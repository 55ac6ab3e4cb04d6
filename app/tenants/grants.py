"""Grants: the sealed tokens of one launch, opened only to read for that launch or to send what its user signed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, or_, select, update

from app.db import shared_moment
from app.errors import NeedsSignIn
from app.ids import LaunchId, TenantId
from app.sealing import Keyring, Sealed
from app.tenants.launches import Launch
from app.tenants.tables import grants

# A token must outlive the longest request it may be used for (connect, wait and read: 85 s) and a little clock skew.
MARGIN = timedelta(seconds=100)
# Made once: read before every exchange.
_OF = select(grants).where(grants.c.launch_id == bindparam("launch"), grants.c.tenant_id == bindparam("tenant"))
ENDED = "Your access to the EHR for this chart has ended."


@dataclass(frozen=True)
class OpenGrant:
    """The tokens of one launch, in the clear; never logged, never stored, never shown."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    fhir_base: str

    def outlives_a_request(self, now: datetime) -> bool:
        """Whether the access token can still be used for whatever is sent now."""
        return self.expires_at - MARGIN > now


@dataclass(frozen=True)
class StoredGrant:
    """A grant's row with its tokens open. `renewals` counts the pairs that came after the first: it names this one."""

    launch_id: LaunchId
    tenant_id: TenantId
    tokens: OpenGrant
    renewals: int
    ended_for: str
    return_tries: int


class Grants:
    """Seals and opens grants."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def keep(self, tx: Connection, launch: Launch, grant: OpenGrant) -> None:
        """Seal and store the tokens of a launch, replacing what was stored for it."""
        tx.execute(delete(grants).where(grants.c.launch_id == launch.launch_id))
        row = {"launch_id": launch.launch_id, "tenant_id": launch.tenant_id, "fhir_base": grant.fhir_base}
        tx.execute(insert(grants).values(**row, **self._sealed(launch.tenant_id, launch.launch_id, grant)))

    def open(self, tx: Connection, tenant_id: TenantId, launch_id: LaunchId, now: datetime) -> OpenGrant:
        """The live tokens of this launch. Raises `NeedsSignIn` when they are gone, ended or about to expire."""
        stored = self.require(tx, tenant_id, launch_id)
        if not stored.tokens.outlives_a_request(now):
            raise NeedsSignIn(ENDED)
        return stored.tokens

    def require(self, tx: Connection, tenant_id: TenantId, launch_id: LaunchId) -> StoredGrant:
        """The grant of this launch, expired or not. Raises `NeedsSignIn` when it is gone or has ended."""
        stored = self.find(tx, tenant_id, launch_id)
        if stored is None or stored.ended_for:
            raise NeedsSignIn(ENDED)
        return stored

    def find(self, tx: Connection, tenant_id: TenantId, launch_id: LaunchId) -> StoredGrant | None:
        """The grant of this launch as it is stored, whatever became of it."""
        row = tx.execute(_OF, {"launch": launch_id, "tenant": tenant_id}).one_or_none()
        if row is None:
            return None
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        opened = json.loads(self._keyring.open(sealed, _context(tenant_id, launch_id)))
        tokens = OpenGrant(opened["access_token"], opened["refresh_token"], row.expires_at, row.fhir_base)
        return StoredGrant(launch_id, tenant_id, tokens, row.renewals, row.ended_for or "", row.return_tries)

    def lease(self, tx: Connection, stored: StoredGrant, now: datetime, lease: timedelta) -> bool:
        """Take the right to spend this pair for so long; false when another has it, or has put a new pair there.

        By the clock that machines share: a slow one's lease would else have ended before it began (F39).
        """
        at = shared_moment(tx, now)
        free = or_(grants.c.renewing_until.is_(None), grants.c.renewing_until <= at)
        return _change(tx, _this(stored) & free, renewing_until=at + lease)

    def rest(self, tx: Connection, stored: StoredGrant, now: datetime, pause: timedelta) -> None:
        """Leave the pair alone for so long: whoever spent it got no answer that ends it."""
        _change(tx, _this(stored), renewing_until=shared_moment(tx, now) + pause)

    def renew(self, tx: Connection, stored: StoredGrant, tokens: OpenGrant, ended_for: str) -> bool:
        """Put the pair that came for the stored one in its place; false when that one is not there any more.

        With `ended_for`, only so that it can be revoked.
        """
        return _change(
            tx,
            _this(stored),
            renewals=stored.renewals + 1,
            renewing_until=None,
            ended_for=ended_for or None,
            **self._sealed(stored.tenant_id, stored.launch_id, tokens),
        )

    def end(self, tx: Connection, stored: StoredGrant, reason: str) -> bool:
        """Note that these tokens are of no use any more; false when that was noted before."""
        return _change(tx, _this(stored) & grants.c.ended_for.is_(None), renewing_until=None, ended_for=reason)

    def return_later(self, tx: Connection, stored: StoredGrant, due_at: datetime) -> None:
        """Note that giving them back failed once more."""
        _change(tx, _this(stored), renewing_until=None, return_tries=stored.return_tries + 1, return_due_at=due_at)

    def put_off(self, tx: Connection, tenant_id: TenantId, launch_id: LaunchId, due_at: datetime) -> None:
        """Leave a grant alone until then that cannot even be opened."""
        _change(tx, _of(tenant_id, launch_id), renewing_until=None, return_due_at=due_at)

    def erase(self, tx: Connection, stored: StoredGrant) -> bool:
        """Forget these tokens for ever; false when they are not there any more."""
        return tx.execute(delete(grants).where(_this(stored))).rowcount == 1

    def _sealed(self, tenant_id: TenantId, launch_id: LaunchId, grant: OpenGrant) -> Mapping[str, Any]:
        secret = json.dumps({"access_token": grant.access_token, "refresh_token": grant.refresh_token}).encode()
        sealed = self._keyring.seal(secret, _context(tenant_id, launch_id))
        return {
            "ciphertext": sealed.ciphertext,
            "wrapped_key": sealed.wrapped_key,
            "key_id": sealed.key_id,
            "expires_at": grant.expires_at,
        }


def _change(tx: Connection, which: ColumnElement[bool], **values: object) -> bool:
    return tx.execute(update(grants).where(which).values(**values)).rowcount == 1


def _of(tenant_id: TenantId, launch_id: LaunchId) -> ColumnElement[bool]:
    return (grants.c.launch_id == launch_id) & (grants.c.tenant_id == tenant_id)


def _this(stored: StoredGrant) -> ColumnElement[bool]:
    return _of(stored.tenant_id, stored.launch_id) & (grants.c.renewals == stored.renewals)


def _context(tenant_id: str, launch_id: str) -> str:
    return f"grant/{tenant_id}/{launch_id}"
