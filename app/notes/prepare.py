"""From a launch to a recorded draft: read the chart under the clinician's token, draft, keep."""

from app.db import Database
from app.drafting.draft import ClinicianIdentity
from app.drafting.drafter import Drafter
from app.drafting.from_chart import visit_material
from app.drafting.proposals import rechecked
from app.errors import NeedsSignIn, ReadOnly, Refused, TryAgain
from app.ids import NoteId
from app.notes.commands import RecordDraft
from app.notes.handlers import NoteCommands
from app.notes.workflow import workflow_for
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch
from app.tenants.registrations import Phase, Tenant, Workflow
from app.tenants.rollout import phase_in_force
from vendors.chart import Chart
from vendors.errors import NotAuthorized, NotFound, TokenRefused, VendorError

NOTHING_LOST = "Nothing was changed. Try again; if it happens again, tell your administrator."


class Preparation:
    """Makes the draft of a launch's visit."""

    def __init__(self, database: Database, ehrs: EHRs, notes: NoteCommands, drafter: Drafter) -> None:
        self._database = database
        self._ehrs = ehrs
        self._notes = notes
        self._drafter = drafter

    def prepare(self, launch: Launch) -> NoteId:
        """The note of this launch's chart and visit, made if there is none. A draft that exists is never replaced.

        Raises `TryAgain` when the EHR gives no usable answer, `NeedsSignIn` when it refuses the token, and `ReadOnly`
        when the visit's workflow may not draft.
        """
        known = self._notes.find(launch)
        if known:
            return known.note_id
        tenant = self._ehrs.tenant(launch.tenant_id)
        self._require_drafting(tenant, *tenant.workflows)  # where nothing may be drafted, no chart is read either
        chart = self._read(launch)
        if launch.encounter and chart.visit is None:
            raise TryAgain("The EHR did not tell about the visit that this chart was opened in.", NOTHING_LOST)
        if chart.visit and chart.visit.subject != chart.patient.reference:
            raise Refused(
                "The visit that this chart was opened in belongs to another patient.",
                "Close Countersign, open the right visit in the EHR and start again.",
            )
        workflow = workflow_for(tenant, chart.visit)
        self._require_drafting(tenant, workflow)
        material = visit_material(chart, clinician_of(launch, chart), tenant.transcript_type)
        draft = rechecked(self._drafter.draft(material), material)
        return self._notes.record_draft(RecordDraft(launch, draft), workflow.id)

    def _require_drafting(self, tenant: Tenant, *workflows: Workflow) -> None:
        """Raises `ReadOnly` unless one of these workflows may draft."""
        with self._database.read() as tx:
            if any(phase_in_force(tx, tenant, one.id).allows(Phase.DRAFT_ONLY) for one in workflows):
                return
        raise ReadOnly("Your organisation lets Countersign only read charts in this workflow for now.")

    def _read(self, launch: Launch) -> Chart:
        transport = self._ehrs.under_grant_of(launch.tenant_id, launch.launch_id, correlation_id=launch.launch_id[:16])
        encounter = launch.encounter.removeprefix("Encounter/") if launch.encounter else None
        patient = launch.patient.removeprefix("Patient/")
        try:
            return self._ehrs.adapter(launch.tenant_id).read_chart(transport, patient, encounter, launch.fhir_user)
        except VendorError as error:
            raise as_answer(error) from error


def as_answer(error: VendorError) -> TryAgain | NeedsSignIn:
    """What a failed read means for the person at the screen."""
    match error:
        case TokenRefused():
            return NeedsSignIn("The EHR does not accept your sign-in any more.")
        case NotAuthorized():
            return TryAgain("The EHR did not allow Countersign to read this chart.", NOTHING_LOST)
        case NotFound():
            return TryAgain("The EHR does not know this patient or visit any more.", "Start again from the chart.")
        case _:
            return TryAgain("The EHR gave no usable answer.", NOTHING_LOST)


def clinician_of(launch: Launch, chart: Chart) -> ClinicianIdentity:
    """Who signs: the launch's own user, by the name that the chart has for them, else by that of the sign-in.

    Raises `TryAgain` when neither names them: a signature needs a printed name.
    """
    name = chart.clinician.name if chart.clinician else launch.user_name
    if not name:
        raise TryAgain("The EHR did not tell the name of the clinician who signed in.", NOTHING_LOST)
    return ClinicianIdentity(reference=launch.fhir_user, name=name)
