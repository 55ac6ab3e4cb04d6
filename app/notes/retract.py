"""Retracting: a filed note stays in the chart and is marked there as entered in error, by its signer only (C38).

Before it, and outside of any transaction, the filed resource is read as it stands now. What leaves is the whole of it
with another status, so that its content survives, and it names the version that was read: whoever changed it meanwhile
is not overwritten.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import NotFound, PatientUnconfirmed, Refused
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.ids import new_writeback_id
from app.notes import chart_index
from app.notes.changes import Changes
from app.notes.commands import RetractNote
from app.notes.events import NoteRetracted
from app.notes.order_fields import order_fields, provenance_route
from app.notes.plan import NOTE, Plan
from app.notes.reading import ReadNote, read_note, stream_of
from app.notes.snapshot import MAPPING_VERSION, note_identifier
from app.outbox.rows import Partition
from app.policy.mutation import Asked, Move, sentence
from app.provenance.records import IDENTIFIER_SYSTEM, Provenanced, build_provenance
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch, hold_open
from app.tenants.presence import doubt
from app.writebacks.docket import Docket, enter
from app.writebacks.events import WritebackQueued
from app.writebacks.ledger import idempotency_key
from vendors.contract import Stored


@dataclass(frozen=True)
class Retracted:
    """The partition to ring for; None when it was retracted before."""

    ring: Partition | None


class Retraction:
    """Retracts notes."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, changes: Changes, ehrs: EHRs, clock: Clock
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._changes = changes
        self._ehrs = ehrs
        self._clock = clock

    def retract(self, command: RetractNote) -> Retracted:
        """Order one signed version to be marked as entered in error, once.

        Raises `Refused` with the table's sentence where it cannot be done from here now, `PatientUnconfirmed`,
        `NotFound` for another chart's note, `TryAgain` and `NeedsSignIn` when the chart cannot be asked, and
        `LaunchEnded`.
        """
        with self._database.read() as tx:
            note = read_note(tx, self._artifacts, command.launch.tenant_id, command.note_id)
            plan = self._plan(tx, command, note)
        if plan is None:
            return Retracted(None)
        base = self._changes.base_of(command.launch, plan)
        with self._database.write() as tx:
            hold_open(tx, command.launch.launch_id, self._clock())
            if chart_index.hold_note_of(tx, command.launch) != command.note_id:
                raise NotFound("This note does not belong to this chart.")
            note = read_note(tx, self._artifacts, command.launch.tenant_id, command.note_id)
            plan = self._plan(tx, command, note)
            if plan is None:
                return Retracted(None)
            self._require_sure(tx, command, plan)
            return Retracted(self._record(tx, command, note, plan, base))

    def _plan(self, tx: Connection, command: RetractNote, note: ReadNote) -> Plan | None:
        """The plan; None when this version is retracted already. Raises `Refused` where it cannot be."""
        if not note.state.is_settled:
            raise Refused("A change of this note is under way.", "Sign it or give it up first.")
        plan = self._changes.plan(tx, Asked.RETRACT, command.launch, note, command.writeback_id)
        if plan.original.writeback_id != command.writeback_id:
            raise NotFound("This note has no such version.")
        if plan.change.reason == "already_retracted":
            return None
        if plan.change.move is not Move.SEND:
            ehr = self._ehrs.adapter(command.launch.tenant_id).profile.title
            raise Refused(sentence(plan.change, ehr), "Go back to the note to see where it stands.")
        return plan

    def _require_sure(self, tx: Connection, command: RetractNote, plan: Plan) -> None:
        """The signer, in the chart that the page named, who knows whose chart it is."""
        launch = command.launch
        if plan.snapshot.author != launch.fhir_user:
            raise Refused("You are signed in with another provider record than the one that signed this note.")
        if len({launch.patient, command.patient, plan.snapshot.patient}) != 1:
            raise Refused(
                "The patient of this note is not the patient of this chart. Start again from the right chart."
            )
        always = self._ehrs.tenant(launch.tenant_id).reconfirm_always
        if not command.patient_confirmed and doubt(tx, launch, always=always):
            raise PatientUnconfirmed(
                "Countersign has to be sure that you know whose chart this is.",
                "Read the patient's name below, tick the box beside it, and retract again.",
            )

    def _record(self, tx: Connection, command: RetractNote, note: ReadNote, plan: Plan, base: Stored) -> Partition:
        launch, writeback_id = command.launch, new_writeback_id()
        now = self._clock().replace(microsecond=0)
        event = NoteRetracted(
            launch_id=launch.launch_id,
            note_version=note.state.next_version,
            retracts=plan.original.writeback_id,
            reason=command.reason,
            writeback_id=writeback_id,
            patient_confirmed=command.patient_confirmed,
        )
        docket = Docket(self._artifacts, launch.tenant_id, launch.actor, now)
        because = docket.append(stream_of(note.note_id), note.state.version, event, f"launch:{launch.launch_id}")
        ring = docket.queue(writeback_id, self._order(docket, launch, note, plan, event, base), because)
        enter(tx, docket)
        return ring

    def _order(
        self, docket: Docket, launch: Launch, note: ReadNote, plan: Plan, event: NoteRetracted, base: Stored
    ) -> WritebackQueued:
        adapter, signed = self._ehrs.adapter(launch.tenant_id), plan.snapshot
        write = adapter.retraction(base)
        key = idempotency_key(launch.tenant_id, note.note_id, event.note_version, NOTE, "retract")
        workflow = note.state.draft_recorded.workflow
        identifier = f"{IDENTIFIER_SYSTEM}|{note_identifier(launch.tenant_id, note.note_id, event.note_version)}"
        return WritebackQueued(
            **order_fields(launch, adapter.profile, signed, event.note_version, workflow, identifier),
            resource_type=NOTE,
            mutation="retract",
            idempotency_key=key,
            payload=docket.keep(ArtifactKind.PAYLOAD, write.payload),
            payload_digest=digest(write.payload),
            mapping_version=MAPPING_VERSION,
            provenance=self._provenance(docket, launch, note, plan),
            provenance_route=provenance_route(launch, adapter.profile),
            file_as=signed.file_as,
            interaction=write.interaction,
            target=f"{NOTE}/{write.target_id}",
            if_match=write.if_match,
            follows=plan.original.writeback_id,
            supersedes=plan.change.supersedes,
            reason=event.reason,
            base=docket.keep(ArtifactKind.STORED, base.body),
        )

    def _provenance(self, docket: Docket, launch: Launch, note: ReadNote, plan: Plan) -> ArtifactRef:
        draft, now = note.review.draft, self._clock()
        about = Provenanced(
            identifier=plan.snapshot.identifier,
            draft=draft,
            draft_digest=digest(draft.canonical()),
            signed_at=now,
            organization_name=self._ehrs.tenant(launch.tenant_id).organization,
            activity="NULLIFY",
            assisted=False,
        )
        return docket.keep(ArtifactKind.PROVENANCE, build_provenance(about))
