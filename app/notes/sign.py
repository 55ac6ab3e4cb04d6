"""Signing: the one transaction in which a reviewed draft becomes a signed note and an order to file it.

Before it, and outside of any transaction, the chart is asked once more whether patient and visit still stand. In it:
every rule is evaluated, the snapshot is fixed, the payload rendered and kept, and event, ledger and outbox row are
written together or not at all.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import Conflict, SigningRefused, StaleReview, StreamMoved
from app.event_log.append import append
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.ids import NoteId, WritebackId, new_writeback_id
from app.notes.commands import SignNote
from app.notes.events import NoteSigned
from app.notes.prepare import as_answer
from app.notes.reading import ReadNote, load_state, read_note, stream_of
from app.notes.snapshot import MAPPING_VERSION, Snapshot, as_signed_note, note_identifier
from app.notes.state import NoteState, Stage
from app.outbox.rows import Partition
from app.policy.route import Landing, Route, RouteFacts, choose_route
from app.policy.rules import SigningFacts
from app.policy.rulesets import refusals
from app.provenance.records import IDENTIFIER_SYSTEM, Provenanced, build_provenance
from app.review.note_text import MEANING, attestation, signed_text
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch
from app.writebacks import handlers as writebacks
from app.writebacks.events import CopyOffered, WritebackQueued
from app.writebacks.ledger import idempotency_key
from launch.scopes import GrantedScopes
from vendors.errors import VendorError

FIRST_VERSION = 1


@dataclass(frozen=True)
class Signed:
    """A signed note, the write-back that carries it, and the partition to ring for; None: nothing has to leave."""

    note_id: NoteId
    writeback_id: WritebackId
    ring: Partition | None


@dataclass(frozen=True)
class ChartStanding:
    """What the chart says about patient and visit at the moment of signing."""

    patient: str
    encounter_status: str


class Signing:
    """Signs notes."""

    def __init__(self, database: Database, artifacts: ArtifactStore, ehrs: EHRs, clock: Clock) -> None:
        self._database = database
        self._artifacts = artifacts
        self._ehrs = ehrs
        self._clock = clock

    def landing(self, launch: Launch) -> Landing:
        """Where a note signed under this launch would go."""
        tenant, profile = self._ehrs.tenant(launch.tenant_id), self._ehrs.adapter(launch.tenant_id).profile
        scopes = GrantedScopes(launch.scopes)
        return choose_route(
            RouteFacts(
                vendor_takes_notes=profile.supports("DocumentReference", "create"),
                write_granted=scopes.allows("DocumentReference", "c"),
                read_granted=scopes.allows("DocumentReference", "r") and scopes.allows("DocumentReference", "s"),
                encounter_required=tenant.encounter_required or profile.note.encounter_required.value,
                has_encounter=launch.encounter is not None,
            )
        )

    def sign(self, command: SignNote) -> Signed:
        """Sign, once: the same note signed again gives the same answer.

        Raises `StaleReview` when the displayed hash is not the present one, `SigningRefused` with every reason,
        `TryAgain` when the chart cannot be asked, `NeedsSignIn` when the clinician's token has ended.
        """
        signed = self._signed(command)
        if signed:
            return signed
        standing = self._ask_chart(command.launch)
        try:
            return self._sign(command, standing)
        except StreamMoved:
            signed = self._signed(command)  # the other of two clicks was first
            if signed is None:
                raise
            return signed

    def _signed(self, command: SignNote) -> Signed | None:
        with self._database.read() as tx:
            state = load_state(tx, command.launch.tenant_id, command.note_id)
        return _already(command.note_id, state) if state.signed else None

    def _sign(self, command: SignNote, standing: ChartStanding) -> Signed:
        with self._database.write() as tx:
            note = read_note(tx, self._artifacts, command.launch.tenant_id, command.note_id)
            if note.state.signed:
                return _already(note.note_id, note.state)
            if note.review.displayed_hash != command.displayed_hash:
                raise StaleReview(
                    "The draft was changed in another window after this page was opened.", "Read it again."
                )
            facts = self._facts(command, note, standing)
            tenant = self._ehrs.tenant(command.launch.tenant_id)
            reasons = refusals(tenant.workflow.ruleset, facts)
            if reasons:
                raise SigningRefused(tuple((reason.code, reason.sentence) for reason in reasons))
            return self._record(tx, command.launch, note, facts.landing)

    def _ask_chart(self, launch: Launch) -> ChartStanding:
        transport = self._ehrs.under_grant_of(launch.tenant_id, launch.launch_id)
        try:
            patient = transport.read("Patient", launch.patient.removeprefix("Patient/")).resource
            if launch.encounter is None:
                return ChartStanding(f"Patient/{patient.get('id')}", "")
            encounter = transport.read("Encounter", launch.encounter.removeprefix("Encounter/")).resource
        except VendorError as error:
            raise as_answer(error) from error
        subject = str((encounter.get("subject") or {}).get("reference", ""))
        return ChartStanding("Patient/" + subject.rpartition("Patient/")[2], str(encounter.get("status", "")))

    def _facts(self, command: SignNote, note: ReadNote, standing: ChartStanding) -> SigningFacts:
        launch, recorded = command.launch, note.state.draft_recorded
        return SigningFacts(
            launch_actor=launch.actor,
            note_actor=f"{recorded.author_issuer}#{recorded.author_subject}",
            launch_patient=launch.patient,
            note_patient=recorded.patient,
            posted_patient=command.patient,
            chart_patient=standing.patient,
            launch_encounter=launch.encounter or "",
            note_encounter=recorded.encounter or "",
            posted_encounter=command.encounter,
            chart_encounter_status=standing.encounter_status,
            open_claims=len(note.review.open_claims),
            statements=sum(claim.in_note for claim in note.review.claims),
            landing=self.landing(launch),
        )

    def _record(self, tx: Connection, launch: Launch, note: ReadNote, landing: Landing) -> Signed:
        now, writeback_id = self._clock().replace(microsecond=0), new_writeback_id()
        snapshot = _snapshot(launch, note, now, self._ehrs.tenant(launch.tenant_id).zone)
        kept = self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.SNAPSHOT, snapshot.canonical(), now)
        version = self._append_signed(tx, launch, note, snapshot, kept, writeback_id)
        because = f"{stream_of(note.note_id)}@{version}"
        provenance = self._keep_provenance(tx, launch, note, snapshot)
        if landing.route is Route.COPY:
            offer = self._offer(launch, note, snapshot, provenance)
            writebacks.offer_copy(
                tx, launch.tenant_id, writeback_id, offer, actor=launch.actor, causation=because, now=now
            )
            return Signed(note.note_id, writeback_id, None)
        order = self._order(tx, launch, note, snapshot, provenance)
        ring = writebacks.queue(
            tx, launch.tenant_id, writeback_id, order, actor=launch.actor, causation=because, now=now
        )
        return Signed(note.note_id, writeback_id, ring)

    def _append_signed(
        self,
        tx: Connection,
        launch: Launch,
        note: ReadNote,
        snapshot: Snapshot,
        kept: ArtifactRef,
        writeback: WritebackId,
    ) -> int:
        if note.state.stage is Stage.SIGNED:
            raise Conflict("This note was signed a moment ago.")
        event = NoteSigned(
            launch_id=launch.launch_id,
            note_version=snapshot.note_version,
            displayed_hash=snapshot.displayed_hash,
            snapshot=kept,
            text_digest=digest(snapshot.text.encode()),
            meaning=snapshot.meaning,
            policy_version=self._ehrs.tenant(launch.tenant_id).workflow.ruleset,
            writeback_id=writeback,
        )
        stream = stream_of(note.note_id)
        return append(
            tx,
            launch.tenant_id,
            stream,
            note.state.version,
            [event],
            actor=launch.actor,
            causation=f"launch:{launch.launch_id}",
            now=snapshot.signed_at,
        )

    def _keep_provenance(self, tx: Connection, launch: Launch, note: ReadNote, snapshot: Snapshot) -> ArtifactRef:
        about = Provenanced(
            identifier=snapshot.identifier,
            draft=note.review.draft,
            draft_digest=digest(note.review.draft.canonical()),
            signed_at=snapshot.signed_at,
            organization_name=self._ehrs.tenant(launch.tenant_id).organization,
        )
        content = build_provenance(about)
        return self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.PROVENANCE, content, snapshot.signed_at)

    def _order(
        self, tx: Connection, launch: Launch, note: ReadNote, snapshot: Snapshot, provenance: ArtifactRef
    ) -> WritebackQueued:
        tenant, adapter = self._ehrs.tenant(launch.tenant_id), self._ehrs.adapter(launch.tenant_id)
        payload = adapter.render_note(as_signed_note(snapshot, note.review.draft, tenant))
        kept = self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.PAYLOAD, payload, snapshot.signed_at)
        takes_provenance = adapter.profile.supports("Provenance", "create") and GrantedScopes(launch.scopes).allows(
            "Provenance", "c"
        )
        return WritebackQueued(
            **_common(launch, note, snapshot, adapter.profile.name, adapter.profile.version, tenant.workflow.id),
            resource_type="DocumentReference",
            mutation="create",
            idempotency_key=idempotency_key(
                launch.tenant_id, note.note_id, snapshot.note_version, "DocumentReference", "create"
            ),
            payload=kept,
            payload_digest=digest(payload),
            mapping_version=MAPPING_VERSION,
            provenance=provenance,
            provenance_route="post" if takes_provenance else "kept",
        )

    def _offer(self, launch: Launch, note: ReadNote, snapshot: Snapshot, provenance: ArtifactRef) -> CopyOffered:
        tenant, profile = self._ehrs.tenant(launch.tenant_id), self._ehrs.adapter(launch.tenant_id).profile
        common = _common(launch, note, snapshot, profile.name, profile.version, tenant.workflow.id)
        return CopyOffered(**common, provenance=provenance)


def _common(
    launch: Launch, note: ReadNote, snapshot: Snapshot, profile: str, profile_version: str, workflow: str
) -> dict[str, object]:
    return {
        "note_id": note.note_id,
        "note_version": snapshot.note_version,
        "launch_id": launch.launch_id,
        "author_issuer": launch.issuer,
        "author_subject": launch.subject,
        "author": snapshot.author,
        "patient": snapshot.patient,
        "encounter": snapshot.encounter,
        "workflow": workflow,
        "identifier": f"{IDENTIFIER_SYSTEM}|{snapshot.identifier}",
        "profile": profile,
        "profile_version": profile_version,
    }


def _snapshot(launch: Launch, note: ReadNote, now: datetime, zone: ZoneInfo) -> Snapshot:
    draft = note.review.draft
    return Snapshot(
        tenant_id=launch.tenant_id,
        note_id=note.note_id,
        note_version=FIRST_VERSION,
        identifier=note_identifier(launch.tenant_id, note.note_id, FIRST_VERSION),
        patient=launch.patient,
        encounter=launch.encounter,
        author=launch.fhir_user,
        author_name=draft.clinician.name,
        author_issuer=launch.issuer,
        author_subject=launch.subject,
        meaning=MEANING,
        statement=attestation(draft),
        displayed_hash=note.review.displayed_hash,
        text=signed_text(note.review, now.astimezone(zone)),
        signed_at=now,
    )


def _already(note_id: NoteId, state: NoteState) -> Signed:
    if state.signed is None:
        raise Conflict("This note is not signed.")
    return Signed(note_id, WritebackId(state.signed.writeback_id), None)
