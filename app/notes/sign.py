"""Signing: a reviewed draft becomes a signed note and an order to file it.

First, and outside of any transaction, the chart is asked once more whether patient and visit still stand. Then, at one
moment of the record, every rule is evaluated, the snapshot fixed and the payload rendered. What comes of it is entered
together or not at all: contents, event, ledger and outbox row. Whoever changed the note in between is noticed by its
version, and whoever ended the session by its row. A later version is entered in the transaction that read it: it
depends on where the version before it stands.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import Conflict, PatientUnconfirmed, SigningRefused, StaleReview, StreamMoved
from app.event_log.append import hold_log
from app.event_log.canonical import digest
from app.ids import NoteId, WritebackId, new_writeback_id
from app.notes.changes import Changes
from app.notes.commands import SignNote
from app.notes.entering import Entering
from app.notes.entries import entries_to_sign, identity_missing, landing_of_entry, planned_entries
from app.notes.entry_orders import EntryOrders
from app.notes.events import NoteSigned
from app.notes.landing import landing_of
from app.notes.orders import Ordered, Orders
from app.notes.prepare import as_answer
from app.notes.preview import Preview, preview_of
from app.notes.reading import ReadNote, load_state, read_note, stream_of
from app.notes.snapshot import Snapshot, take_snapshot
from app.notes.state import NoteState
from app.outbox.rows import Partition
from app.policy.entry_route import EntryLanding
from app.policy.route import Landing, Route
from app.policy.rules import SigningFacts
from app.policy.rulesets import refusals
from app.tenants.directory import Tenants
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch, hold_open
from app.tenants.presence import Doubt, doubt
from app.tenants.registrations import Workflow
from app.tenants.standing import Standing, standing_of
from app.writebacks.docket import Docket, enter
from vendors.contract import Stored
from vendors.entry_values import RESOURCE_OF, EntryKind
from vendors.errors import VendorError


@dataclass(frozen=True)
class Signed:
    """A signed note, the write-back that carries it, and the partition to ring for; None: nothing has to leave."""

    note_id: NoteId
    writeback_id: WritebackId
    ring: Partition | None


@dataclass(frozen=True)
class _Entry:
    """What a signature enters, and what is answered once it is entered."""

    docket: Docket
    signed: Signed


@dataclass(frozen=True)
class ChartStanding:
    """What the chart says about patient and visit at the moment of signing."""

    patient: str
    encounter_status: str
    visit: Stored | None = None
    visit_patient: str = ""
    patient_replaced: bool = False


class Signing:
    """Signs notes."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, tenants: Tenants, ehrs: EHRs, clock: Clock
    ) -> None:
        self._database = database
        self._tenants = tenants
        self._artifacts = artifacts
        self._ehrs = ehrs
        self._entering = Entering(database, clock)
        self._orders = Orders(artifacts, ehrs)
        self._changes = Changes(database, artifacts, tenants, ehrs)
        self._entry_orders = EntryOrders(ehrs)
        self._clock = clock

    def landing(self, launch: Launch, workflow: str) -> Landing:
        """Where a note of this workflow, signed under this launch, would go now."""
        tenant, profile = self._ehrs.tenant(launch.tenant_id), self._ehrs.adapter(launch.tenant_id).profile
        with self._database.read() as tx:
            return landing_of(launch, tenant, profile, standing_of(tx, self._tenants, tenant.id, workflow))

    def entry_landings(self, launch: Launch, note: ReadNote) -> dict[EntryKind, EntryLanding]:
        """Where an entry of each kind that is proposed beside this note would go now."""
        with self._database.read() as tx:
            return self._entry_landings(tx, launch, note)

    def may_file(self, launch: Launch) -> bool:
        """Whether this launch's own token may file notes, whatever is switched off at the moment."""
        tenant, profile = self._ehrs.tenant(launch.tenant_id), self._ehrs.adapter(launch.tenant_id).profile
        return landing_of(launch, tenant, profile, Standing()).route is Route.FILE

    def preview(self, launch: Launch, note: ReadNote) -> Preview:
        """What signing this note now would sign, and what would become of it."""
        with self._tenants.steady(), self._database.read() as tx:
            return self._preview(tx, launch, note)

    def doubt(self, launch: Launch) -> Doubt:
        """Why the patient has to be confirmed before this launch signs; empty when it need not be."""
        with self._database.read() as tx:
            return self._doubt(tx, launch)

    def sign(self, command: SignNote) -> Signed:
        """Sign, once: the same note signed again gives the same answer.

        Raises `StaleReview` when another hash is displayed, `Conflict` when something else is signed by now, and
        `PatientUnconfirmed`, `SigningRefused`, `TryAgain`, `NeedsSignIn` or `LaunchEnded`.
        """
        signed = self._signed(command)
        if signed:
            return signed
        standing = self._ask_chart(command.launch)
        try:
            with self._tenants.steady():
                return self._sign(command, standing)
        except StreamMoved:
            signed = self._signed(command)  # the other of two clicks was first
            if signed is None:
                raise
            return signed

    def _signed(self, command: SignNote) -> Signed | None:
        with self._database.read() as tx:
            state = load_state(tx, command.launch.tenant_id, command.note_id)
        return _already(command, state) if state.is_settled else None

    def _sign(self, command: SignNote, standing: ChartStanding) -> Signed:
        with self._database.read() as tx:
            note = read_note(tx, self._artifacts, command.launch.tenant_id, command.note_id)
            if note.state.is_settled:
                return _already(command, note.state)
            entry = self._entry(tx, command, note, standing) if note.state.amendment is None else None
        if entry is None:
            return self._sign_again(command, standing)
        self._entering.enter(command.launch.launch_id, entry.docket)
        return entry.signed

    def _sign_again(self, command: SignNote, standing: ChartStanding) -> Signed:
        """Sign a later version: the one before it is held where it stands, until this one is entered."""
        launch, base = command.launch, self._changes.base_of_amendment(command.launch, command.note_id)
        with self._database.write() as tx:
            hold_open(tx, launch.launch_id, self._clock())
            hold_log(tx, launch.tenant_id)
            note = read_note(tx, self._artifacts, launch.tenant_id, command.note_id)
            if note.state.is_settled:
                return _already(command, note.state)
            entry = self._entry(tx, command, note, standing, base)
            enter(tx, entry.docket)
        return entry.signed

    def _entry(
        self, tx: Connection, command: SignNote, note: ReadNote, standing: ChartStanding, base: Stored | None = None
    ) -> _Entry:
        """What this signature enters. Raises what speaks against it."""
        launch = command.launch
        if not command.patient_confirmed and self._doubt(tx, launch):
            raise PatientUnconfirmed(
                "Countersign has to be sure that you know whose chart this is.",
                "Read the patient's name below, tick the box beside it, and sign again.",
            )
        preview = self._preview(tx, launch, note)
        if preview.displayed_hash != command.displayed_hash:
            raise StaleReview(
                "The draft, or where it will go, was changed in another window after this page was opened.",
                "Read it again.",
            )
        now = self._clock().replace(microsecond=0)  # the signature's moment is printed to the second
        snapshot = take_snapshot(launch, note, self._ehrs.tenant(note.tenant_id), preview, now, standing.visit)
        facts = self._facts(command, note, standing, preview.landing, snapshot)
        reasons = refusals(self._workflow(note).ruleset, facts)
        if reasons:
            raise SigningRefused(tuple((reason.code, reason.sentence) for reason in reasons))
        change = Ordered(self._changes.plan_of_amendment(tx, launch, note), base)
        return self._docket(command, note, preview, snapshot, change)

    def _preview(self, tx: Connection, launch: Launch, note: ReadNote) -> Preview:
        tenant, profile = self._ehrs.tenant(launch.tenant_id), self._ehrs.adapter(launch.tenant_id).profile
        standing = standing_of(tx, self._tenants, tenant.id, note.state.draft_recorded.workflow)
        is_first = note.state.signed is None  # entries are signed once, with the first version
        entries = planned_entries(note.review, self._entry_landings(tx, launch, note)) if is_first else ()
        plan, amendment = self._changes.plan_of_amendment(tx, launch, note), note.state.amendment
        change = plan.amendment(amendment.kind, amendment.reason, tenant.zone) if plan and amendment else None
        return preview_of(launch, note, tenant, profile, standing, entries, change)

    def _entry_landings(self, tx: Connection, launch: Launch, note: ReadNote) -> dict[EntryKind, EntryLanding]:
        profile, workflow = self._ehrs.adapter(launch.tenant_id).profile, self._workflow(note)
        standings = {
            kind: standing_of(tx, self._tenants, launch.tenant_id, workflow.id, RESOURCE_OF[kind])
            for kind in {one.kind for one in note.review.proposals}
        }
        return {
            kind: landing_of_entry(kind, launch, profile, standing, workflow.ruleset)
            for kind, standing in standings.items()
        }

    def _workflow(self, note: ReadNote) -> Workflow:
        return self._ehrs.tenant(note.tenant_id).workflow_named(note.state.draft_recorded.workflow)

    def _ask_chart(self, launch: Launch) -> ChartStanding:
        transport = self._ehrs.under_grant_of(launch.tenant_id, launch.launch_id)
        try:
            patient = transport.read("Patient", launch.patient.removeprefix("Patient/")).resource
            if launch.encounter is None:
                return ChartStanding(f"Patient/{patient.get('id')}", "", patient_replaced=_is_replaced(patient))
            visit = transport.read("Encounter", launch.encounter.removeprefix("Encounter/"))
        except VendorError as error:
            raise as_answer(error) from error
        subject = str((visit.resource.get("subject") or {}).get("reference", ""))
        theirs = "Patient/" + subject.rpartition("Patient/")[2]
        return ChartStanding(theirs, str(visit.resource.get("status", "")), visit, theirs, _is_replaced(patient))

    def _facts(
        self, command: SignNote, note: ReadNote, standing: ChartStanding, landing: Landing, snapshot: Snapshot
    ) -> SigningFacts:
        launch, recorded = command.launch, note.state.draft_recorded
        return SigningFacts(
            launch_actor=launch.actor,
            note_actor=f"{recorded.author_issuer}#{recorded.author_subject}",
            launch_user=launch.fhir_user,
            draft_user=note.review.draft.clinician.reference,
            launch_patient=launch.patient,
            note_patient=recorded.patient,
            posted_patient=command.patient,
            chart_patient=standing.patient,
            launch_encounter=launch.encounter or "",
            note_encounter=recorded.encounter or "",
            posted_encounter=command.encounter,
            chart_encounter_status=standing.encounter_status,
            open_claims=len(note.open_claims),
            statements=note.statements,
            landing=landing,
            entries=entries_to_sign(snapshot.entries, self._entry_orders.broken(launch.tenant_id, snapshot)),
            chart_patient_replaced=standing.patient_replaced,
            chart_encounter_patient=standing.visit_patient,
            identity_missing=identity_missing(note.review.draft),
        )

    def _doubt(self, tx: Connection, launch: Launch) -> Doubt:
        return doubt(tx, launch, always=self._ehrs.tenant(launch.tenant_id).reconfirm_always)

    def _docket(
        self, command: SignNote, note: ReadNote, preview: Preview, snapshot: Snapshot, change: Ordered
    ) -> _Entry:
        launch, writeback_id = command.launch, new_writeback_id()
        docket = Docket(self._artifacts, launch.tenant_id, launch.actor, snapshot.signed_at)
        writes = {entry.proposal_id: new_writeback_id() for entry in snapshot.entries}
        event = NoteSigned(
            launch_id=launch.launch_id,
            note_version=snapshot.note_version,
            displayed_hash=snapshot.displayed_hash,
            snapshot=docket.keep(ArtifactKind.SNAPSHOT, snapshot.canonical()),
            text_digest=digest(snapshot.text.encode()),
            meaning=snapshot.meaning,
            policy_version=self._workflow(note).ruleset,
            writeback_id=writeback_id,
            patient_confirmed=command.patient_confirmed,
            entries=tuple((one.proposal_id, writes[one.proposal_id], one.resource_type) for one in snapshot.entries),
            lapsed=preview.undecided,
            kind=snapshot.amends.kind if snapshot.amends else "note",
            reason=snapshot.amends.reason if snapshot.amends else "",
        )
        because = docket.append(stream_of(note.note_id), note.state.version, event, f"launch:{launch.launch_id}")
        ring = self._orders.place(
            docket, writeback_id, launch, note, snapshot, preview.landing, change, causation=because
        )
        workflow, draft = note.state.draft_recorded.workflow, note.review.draft
        also = self._entry_orders.place(docket, launch, draft, workflow, snapshot, writes, causation=because)
        return _Entry(docket, Signed(note.note_id, writeback_id, ring or also))


def _is_replaced(patient: dict[str, Any]) -> bool:
    """Whether the EHR says that this record was merged into another one (FHIR R4 Patient.link)."""
    return any(link.get("type") == "replaced-by" for link in patient.get("link") or ())


def _already(command: SignNote, state: NoteState) -> Signed:
    """The answer to a second click. Raises `Conflict` where what was displayed is not what is signed."""
    for one in reversed(state.signatures):
        if one.displayed_hash == command.displayed_hash:
            return Signed(command.note_id, WritebackId(one.writeback_id), None)
    raise Conflict("What you were about to sign was changed or given up in another window.", "Open the note again.")
