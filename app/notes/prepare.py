"""From a launch to a recorded draft: read the chart under the clinician's token, draft, keep."""

from app.drafting.draft import ClinicianIdentity
from app.drafting.drafter import Drafter
from app.drafting.from_chart import visit_material
from app.errors import NeedsSignIn, Refused, TryAgain
from app.ids import NoteId
from app.notes.commands import RecordDraft
from app.notes.handlers import NoteCommands
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch
from vendors.chart import Chart, read_chart
from vendors.errors import NotAuthorized, NotFound, TokenRefused, VendorError

NOTHING_LOST = "Nothing was changed. Try again; if it happens again, tell your administrator."


class Preparation:
    """Makes the draft of a launch's visit."""

    def __init__(self, ehrs: EHRs, notes: NoteCommands, drafter: Drafter) -> None:
        self._ehrs = ehrs
        self._notes = notes
        self._drafter = drafter

    def prepare(self, launch: Launch) -> NoteId:
        """The note of this launch's chart and visit, made if there is none. A draft that exists is never replaced.

        Raises `TryAgain` when the EHR gives no usable answer, and `NeedsSignIn` when it refuses the token.
        """
        known = self._notes.find(launch)
        if known:
            return known.note_id
        tenant = self._ehrs.tenant(launch.tenant_id)
        chart = self._read(launch)
        if launch.encounter and chart.visit is None:
            raise TryAgain("The EHR did not tell about the visit that this chart was opened in.", NOTHING_LOST)
        if chart.visit and chart.visit.subject != chart.patient.reference:
            raise Refused(
                "The visit that this chart was opened in belongs to another patient.",
                "Close Countersign, open the right visit in the EHR and start again.",
            )
        material = visit_material(chart, clinician_of(launch, chart), tenant.transcript_type)
        return self._notes.record_draft(RecordDraft(launch, self._drafter.draft(material)), tenant.workflow.id)

    def _read(self, launch: Launch) -> Chart:
        transport = self._ehrs.under_grant_of(launch.tenant_id, launch.launch_id, correlation_id=launch.launch_id[:16])
        encounter = launch.encounter.removeprefix("Encounter/") if launch.encounter else None
        try:
            return read_chart(transport, launch.patient.removeprefix("Patient/"), encounter, launch.fhir_user)
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
