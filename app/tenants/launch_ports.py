"""What the launch room needs from us: registrations, and a place where launches wait for their callback."""

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, insert, select

from app.clock import Clock
from app.db import Database
from app.sealing import Keyring, Sealed
from app.settings import Settings
from app.tenants.client_keys import ClientKeys
from app.tenants.registrations import Tenant, Tenants, secret_of
from app.tenants.tables import launch_transactions as table
from launch.registration import ClientAuthentication, PrivateKeyJWT, Registration, SecretBasic
from launch.transaction import LaunchTransaction
from vendors.contract import VendorAdapter

TRANSACTION: TypeAdapter[LaunchTransaction] = TypeAdapter(LaunchTransaction)


class LaunchRegistrations:
    """The tenants as the launch room sees them: registration, scopes and discovery headers from the profile."""

    def __init__(
        self,
        tenants: Tenants,
        adapters: dict[str, VendorAdapter],
        keys: ClientKeys,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._adapters = adapters
        self._keys = keys
        self._public_url = settings.public_url
        self._environment = settings.references()
        self._clock = clock

    def by_issuer(self, issuer: str) -> Registration | None:
        """The registration whose FHIR base is exactly `issuer`."""
        return self._registration(self._tenants.by_issuer(issuer))

    def by_tenant(self, tenant_id: str) -> Registration | None:
        """The registration of this tenant."""
        return self._registration(self._tenants.get(tenant_id))

    def signers(self) -> Iterator[PrivateKeyJWT]:
        """Every key that we sign client assertions with; their public halves are published."""
        for tenant in self._tenants:
            if tenant.authentication.method == "private_key_jwt":
                yield self._keys.signer(tenant, self._clock())

    def _registration(self, tenant: Tenant | None) -> Registration | None:
        if tenant is None:
            return None
        profile = self._adapters[tenant.vendor].profile
        return Registration(
            tenant_id=tenant.id,
            fhir_base=tenant.fhir_base,
            client_id=tenant.client_id,
            redirect_uri=f"{self._public_url}/callback/{tenant.id}",
            authentication=self._authentication(tenant),
            scopes=profile.scope_strings(v2=True),
            required_scopes=profile.scope_strings(v2=True, required_only=True),
            discovery_headers=profile.discovery_headers_for(tenant.client_id),
            endpoint_origins=frozenset(tenant.endpoint_origins),
            encounter_required=tenant.encounter_required,
            allow_loopback=tenant.is_sandbox,
        )

    def _authentication(self, tenant: Tenant) -> ClientAuthentication:
        if tenant.authentication.method == "private_key_jwt":
            return self._keys.signer(tenant, self._clock())
        return SecretBasic(secret_of(tenant, self._environment))


class LaunchTransactions:
    """Launches between their two requests, sealed in the database, so that any web process can answer."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock

    def put(self, transaction: LaunchTransaction) -> None:
        """Store a launch that was begun, and forget those that nobody came back for."""
        secret = TRANSACTION.dump_json(transaction)
        sealed = self._keyring.seal(secret, _context(transaction.state_digest))
        row = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}
        with self._database.write() as tx:
            tx.execute(delete(table).where(table.c.expires_at < self._clock()))
            tx.execute(
                insert(table).values(state_digest=transaction.state_digest, expires_at=transaction.expires_at, **row)
            )

    def take(self, state_digest: str) -> LaunchTransaction | None:
        """Remove and return the launch; of any number of callers at once, one gets it."""
        mine = table.c.state_digest == state_digest
        with self._database.write() as tx:
            row: Any = tx.execute(select(table).where(mine).with_for_update()).one_or_none()
            if row is None or tx.execute(delete(table).where(mine)).rowcount != 1:
                return None
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        return TRANSACTION.validate_json(self._keyring.open(sealed, _context(state_digest)))


def _context(state_digest: str) -> str:
    return f"launch-transaction/{state_digest}"
