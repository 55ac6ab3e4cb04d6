"""Our own signing keys: one for each tenant that authenticates us by `private_key_jwt`, made once, kept sealed."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Connection, insert, select

from app.db import Database, lock_named
from app.sealing import Keyring, Sealed
from app.tenants.registrations import Tenant
from app.tenants.tables import client_keys
from launch.registration import PrivateKeyJWT

MAKERS: dict[str, Callable[[], RSAKey | ECKey]] = {
    "RS384": lambda: RSAKey.generate_key(3072),
    "ES384": lambda: ECKey.generate_key("P-384"),
}
READERS: dict[str, Callable[[dict[str, Any]], RSAKey | ECKey]] = {
    "RS384": RSAKey.import_key,
    "ES384": ECKey.import_key,
}


class ClientKeys:
    """Makes, keeps and opens the tenants' keys."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._opened: dict[str, PrivateKeyJWT] = {}

    def signer(self, tenant: Tenant, now: datetime) -> PrivateKeyJWT:
        """The tenant's signer; its key is made at the first call. Parsed once for the life of the process."""
        if tenant.id not in self._opened:
            with self._database.write() as tx:
                lock_named(tx, _context(tenant.id, ""))  # of two processes making one at once, the second finds it
                self._opened[tenant.id] = self._load(tx, tenant) or self._make(tx, tenant, now)
        return self._opened[tenant.id]

    def _load(self, tx: Connection, tenant: Tenant) -> PrivateKeyJWT | None:
        query = select(client_keys).where(client_keys.c.tenant_id == tenant.id)
        row = tx.execute(query.where(client_keys.c.algorithm == tenant.authentication.algorithm)).one_or_none()
        if row is None:
            return None
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        members = json.loads(self._keyring.open(sealed, _context(tenant.id, row.kid)))
        return PrivateKeyJWT(row.kid, READERS[row.algorithm](members), row.algorithm)

    def _make(self, tx: Connection, tenant: Tenant, now: datetime) -> PrivateKeyJWT:
        algorithm = tenant.authentication.algorithm
        key = MAKERS[algorithm]()
        kid = f"{tenant.id}-{key.thumbprint()[:16]}"
        sealed = self._keyring.seal(json.dumps(key.as_dict(private=True)).encode(), _context(tenant.id, kid))
        row = {"tenant_id": tenant.id, "kid": kid, "algorithm": algorithm, "created_at": now, "signs_from": now}
        secret = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}
        tx.execute(insert(client_keys).values(**row, **secret))
        return PrivateKeyJWT(kid, key, algorithm)


def _context(tenant_id: str, kid: str) -> str:
    return f"client-key/{tenant_id}/{kid}"
