"""What clinicians and people at the EHR do in a history, by the same calls that pages and jobs make."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sqlalchemy import Connection

from app.chaos.ehr import CLINICIANS, NAMES, SCOPE, Granted, Visit
from app.chaos.history import ENTRIES, Doing, History
from app.chaos.world import World, tenant_of
from app.drafting.draft import (
    Claim,
    ClaimState,
    ClinicianIdentity,
    Draft,
    PatientIdentity,
    Proposal,
    Tier,
    VisitIdentity,
)
from app.event_log.read import read_stream
from app.ids import NoteId, TenantId, WritebackId, new_writeback_id
from app.notes.commands import (
    BeginAmendment,
    CancelNote,
    DecideProposals,
    EditClaim,
    EntryVerdict,
    Kind,
    Reason,
    RecordDraft,
    RetractNote,
    SignNote,
    WriteAddendum,
)
from app.notes.events import NoteRetracted, NoteSigned
from app.notes.reading import load_state, stream_of
from app.notes.retract import Retracted
from app.notes.sign import Signed
from app.resuming import resume_parked
from app.tenants.launches import Launch
from app.tenants.record_launch import record_launch
from app.writebacks.docket import Docket, enter
from app.writebacks.endings import Ending, Person, endings_for
from app.writebacks.handlers import load
from launch.completed import CompletedLaunch
from launch.context import LaunchContext
from launch.grant import Grant
from launch.identity import Identity
from launch.scopes import GrantedScopes
from vendors.entry_values import Content, FollowUp, Problem, Sign, VisitReason, VitalSign

LAUNCH_LASTS = timedelta(hours=12)
TOKEN_LASTS = timedelta(hours=1)
PROPOSED: dict[str, Content] = {
    "vital_sign": VitalSign(sign=Sign.HEART_RATE, value="81", unit="/min"),
    "problem": Problem(name="Chronic cough"),
    "follow_up": FollowUp(what="Chest x-ray"),
    "visit_reason": VisitReason(text="Cough for five weeks"),
}
if set(ENTRIES) != PROPOSED.keys():
    raise TypeError("every kind of entry that a history can name needs something to say")


@dataclass
class Chart:
    """One clinician in one visit: the launches that they made there, and the note that they wrote."""

    visit: Visit
    clinician: str
    entries: tuple[str, ...] = ()
    launches: list[Launch] = field(default_factory=list)
    granted: list[Granted] = field(default_factory=list)
    families: set[str] = field(default_factory=set)
    note_id: NoteId | None = None
    is_signed: bool = False
    writebacks: set[WritebackId] = field(default_factory=set)

    @property
    def launch(self) -> Launch:
        """The newest launch."""
        return self.launches[-1]


class People:
    """The clinicians of one history."""

    def __init__(self, world: World, history: History, name: str) -> None:
        self._world = world
        self.charts = [
            Chart(
                world.ehrs.open_visit(NAMES[note.tenant], f"{name}-p{note.patient}", f"{name}-v{number}"),
                CLINICIANS[note.clinician],
                note.entries,
            )
            for number, note in enumerate(history.notes)
        ]

    def launch(self, chart: Chart, clinician: str = "") -> Launch:
        """Open Countersign in the chart: what waited there for this clinician goes on."""
        world, clinician = self._world, clinician or chart.clinician
        parts = world.parts
        with world.moments.uncounted():
            granted = world.ehrs.grant(chart.visit, clinician)
        self._owns(chart.visit, clinician, granted.family)
        grant = Grant(granted.access_token, granted.refresh_token, parts.clock() + TOKEN_LASTS, GrantedScopes(SCOPE))
        completed = CompletedLaunch(
            tenant_of(chart.visit.ehr),
            world.ehrs.base(chart.visit.ehr),
            Identity(world.ehrs.issuer(chart.visit.ehr), clinician, f"Practitioner/{clinician}", clinician),
            LaunchContext(chart.visit.patient, chart.visit.encounter, need_patient_banner=False),
            grant,
        )
        new = record_launch(parts.database, parts.tenants, parts.grants, completed, parts.clock, LAUNCH_LASTS)
        if clinician == chart.clinician:
            chart.launches.append(new.launch)
            chart.granted.append(granted)
        resume_parked(parts, new.launch)
        return new.launch

    def _owns(self, visit: Visit, clinician: str, family: str) -> None:
        """A signer's grant is theirs for the patient: what waits goes on under it from any visit of the same chart."""
        for other in self.charts:
            same_chart = (other.visit.ehr, other.visit.patient) == (visit.ehr, visit.patient)
            if same_chart and other.clinician == clinician:
                other.families.add(family)

    def sign(self, chart: Chart) -> None:
        """Open the chart if it is not open, draft if there is no draft, and sign what the page shows."""
        parts = self._world.parts
        if not chart.launches:
            self.launch(chart)
        if chart.note_id is None:
            draft = _draft(chart, chart.launch)
            chart.note_id = parts.notes.record_draft(RecordDraft(chart.launch, draft), self._workflow(chart))
        self._approve(chart)
        note = parts.notes.require(chart.launch)
        preview = parts.signing.preview(chart.launch, note)
        command = SignNote(
            chart.launch,
            note.note_id,
            preview.displayed_hash,
            chart.launch.patient,
            chart.launch.encounter or "",
            patient_confirmed=True,
        )
        self._ring(parts.signing.sign(command))
        chart.is_signed = True

    def _approve(self, chart: Chart) -> None:
        """Each proposed entry by itself, before the first signature."""
        note = self._world.parts.notes.require(chart.launch)
        for one in note.review.proposals:
            if not chart.is_signed and not one.to_be_signed:
                which = ((one.proposal.id, one.decision.revision),)
                command = DecideProposals(chart.launch, note.note_id, which, EntryVerdict.APPROVE, confirmed=True)
                self._world.parts.proposals.decide(command)

    def change(self, chart: Chart, doing: Doing) -> None:
        """Correct, add to, retract or take back the signed note, as far as the product allows it now."""
        parts, launch = self._world.parts, chart.launch
        note = parts.notes.require(launch)
        match doing:
            case Doing.TAKE_BACK:
                parts.amendments.cancel(CancelNote(launch, note.note_id))
            case Doing.RETRACT if note.state.signed:
                written = WritebackId(note.state.signed.writeback_id)
                asked = RetractNote(launch, note.note_id, written, Reason.MISTAKE, launch.patient)
                self._ring(parts.retraction.retract(replace(asked, patient_confirmed=True)))
            case Doing.ADD:
                parts.amendments.begin(BeginAmendment(launch, note.note_id, Kind.ADDENDUM, Reason.OMISSION))
                parts.amendments.write(WriteAddendum(launch, note.note_id, "Called the patient; cough is better."))
                self.sign(chart)
            case Doing.CORRECT:
                note = parts.amendments.begin(BeginAmendment(launch, note.note_id, Kind.CORRECTION, Reason.MISTAKE))
                claim = note.review.claims[0]
                text = f"{claim.claim.text} Corrected to {note.state.version} weeks."
                edit = EditClaim(launch, note.note_id, claim.claim.id, claim.decision.revision, text)
                parts.notes.edit_claim(edit)
                self.sign(chart)

    def end(self, chart: Chart, ending: Ending) -> None:
        """Do this about everything of the chart's note that stopped and may be ended so."""
        parts, launch = self._world.parts, chart.launch
        with parts.database.read() as tx:
            signed = sorted(signed_writes(tx, launch.tenant_id, chart))
            states = [(writeback_id, load(tx, launch.tenant_id, writeback_id)) for writeback_id in signed]
        for writeback_id, state in states:
            if ending in endings_for(state, Person.SIGNER):
                parts.stopped.end(
                    launch.tenant_id,
                    writeback_id,
                    ending,
                    Person.SIGNER,
                    actor=launch.actor,
                    launch_id=launch.launch_id,
                )

    def order_again(self, chart: Chart) -> None:
        """The order of the signed note is placed once more, under another write-back: the ledger must refuse it."""
        parts, launch = self._world.parts, chart.launch
        with parts.database.write() as tx:
            signed = load_state(tx, launch.tenant_id, parts.notes.require(launch).note_id).signed
            if signed is None:
                return
            order = load(tx, launch.tenant_id, WritebackId(signed.writeback_id)).queued
            again = new_writeback_id()
            docket = Docket(parts.artifacts, launch.tenant_id, launch.actor, parts.clock())
            partition = docket.queue(again, order, "replayed")
            enter(tx, docket)
        parts.relay.ring(partition)

    def _ring(self, signed: Signed | Retracted) -> None:
        if signed.ring:
            self._world.parts.relay.ring(signed.ring)

    def _workflow(self, chart: Chart) -> str:
        return self._world.parts.tenants.require(tenant_of(chart.visit.ehr)).workflow.id


def signed_writes(tx: Connection, tenant_id: TenantId, chart: Chart) -> set[WritebackId]:
    """The write-backs of every signed version of the chart's note, taken from the log alone."""
    if chart.note_id is None:
        return set()
    events = read_stream(tx, tenant_id, stream_of(chart.note_id))
    ordering = (one.event for one in events if isinstance(one.event, NoteSigned | NoteRetracted))
    return {WritebackId(one) for event in ordering for one in _ordered(event)}


def _ordered(event: NoteSigned | NoteRetracted) -> list[str]:
    """The write of the note's version, and those of the entries that were signed with it."""
    entries = event.entries if isinstance(event, NoteSigned) else ()
    return [event.writeback_id, *(writeback_id for _, writeback_id, _ in entries)]


def _draft(chart: Chart, launch: Launch) -> Draft:
    return Draft(
        drafter="simulated",
        drafter_version="1",
        prompt_version="none",
        template_version="visit-note-1",
        gate_version="gate-1",
        patient=PatientIdentity(
            reference=launch.patient,
            version="1",
            family=chart.visit.patient,
            given="Sim",
            sex="unknown",
            birth_date=date(1970, 1, 1),
            mrn=None,
        ),
        visit=VisitIdentity(
            reference=str(launch.encounter),
            version="1",
            title="Visit",
            start=None,
            end=None,
            organization=None,
        ),
        clinician=ClinicianIdentity(reference=launch.fhir_user, name=chart.clinician),
        claims=(
            Claim(
                id="c001",
                section="hpi",
                text=f"Cough for five weeks, seen in {chart.visit.encounter}.",
                tier=Tier.ROUTINE,
                state=ClaimState.SUPPORTED,
            ),
        ),
        sources=(),
        proposals=tuple(
            Proposal(id=f"p{number:02}", content=PROPOSED[kind], state=ClaimState.SUPPORTED)
            for number, kind in enumerate(chart.entries)
        ),
    )
