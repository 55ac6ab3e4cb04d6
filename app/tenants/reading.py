"""Under whose right what was filed is looked at: its signer's, else the organisation's, else a visitor's.

The signer's own launches in that chart come first. Then the tenant's read-only backend grant, where one is registered;
its token is kept in memory alone. Then whoever has that patient's chart open. None of these ever writes for the signer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection, select
from structlog import get_logger

from app.clock import Clock
from app.db import Database
from app.errors import NeedsSignIn, TryAgain
from app.ids import LaunchId, TenantId
from app.tenants import moved_bases
from app.tenants.authorization_servers import AuthorizationServers
from app.tenants.ehr import EHRs, Signer
from app.tenants.grants import MARGIN
from app.tenants.registrations import Tenant
from app.tenants.tables import grants, launches
from launch.backend import NoReadingToken, NotReading
from launch.grant import Grant
from launch.scopes import GrantedScopes
from vendors.transport import FHIRTransport

SIGNER, BACKEND = "signer", "backend"
# What a note and its signature hang on, beside what was filed.
ALWAYS_READ = ("Binary", "Patient", "Provenance")
MOST_LAUNCHES = 5

log = get_logger()


@dataclass(frozen=True)
class Reader:
    """One right to read. `under` is what the record says of it: `signer`, `backend` or `launch:<id>`.

    `reads_patients`: the scopes reach the patient's own record too.
    """

    under: str
    transport: FHIRTransport
    reads_patients: bool

    @property
    def is_a_visitors(self) -> bool:
        """Whether it is somebody else's launch: an EHR may hide from them what it shows to the signer."""
        return self.under not in (SIGNER, BACKEND)


class Readers:
    """Finds who may read."""

    def __init__(
        self,
        database: Database,
        ehrs: EHRs,
        servers: AuthorizationServers,
        resource_types: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._database = database
        self._ehrs = ehrs
        self._servers = servers
        self._resource_types = (*ALWAYS_READ, *resource_types)
        self._clock = clock
        self._tokens: dict[str, Grant] = {}
        self._lock = Lock()

    def of(self, tenant: Tenant, signer: Signer, resource_type: str, correlation_id: str = "") -> Iterator[Reader]:
        """Every right to read this signer's filed resource that can be had now, the best first.

        Nothing where the tenant has another address now than when it was filed, and nobody said that it is the same
        EHR: the ids belong to the old one (F45).
        """
        with self._database.read() as tx:
            if not moved_bases.is_same_ehr(tx, tenant, signer.fhir_base):
                return
            mine, others = self._launches(tx, tenant, signer, resource_type)
        yield from self._under_launches(tenant, mine, SIGNER, correlation_id)
        if tenant.reading:
            yield from self._under_backend(tenant, tenant.reading.client_id, correlation_id)
        yield from self._under_launches(tenant, others, "", correlation_id)

    def _launches(
        self, tx: Connection, tenant: Tenant, signer: Signer, resource_type: str
    ) -> tuple[dict[LaunchId, GrantedScopes], dict[LaunchId, GrantedScopes]]:
        """The signer's own launches in that chart and other people's that are open, newest first."""
        query = (
            select(launches)
            .join(grants, grants.c.launch_id == launches.c.launch_id)
            .where(launches.c.tenant_id == tenant.id, launches.c.patient == signer.patient)
            .where(launches.c.fhir_base == tenant.fhir_base, launches.c.ended_at.is_(None))
            .where(launches.c.expires_at > self._clock(), grants.c.ended_for.is_(None))
            .order_by(launches.c.created_at.desc())
        )
        mine: dict[LaunchId, GrantedScopes] = {}
        others: dict[LaunchId, GrantedScopes] = {}
        for row in tx.execute(query):
            scopes = GrantedScopes(row.scopes)
            side = mine if (row.issuer, row.subject) == (signer.issuer, signer.subject) else others
            if scopes.allows(resource_type, "r") and len(side) < MOST_LAUNCHES:
                side[LaunchId(row.launch_id)] = scopes
        return mine, others

    def _under_launches(
        self, tenant: Tenant, under: Mapping[LaunchId, GrantedScopes], name: str, correlation_id: str
    ) -> Iterator[Reader]:
        for launch_id, scopes in under.items():
            try:
                transport = self._ehrs.under_grant_of(TenantId(tenant.id), launch_id, correlation_id)
            except (NeedsSignIn, TryAgain):
                continue
            yield Reader(name or f"launch:{launch_id}", transport, scopes.allows("Patient", "r"))

    def _under_backend(self, tenant: Tenant, client_id: str, correlation_id: str) -> Iterator[Reader]:
        try:
            grant = self._backend_grant(tenant, client_id)
        except NotReading as refusal:
            log.error("reading_refused", tenant=tenant.id, reason=str(refusal))
        except NoReadingToken as failure:
            log.warning("reading_not_now", tenant=tenant.id, reason=str(failure))
        else:
            transport = self._ehrs.under_reading_grant(tenant, grant.access_token, correlation_id)
            yield Reader(BACKEND, transport, grant.scopes.allows("Patient", "r"))

    def _backend_grant(self, tenant: Tenant, client_id: str) -> Grant:
        """The grant in memory while it lasts, else a new one; several sweeps at once ask for one each, at worst."""
        key = f"{tenant.id} {client_id} {tenant.fhir_base}"
        with self._lock:
            held = self._tokens.get(key)
        if held is None or held.expires_at - MARGIN <= self._clock():
            profile = self._ehrs.adapter(TenantId(tenant.id)).profile
            types = [one for one in self._resource_types if profile.supports(one, "read")]
            held = self._servers.reading_grant(tenant, client_id, types)
            with self._lock:
                self._tokens[key] = held
        return held
