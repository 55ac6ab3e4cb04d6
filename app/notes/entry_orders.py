"""What the entries signed beside a note order: each a write with its payload fixed, or its words to enter by hand."""

from collections.abc import Mapping
from typing import Any

from app.artifacts.store import ArtifactKind
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
from app.writebacks.docket import Docket
from app.writebacks.events import CopyOffered, WritebackQueued
from app.writebacks.ledger import idempotency_key
from vendors.entries import SignedEntry
from vendors.entry_rules import broken_rules
from vendors.entry_values import EntryKind
from vendors.errors import InvalidResource


class EntryOrders:
    """Places the orders of signed entries, in the transaction that signs them."""

    def __init__(self, ehrs: EHRs) -> None:
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
        docket: Docket,
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
            common = self._common(docket, launch, draft, workflow, snapshot, entry)
            writeback_id = writes[entry.proposal_id]
            if entry.route == "copy":
                docket.offer_copy(writeback_id, CopyOffered(**common, reasons=(entry.reason,)), causation)
            else:
                order = WritebackQueued(**common, **self._write(docket, launch, snapshot, entry))
                ring = docket.queue(writeback_id, order, causation)
        return ring

    def _common(
        self, docket: Docket, launch: Launch, draft: Draft, workflow: str, snapshot: Snapshot, entry: EntrySnapshot
    ) -> dict[str, Any]:
        profile, identifier = self._ehrs.adapter(launch.tenant_id).profile, f"{IDENTIFIER_SYSTEM}|{entry.identifier}"
        return {
            **order_fields(launch, profile, snapshot, snapshot.note_version, workflow, identifier),
            "resource_type": entry.resource_type,
            "proposal_id": entry.proposal_id,
            "provenance": self._provenance(docket, launch, draft, snapshot, entry),
        }

    def _write(self, docket: Docket, launch: Launch, snapshot: Snapshot, entry: EntrySnapshot) -> dict[str, Any]:
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
            "payload": docket.keep(ArtifactKind.PAYLOAD, payload),
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
        self, docket: Docket, launch: Launch, draft: Draft, snapshot: Snapshot, entry: EntrySnapshot
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
        return docket.keep(ArtifactKind.PROVENANCE, build_provenance(about))
