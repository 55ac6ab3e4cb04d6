"""What a signed note orders: a write to the EHR with its payload fixed, or the signed text to copy."""

from typing import Any

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.drafting.draft import Draft
from app.errors import SigningRefused
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.ids import WritebackId
from app.notes.reading import ReadNote
from app.notes.snapshot import MAPPING_VERSION, Snapshot, as_signed_note
from app.outbox.rows import Partition
from app.policy.route import Landing, Route
from app.provenance.records import IDENTIFIER_SYSTEM, Provenanced, build_provenance
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch
from app.writebacks import handlers as writebacks
from app.writebacks.events import CopyOffered, WritebackQueued
from app.writebacks.ledger import idempotency_key
from launch.scopes import GrantedScopes
from vendors.contract import VendorAdapter
from vendors.errors import InvalidResource

RESOURCE_TYPE, MUTATION = "DocumentReference", "create"


class Orders:
    """Places the order of a signed note, in the transaction that signs it."""

    def __init__(self, artifacts: ArtifactStore, ehrs: EHRs) -> None:
        self._artifacts = artifacts
        self._ehrs = ehrs

    def place(
        self,
        tx: Connection,
        writeback_id: WritebackId,
        launch: Launch,
        note: ReadNote,
        snapshot: Snapshot,
        landing: Landing,
        *,
        causation: str,
    ) -> Partition | None:
        """Order the filing, or offer the copy. Returns the partition to ring for; None: nothing has to leave.

        Raises `SigningRefused` when this EHR's rules refuse the note as it stands.
        """
        provenance = self._provenance(tx, launch, note.review.draft, snapshot)
        by: dict[str, Any] = {"actor": launch.actor, "causation": causation, "now": snapshot.signed_at}
        common = self._common(launch, snapshot, note.state.draft_recorded.workflow)
        if landing.route is Route.COPY:
            offer = CopyOffered(**common, provenance=provenance, reasons=landing.reasons)
            writebacks.offer_copy(tx, launch.tenant_id, writeback_id, offer, **by)
            return None
        kinds = {"provenance": provenance, "file_as": snapshot.file_as}
        order = WritebackQueued(**common, **self._write(tx, launch, snapshot), **kinds)
        return writebacks.queue(tx, launch.tenant_id, writeback_id, order, **by)

    def _common(self, launch: Launch, snapshot: Snapshot, workflow: str) -> dict[str, Any]:
        profile = self._ehrs.adapter(launch.tenant_id).profile
        return {
            "note_id": snapshot.note_id,
            "note_version": snapshot.note_version,
            "launch_id": launch.launch_id,
            "fhir_base": launch.fhir_base,
            "author_issuer": launch.issuer,
            "author_subject": launch.subject,
            "author": snapshot.author,
            "patient": snapshot.patient,
            "encounter": snapshot.encounter,
            "workflow": workflow,
            "identifier": f"{IDENTIFIER_SYSTEM}|{snapshot.identifier}",
            "profile": profile.name,
            "profile_version": profile.version,
        }

    def _write(self, tx: Connection, launch: Launch, snapshot: Snapshot) -> dict[str, Any]:
        adapter = self._ehrs.adapter(launch.tenant_id)
        payload = self._rendered(adapter, snapshot)
        key = idempotency_key(launch.tenant_id, snapshot.note_id, snapshot.note_version, RESOURCE_TYPE, MUTATION)
        posts_provenance = adapter.profile.supports("Provenance", "create")
        posts_provenance &= GrantedScopes(launch.scopes).allows("Provenance", "c")
        return {
            "resource_type": RESOURCE_TYPE,
            "mutation": MUTATION,
            "idempotency_key": key,
            "payload": self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.PAYLOAD, payload, snapshot.signed_at),
            "payload_digest": digest(payload),
            "mapping_version": MAPPING_VERSION,
            "provenance_route": "post" if posts_provenance else "kept",
        }

    def _rendered(self, adapter: VendorAdapter, snapshot: Snapshot) -> bytes:
        try:
            return adapter.render_note(as_signed_note(snapshot))
        except InvalidResource as error:
            codes = ", ".join(error.issue_codes) or "structure"
            sentence = f"{adapter.profile.title} would not take this note as it stands ({codes})."
            raise SigningRefused((("payload_refused", sentence),)) from error

    def _provenance(self, tx: Connection, launch: Launch, draft: Draft, snapshot: Snapshot) -> ArtifactRef:
        about = Provenanced(
            identifier=snapshot.identifier,
            draft=draft,
            draft_digest=digest(draft.canonical()),
            signed_at=snapshot.signed_at,
            organization_name=self._ehrs.tenant(launch.tenant_id).organization,
        )
        content = build_provenance(about)
        return self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.PROVENANCE, content, snapshot.signed_at)
