"""What a signed note orders: a write to the EHR with its payload fixed, or the signed text to copy."""

from dataclasses import dataclass
from typing import Any

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.drafting.draft import Draft
from app.errors import SigningRefused, StaleReview
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.ids import WritebackId
from app.notes.order_fields import order_fields, provenance_route
from app.notes.plan import Plan
from app.notes.reading import ReadNote
from app.notes.snapshot import MAPPING_VERSION, Snapshot, as_signed_note
from app.outbox.rows import Partition
from app.policy.route import Landing, Route
from app.provenance.records import IDENTIFIER_SYSTEM, Provenanced, build_provenance
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch
from app.writebacks.commands import SupersedeWrite
from app.writebacks.docket import Docket
from app.writebacks.events import CopyOffered, WritebackQueued
from app.writebacks.handlers import WritebackCommands
from app.writebacks.ledger import idempotency_key
from vendors.contract import Stored, VendorAdapter, Write
from vendors.errors import InvalidResource

RESOURCE_TYPE = "DocumentReference"


@dataclass(frozen=True)
class Ordered:
    """What an order changes: the plan, and the filed resource as it was read for it; neither for a first version."""

    plan: Plan | None = None
    base: Stored | None = None

    def __post_init__(self) -> None:
        """Raise `StaleReview` when what the plan changes is not what was read."""
        wanted = self.plan.original.write.resource_id if self.plan and self.plan.changes_what_is_filed else None
        if wanted != (self.base.resource_id if self.base else None):
            raise StaleReview("Where the note stands changed after this page was opened.", "Read it again.")

    @property
    def mutation(self) -> str:
        """What it means for the record: a first version is created."""
        return self.plan.change.mutation if self.plan and self.plan.change.mutation else "create"

    def of_the_original(self, write: Write) -> dict[str, str]:
        """The fields of the order that name what it acts on, and what becomes of that."""
        if self.plan is None or self.mutation == "create":
            return {}
        return {
            "interaction": write.interaction,
            "target": f"{write.resource_type}/{write.target_id}" if write.target_id else "",
            "if_match": write.if_match,
            "follows": self.plan.original.writeback_id,
            "supersedes": self.plan.change.supersedes,
        }


class Orders:
    """Places the order of a signed note, in the transaction that signs it."""

    def __init__(self, artifacts: ArtifactStore, ehrs: EHRs) -> None:
        self._ehrs = ehrs
        self._writebacks = WritebackCommands(artifacts)

    def place(
        self,
        docket: Docket,
        writeback_id: WritebackId,
        launch: Launch,
        note: ReadNote,
        snapshot: Snapshot,
        landing: Landing,
        change: Ordered,
        *,
        causation: str,
    ) -> Partition | None:
        """Order the filing, or offer the copy. Returns the partition to ring for; None: nothing has to leave.

        Raises `SigningRefused` when this EHR's rules refuse the note as it stands, and `StaleReview` when what is to be
        changed is not what was read.
        """
        provenance = self._provenance(docket, launch, note.review.draft, snapshot)
        profile, workflow = self._ehrs.adapter(launch.tenant_id).profile, note.state.draft_recorded.workflow
        identifier = f"{IDENTIFIER_SYSTEM}|{snapshot.identifier}"
        common = order_fields(launch, profile, snapshot, snapshot.note_version, workflow, identifier)
        if landing.route is Route.COPY:
            offer = CopyOffered(**common, provenance=provenance, reasons=landing.reasons)
            docket.offer_copy(writeback_id, offer, causation)
            self._replace_offer(docket, launch, writeback_id, change, snapshot)
            return None
        reason = snapshot.amends.reason if snapshot.amends else ""
        kinds = {"provenance": provenance, "file_as": snapshot.file_as, "reason": reason}
        order = WritebackQueued(**common, **self._write(docket, launch, snapshot, change), **kinds)
        return docket.queue(writeback_id, order, causation)

    def _write(self, docket: Docket, launch: Launch, snapshot: Snapshot, change: Ordered) -> dict[str, Any]:
        adapter = self._ehrs.adapter(launch.tenant_id)
        write, mutation = self._rendered(adapter, snapshot, change), change.mutation
        key = idempotency_key(launch.tenant_id, snapshot.note_id, snapshot.note_version, RESOURCE_TYPE, mutation)
        return {
            "resource_type": RESOURCE_TYPE,
            "mutation": mutation,
            "idempotency_key": key,
            "payload": docket.keep(ArtifactKind.PAYLOAD, write.payload),
            "payload_digest": digest(write.payload),
            "mapping_version": MAPPING_VERSION,
            "provenance_route": provenance_route(launch, adapter.profile),
            **change.of_the_original(write),
            "base": docket.keep(ArtifactKind.STORED, change.base.body) if change.base else None,
        }

    def _replace_offer(
        self, docket: Docket, launch: Launch, by: WritebackId, change: Ordered, snapshot: Snapshot
    ) -> None:
        """A correction that is to be copied takes the place of a version that nobody has copied yet."""
        if change.plan and snapshot.amends and snapshot.amends.kind == "correction":
            of, command = change.plan.original.writeback_id, SupersedeWrite(by, "replaced")
            whose: Any = (launch.tenant_id, of, command, launch.actor, snapshot.signed_at)
            docket.then(lambda tx: self._writebacks.supersede_offer(tx, *whose))

    def _rendered(self, adapter: VendorAdapter, snapshot: Snapshot, change: Ordered) -> Write:
        note = as_signed_note(snapshot)
        try:
            if change.base is not None:
                return adapter.amendment(change.base, note)
            return Write(RESOURCE_TYPE, "create", adapter.render_note(note))
        except InvalidResource as error:
            codes = ", ".join(error.issue_codes) or "structure"
            sentence = f"{adapter.profile.title} would not take this note as it stands ({codes})."
            raise SigningRefused((("payload_refused", sentence),)) from error

    def _provenance(self, docket: Docket, launch: Launch, draft: Draft, snapshot: Snapshot) -> ArtifactRef:
        amends = snapshot.amends
        about = Provenanced(
            identifier=snapshot.identifier,
            draft=draft,
            draft_digest=digest(draft.canonical()),
            signed_at=snapshot.signed_at,
            organization_name=self._ehrs.tenant(launch.tenant_id).organization,
            activity="UPDATE" if amends and amends.doc_status else "CREATE",
            assisted=amends is None or amends.kind == "correction",
            revises=amends.identifier if amends else "",
        )
        return docket.keep(ArtifactKind.PROVENANCE, build_provenance(about))
