"""Rendering every payload again from what was signed, and comparing it byte for byte with what was ordered.

A payload is a function of the signed snapshot, the mapping and the profile. One that was rendered by another version
of either cannot be rendered again here; it is counted, and its stored bytes stay what they are.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.artifacts.store import ArtifactStore
from app.errors import Corrupt, CountersignError, Misconfigured
from app.event_log.canonical import digest
from app.event_log.read import read_stream
from app.event_log.tables import events
from app.ids import NoteId, TenantId, WritebackId
from app.notes.reading import load_state
from app.notes.snapshot import MAPPING_VERSION, Snapshot, as_signed_note
from app.tenants.ehr import EHRs
from app.writebacks.events import WritebackQueued
from app.writebacks.handlers import stream_of
from vendors.contract import VendorAdapter
from vendors.errors import VendorError


@dataclass(frozen=True)
class ReplayedPayloads:
    """How many payloads came out the same, which did not, and how many another version had rendered."""

    identical: int
    different: tuple[str, ...]
    other_version: int

    @property
    def ok(self) -> bool:
        """Whether every payload that could be rendered again is the same to the byte."""
        return not self.different


def replay_payloads(tx: Connection, artifacts: ArtifactStore, ehrs: EHRs) -> ReplayedPayloads:
    """Render every ordered payload again. What cannot be read or rendered any more counts as different."""
    identical, other_version = 0, 0
    different = []
    query = select(events.c.tenant_id, events.c.stream).where(events.c.tag == WritebackQueued.tag)
    for row in tx.execute(query.order_by(events.c.position)).all():
        order = read_stream(tx, row.tenant_id, row.stream)[0].event
        adapter = _adapter(ehrs, TenantId(row.tenant_id))
        if not isinstance(order, WritebackQueued) or adapter is None or not _same_versions(order, adapter):
            other_version += 1
        elif _is_identical(tx, artifacts, adapter, TenantId(row.tenant_id), row.stream, order):
            identical += 1
        else:
            different.append(row.stream)
    return ReplayedPayloads(identical, tuple(different), other_version)


def _adapter(ehrs: EHRs, tenant_id: TenantId) -> VendorAdapter | None:
    """None for a tenant whose file is gone: nobody can say by which vendor's rules its notes were rendered."""
    try:
        return ehrs.adapter(tenant_id)
    except Misconfigured:
        return None


def _same_versions(order: WritebackQueued, adapter: VendorAdapter) -> bool:
    profile = adapter.profile
    now = (MAPPING_VERSION, profile.name, profile.version)
    return (order.mapping_version, order.profile, order.profile_version) == now


def _is_identical(
    tx: Connection,
    artifacts: ArtifactStore,
    adapter: VendorAdapter,
    tenant_id: TenantId,
    stream: str,
    order: WritebackQueued,
) -> bool:
    try:
        signed = load_state(tx, tenant_id, NoteId(order.note_id)).signed
        if signed is None or stream != stream_of(WritebackId(signed.writeback_id)):
            raise Corrupt("A write was ordered that no signature names.")
        snapshot = Snapshot.model_validate_json(artifacts.open(tx, tenant_id, signed.snapshot))
        stored = artifacts.open(tx, tenant_id, order.payload)
        rendered = adapter.render_note(as_signed_note(snapshot))
    except (CountersignError, VendorError, ValueError):
        return False
    return rendered == stored and digest(rendered) == order.payload_digest
