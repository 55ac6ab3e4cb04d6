"""What the entries signed beside a note order: each a write with its payload fixed, or its words to enter by hand."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.drafting.draft import Draft
from app.drafting.proposals import in_words
from app.errors import SigningRefused
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.ids import TenantId, WritebackId
from app.notes.entries import IDENTIFIER_SYSTEM, EntrySnapshot
from app.notes.order_fields import order_fields, provenance_route
from app.notes.snapshot import ENTRY_MAPPING_VERSION, Snapshot, as_signed_entry
from app.outbox.rows import Partition
from app.provenance.records import Provenanced, build_provenance
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch
from app.writebacks import handlers as writebacks
from app.writebacks.events import CopyOffered, WritebackQueued
from app.writebacks.ledger import idempotency_key
from vendors.entries import SignedEntry
from vendors.entry_rules import broken_rules
from vendors.entry_values import EntryKind
from vendors.errors import InvalidResource


class EntryOrders:
    """Places the orders of signed entries, in the transaction that signs them."""

    def __init__(self, artifacts: ArtifactStore, ehrs: EHRs) -> None:
        self._artifacts = artifacts
        self._ehrs = ehrs

    def broken(self, tenant_id: TenantId, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
        """By proposal: the rules that an entry breaks at this EHR, in words. What is handed over has to break none."""
        profile = self._ehrs.adapter(tenant_id).profile
        found: dict[str, tuple[str, ...]] = {}
        for entry in snapshot.entries:
            if entry.route == "file":
                rules = broken_rules(as_signed_entry(snapshot, entry), profile)
                found[entry.proposal_id] = tuple(rule.says for rule in rules)
        return found

    def place(
        self,
        tx: Connection,
        launch: Launch,
        draft: Draft,
        workflow: str,
        snapshot: Snapshot,
        writes: Mapping[str, WritebackId],
        *,
        causation: str,
    ) -> Partition | None:
        """Order every entry under the id in `writes`. Returns the partition to ring for; None: nothing has to leave.

        Raises `SigningRefused` when one is no valid resource.
        """
        ring = None
        for entry in snapshot.entries:
            common = self._common(tx, launch, draft, workflow, snapshot, entry)
            by: dict[str, Any] = {"actor": launch.actor, "causation": causation, "now": snapshot.signed_at}
            if entry.route == "copy":
                offer = CopyOffered(**common, reasons=(entry.reason,))
                writebacks.offer_copy(tx, launch.tenant_id, writes[entry.proposal_id], offer, **by)
            else:
                order = WritebackQueued(**common, **self._write(tx, launch, snapshot, entry))
                ring = writebacks.queue(tx, launch.tenant_id, writes[entry.proposal_id], order, **by)
        return ring

    def _common(
        self, tx: Connection, launch: Launch, draft: Draft, workflow: str, snapshot: Snapshot, entry: EntrySnapshot
    ) -> dict[str, Any]:
        profile, identifier = self._ehrs.adapter(launch.tenant_id).profile, f"{IDENTIFIER_SYSTEM}|{entry.identifier}"
        return {
            **order_fields(launch, profile, snapshot, snapshot.note_version, workflow, identifier),
            "resource_type": entry.resource_type,
            "proposal_id": entry.proposal_id,
            "provenance": self._provenance(tx, launch, draft, snapshot, entry),
        }

    def _write(self, tx: Connection, launch: Launch, snapshot: Snapshot, entry: EntrySnapshot) -> dict[str, Any]:
        adapter = self._ehrs.adapter(launch.tenant_id)
        mutation = "update" if entry.kind is EntryKind.VISIT_REASON else "create"
        payload = self._rendered(launch.tenant_id, as_signed_entry(snapshot, entry), in_words(entry.content))
        return {
            "mutation": mutation,
            "interaction": entry.interaction,
            "target": entry.target,
            "if_match": entry.if_match,
            "idempotency_key": idempotency_key(
                launch.tenant_id,
                snapshot.note_id,
                snapshot.note_version,
                entry.resource_type,
                mutation,
                entry.proposal_id,
            ),
            "payload": self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.PAYLOAD, payload, snapshot.signed_at),
            "payload_digest": digest(payload),
            "mapping_version": ENTRY_MAPPING_VERSION,
            "provenance_route": provenance_route(launch, adapter.profile),
        }

    def _rendered(self, tenant_id: TenantId, entry: SignedEntry, words: str) -> bytes:
        adapter = self._ehrs.adapter(tenant_id)
        try:
            return adapter.render_entry(entry)
        except InvalidResource as error:
            codes = ", ".join(error.issue_codes) or "structure"
            sentence = f"{adapter.profile.title} would not take “{words}” as it stands ({codes}). Change or decline it."
            raise SigningRefused((("entry_refused", sentence),)) from error

    def _provenance(
        self, tx: Connection, launch: Launch, draft: Draft, snapshot: Snapshot, entry: EntrySnapshot
    ) -> ArtifactRef:
        proposal = draft.proposal(entry.proposal_id)
        about = Provenanced(
            identifier=entry.identifier,
            draft=draft,
            draft_digest=digest(draft.canonical()),
            signed_at=snapshot.signed_at,
            organization_name=self._ehrs.tenant(launch.tenant_id).organization,
            identifier_system=IDENTIFIER_SYSTEM,
            resource_type=entry.resource_type,
            activity="UPDATE" if entry.target else "CREATE",
            evidence=proposal.evidence if proposal else (),
        )
        content = build_provenance(about)
        return self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.PROVENANCE, content, snapshot.signed_at)
