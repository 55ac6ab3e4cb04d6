"""Grants: the sealed tokens of one launch, opened only to read for that launch or to send what its user signed."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from app.errors import NeedsSignIn
from app.ids import LaunchId, TenantId
from app.sealing import Keyring, Sealed
from app.tenants.launches import Launch
from app.tenants.tables import grants

# A token must outlive the longest request it may be used for (connect, wait and read: 85 s) and a little clock skew.
MARGIN = timedelta(seconds=100)


@dataclass(frozen=True)
class OpenGrant:
    """The tokens of one launch, in the clear; never logged, never stored, never shown."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    fhir_base: str


class Grants:
    """Seals and opens grants."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def keep(self, tx: Connection, launch: Launch, grant: OpenGrant) -> None:
        """Seal and store the tokens of a launch, replacing what was stored for it."""
        secret = json.dumps({"access_token": grant.access_token, "refresh_token": grant.refresh_token}).encode()
        sealed = self._keyring.seal(secret, _context(launch.tenant_id, launch.launch_id))
        tx.execute(delete(grants).where(grants.c.launch_id == launch.launch_id))
        row = {
            "launch_id": launch.launch_id,
            "tenant_id": launch.tenant_id,
            "fhir_base": grant.fhir_base,
            "ciphertext": sealed.ciphertext,
            "wrapped_key": sealed.wrapped_key,
            "key_id": sealed.key_id,
            "expires_at": grant.expires_at,
        }
        tx.execute(insert(grants).values(**row))

    def open(self, tx: Connection, tenant_id: TenantId, launch_id: LaunchId, now: datetime) -> OpenGrant:
        """The live tokens of this launch. Raises `NeedsSignIn` when they are gone or about to expire."""
        query = select(grants).where(grants.c.launch_id == launch_id, grants.c.tenant_id == tenant_id)
        row = tx.execute(query).one_or_none()
        if row is None or row.expires_at - MARGIN <= now:
            raise NeedsSignIn("Your access to the EHR for this chart has ended.")
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        opened = json.loads(self._keyring.open(sealed, _context(tenant_id, launch_id)))
        return OpenGrant(opened["access_token"], opened["refresh_token"], row.expires_at, row.fhir_base)


def _context(tenant_id: str, launch_id: str) -> str:
    return f"grant/{tenant_id}/{launch_id}"
