"""What the launch room needs from us: registrations, and a place where launches wait for their callback."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, insert, select
from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.errors import Corrupt, TooManyWaiting
from app.sealing import Keyring, Sealed
from app.settings import Settings
from app.tenants.client_keys import ClientKeys
from app.tenants.directory import Tenants
from app.tenants.registrations import Tenant
from app.tenants.secrets import Secrets
from app.tenants.tables import launch_transactions as table
from launch.handles import WaitingLaunch
from launch.registration import ClientAuthentication, PrivateKeyJWT, PublicClient, Registration, SecretBasic
from launch.transaction import LaunchTransaction
from vendors.contract import VendorAdapter

TRANSACTION: TypeAdapter[LaunchTransaction] = TypeAdapter(LaunchTransaction)
# Filing may outlast the access token: what is asked for so that it can go on (SMART App Launch 2.2; A47).
BACKGROUND = {"offline": ("offline_access",), "online": ("online_access",), "none": ()}
WAITING: TypeAdapter[WaitingLaunch] = TypeAdapter(WaitingLaunch)
# Far more clinicians than start within ten minutes in one organisation, and not much room if none of them is one.
MOST_WAITING = 5_000

log = get_logger()


class LaunchRegistrations:
    """The tenants as the launch room sees them: registration, scopes and discovery headers from the profile."""

    def __init__(
        self,
        tenants: Tenants,
        adapters: dict[str, VendorAdapter],
        keys: ClientKeys,
        secrets: Secrets,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._adapters = adapters
        self._keys = keys
        self._secrets = secrets
        self._public_url = settings.public_url
        self._loopback = settings.on_this_machine
        self._clock = clock

    def by_issuer(self, issuer: str) -> tuple[Registration, ...]:
        """Every registration whose FHIR base is exactly `issuer`; several organisations may share one (A38)."""
        return tuple(self.registration_of(tenant) for tenant in self._tenants.by_issuer(issuer))

    def by_tenant(self, tenant_id: str) -> Registration | None:
        """The registration of this tenant."""
        tenant = self._tenants.get(tenant_id)
        return self.registration_of(tenant) if tenant else None

    def signers(self, tenant_id: str | None = None) -> Iterable[PrivateKeyJWT] | None:
        """The keys whose public halves are published: of all tenants, or of one; None when there is no such tenant."""
        tenants = [tenant for tenant in self._tenants if tenant_id in (None, tenant.id)]
        if tenant_id is not None and not (tenants or self._tenants.is_retired(tenant_id)):
            return None
        now = self._clock()
        for tenant in tenants:
            if tenant.authentication.method == "private_key_jwt":
                self._make_first_key(tenant, now)
        return self._keys.published(tenant_id, now)

    def _make_first_key(self, tenant: Tenant, now: datetime) -> None:
        """An EHR may ask for a new tenant's key before anybody launches."""
        try:
            self._keys.signer(tenant, now)
        except Corrupt:  # one tenant's key must not take the others' key set away
            log.critical("client_key_unreadable", tenant=tenant.id)

    def registration_of(self, tenant: Tenant) -> Registration:
        """The registration of a tenant that may have been retired: its grants are still to be given back."""
        profile = self._adapters[tenant.vendor].profile
        return Registration(
            tenant_id=tenant.id,
            fhir_base=tenant.fhir_base,
            client_id=tenant.client_id,
            redirect_uri=f"{self._public_url}/callback/{tenant.id}",
            authentication=self._authentication(tenant),
            scopes=(*profile.scope_strings(v2=True), *BACKGROUND[tenant.background_access]),
            required_scopes=profile.scope_strings(v2=True, required_only=True),
            discovery_headers=profile.discovery_headers_for(tenant.client_id),
            endpoint_origins=frozenset(tenant.endpoint_origins),
            encounter_required=tenant.encounter_required,
            nonce_may_be_missing=tenant.nonce_may_be_missing,
            allow_loopback=self._loopback and tenant.is_sandbox,
            oauth_issuer=tenant.oauth_issuer,
            expected_context=tenant.expected_context,
            sign_in=tenant.sign_in or profile.sign_in.value,
        )

    def _authentication(self, tenant: Tenant) -> ClientAuthentication:
        match tenant.authentication.method:
            case "private_key_jwt":
                audience = tenant.oauth_issuer if tenant.authentication.audience == "issuer" else None
                return replace(self._keys.signer(tenant, self._clock()), audience=audience)
            case "client_secret_basic":
                return SecretBasic(self._secrets.of(tenant))
            case "public":
                return PublicClient()


class LaunchTransactions:
    """Launches between their two requests, so that any web process can answer."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._rows = _SealedOnce(database, keyring, clock, "launch-transaction")

    def put(self, transaction: LaunchTransaction) -> None:
        """Store a launch that was begun. Raises `TooManyWaiting`."""
        self._rows.put(
            transaction.state_digest, transaction.tenant_id, TRANSACTION.dump_json(transaction), transaction.expires_at
        )

    def take(self, state_digest: str) -> LaunchTransaction | None:
        """Remove and return the launch; of any number of callers at once, one gets it."""
        found = self._rows.take(state_digest)
        return TRANSACTION.validate_json(found) if found else None


class WaitingForBrowser:
    """Launches that wait for a look at their browser, or for a new window; kept beside the transactions.

    The digests of handles and of states are made differently, so neither can be taken for the other.
    """

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._rows = _SealedOnce(database, keyring, clock, "launch-waiting")

    def put(self, waiting: WaitingLaunch) -> None:
        """Store a launch under the digest of its handle. Raises `TooManyWaiting`."""
        self._rows.put(waiting.handle_digest, waiting.tenant_id, WAITING.dump_json(waiting), waiting.expires_at)

    def take(self, handle_digest: str) -> WaitingLaunch | None:
        """Remove and return the launch; of any number of callers at once, one gets it."""
        found = self._rows.take(handle_digest)
        return WAITING.validate_json(found) if found else None


class _SealedOnce:
    """Rows that are written once and taken once, sealed each for its own digest and purpose."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock, purpose: str) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._purpose = purpose

    def put(self, key: str, tenant_id: str, secret: bytes, expires_at: datetime) -> None:
        """Store a row; the sweeper removes it when nobody comes back for it. Raises `TooManyWaiting`.

        Anybody may begin launches, so a tenant has a bounded number under way, counted before the row is sealed.
        """
        with self._database.read() as tx:
            mine = (table.c.tenant_id == tenant_id) & (table.c.expires_at > self._clock())
            is_full = tx.execute(select(table.c.expires_at).where(mine).offset(MOST_WAITING - 1).limit(1)).first()
        if is_full:
            raise TooManyWaiting("More launches of your organisation are under way than Countersign takes at once.")
        sealed = self._keyring.seal(secret, f"{self._purpose}/{key}")
        row = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}
        with self._database.write() as tx:
            tx.execute(insert(table).values(state_digest=key, tenant_id=tenant_id, expires_at=expires_at, **row))

    def take(self, key: str) -> bytes | None:
        """Remove a row and return what was in it. Raises `Corrupt` when it was sealed for something else."""
        mine = table.c.state_digest == key
        with self._database.write() as tx:
            row: Any = tx.execute(select(table).where(mine).with_for_update()).one_or_none()
            if row is None or tx.execute(delete(table).where(mine)).rowcount != 1:
                return None
        return self._keyring.open(Sealed(row.ciphertext, row.wrapped_key, row.key_id), f"{self._purpose}/{key}")
