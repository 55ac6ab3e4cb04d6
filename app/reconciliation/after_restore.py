"""After our own database was restored from a backup: what it believes is older than what the EHR holds (F50, F08).

First nothing is sent any more: a kill switch for the whole tenant, which a person turns back. Then every write that has
not left, as far as this copy knows, is treated as one whose outcome is unknown: the EHR is asked before it is sent.
Last, our identifiers in the charts are looked for that no write here has: they were signed after the backup.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.clock import Clock
from app.db import Database
from app.event_log.tables import events
from app.ids import TenantId, WritebackId
from app.outbox.tables import outbox
from app.tenants.ehr import EHRs, Signer
from app.tenants.reading import Readers
from app.tenants.registrations import Tenant
from app.tenants.switches import Switches
from app.tenants.tables import launches
from app.writebacks.events import CopyOffered, WritebackQueued
from app.writebacks.handlers import WritebackCommands
from vendors.errors import VendorError
from vendors.transport import FHIRTransport

NOTE = "DocumentReference"
OUR_SYSTEM = "urn:countersign:note"
REASON = "Our database was restored from a backup: reconcile before anything is sent."


@dataclass(frozen=True)
class Orphan:
    """A note of ours in a chart that no write of this database has."""

    resource: str
    patient: str
    identifier: str


@dataclass(frozen=True)
class Scan:
    """What looking for orphans came to; charts that nobody may read now are counted, never skipped in silence."""

    orphans: tuple[Orphan, ...]
    charts_read: int
    charts_unread: int


class AfterRestore:
    """Brings a tenant's writes back to what the EHR holds."""

    def __init__(
        self,
        database: Database,
        writebacks: WritebackCommands,
        switches: Switches,
        ehrs: EHRs,
        readers: Readers,
        clock: Clock,
    ) -> None:
        self._database = database
        self._writebacks = writebacks
        self._switches = switches
        self._ehrs = ehrs
        self._readers = readers
        self._clock = clock

    def begin(self, tenant: Tenant, actor: str) -> int:
        """Stop sending for the tenant and doubt every write that waits to be sent; returns how many there were."""
        self._switches.turn_off(tenant, "", "", REASON, actor)
        tenant_id = TenantId(tenant.id)
        with self._database.read() as tx:
            known = tx.execute(select(outbox.c.writeback_id).where(outbox.c.tenant_id == tenant_id)).scalars().all()
        return sum(self._doubt(tenant_id, WritebackId(one), actor) for one in known)

    def _doubt(self, tenant_id: TenantId, writeback_id: WritebackId, actor: str) -> bool:
        with self._database.write() as tx:
            return self._writebacks.doubt(tx, tenant_id, writeback_id, actor, self._clock())

    def orphans(self, tenant: Tenant) -> Scan:
        """Look in every chart that this database knows for notes of ours that it does not know."""
        with self._database.read() as tx:
            known = _identifiers(tx, tenant.id)
            patients = _patients(tx, tenant)
        found: list[Orphan] = []
        unread = 0
        for patient in patients:
            listed = self._ours(tenant, patient)
            unread += listed is None
            found += [one for one in listed or () if f"{OUR_SYSTEM}|{one.identifier}" not in known]
        return Scan(tuple(found), len(patients) - unread, unread)

    def _ours(self, tenant: Tenant, patient: str) -> list[Orphan] | None:
        """The notes of ours in one chart; None when nobody may read it now, or the EHR does not answer."""
        anybody = Signer("", "", "", patient, tenant.fhir_base)
        for reader in self._readers.of(tenant, anybody, NOTE):
            try:
                return list(_in_chart(reader.transport, patient))
            except VendorError:
                continue
        return None


def _in_chart(transport: FHIRTransport, patient: str) -> Iterable[Orphan]:
    for note in transport.search(NOTE, [("patient", patient.removeprefix("Patient/"))]):
        for one in note.get("identifier") or ():
            if isinstance(one, dict) and one.get("system") == OUR_SYSTEM:
                yield Orphan(f"{NOTE}/{note.get('id')}", patient, str(one.get("value", "")))


def _identifiers(tx: Connection, tenant_id: str) -> set[str]:
    ordered = (WritebackQueued.tag, CopyOffered.tag)
    query = select(events.c.payload).where(events.c.tenant_id == tenant_id, events.c.tag.in_(ordered))
    return {json.loads(payload)["identifier"] for payload in tx.execute(query).scalars()}


def _patients(tx: Connection, tenant: Tenant) -> list[str]:
    mine = (launches.c.tenant_id == tenant.id) & (launches.c.fhir_base == tenant.fhir_base)
    return sorted(tx.execute(select(launches.c.patient).where(mine).distinct()).scalars())
