"""The words for changing a signed note: what is offered, why one does it, and where a retraction stands."""

from collections.abc import Mapping

from app.notes.commands import Kind, Reason
from app.pages.status import STOPPED
from app.policy.mutation import Asked
from app.writebacks.state import Stage, WritebackState

OFFERS: Mapping[Asked, str] = {
    Asked.CORRECT: "Correct it",
    Asked.ADD: "Add to it",
    Asked.RETRACT: "Retract it",
    Asked.TAKE_BACK: "Take it back",
}
KINDS: Mapping[Kind, str] = {Kind.CORRECTION: "Correct this note", Kind.ADDENDUM: "Add to this note"}
VERSIONS: Mapping[str, str] = {"note": "Note", Kind.CORRECTION: "Correction", Kind.ADDENDUM: "Addendum"}
REASONS: Mapping[Reason, str] = {
    Reason.MISTAKE: "Something in it is wrong",
    Reason.OMISSION: "Something was left out",
    Reason.NEW_INFORMATION: "Something became known afterwards",
    Reason.PATIENT_REQUEST: "The patient asked for it",
    Reason.WRONG_PATIENT: "It is about another patient",
    Reason.WRONG_VISIT: "It belongs to another visit",
    Reason.DUPLICATE: "It was written twice",
    Reason.REPLACED: "A later version takes its place",
}
# Which reasons each page offers, the commonest first; what is about another patient is retracted, never corrected.
TO_CORRECT = (Reason.MISTAKE, Reason.OMISSION, Reason.NEW_INFORMATION, Reason.PATIENT_REQUEST)
TO_ADD = (Reason.OMISSION, Reason.NEW_INFORMATION, Reason.PATIENT_REQUEST)
TO_RETRACT = (Reason.WRONG_PATIENT, Reason.WRONG_VISIT, Reason.DUPLICATE, Reason.MISTAKE)
TO_RETRACT_EARLIER = (Reason.REPLACED, *TO_RETRACT)
# The sentences about the write that retracts a note.
RETRACTING: Mapping[Stage, str] = {
    Stage.QUEUED: "You retracted this note. Waiting to tell {ehr}.",
    Stage.SENDING: "{ehr} is being told that this note was entered in error.",
    Stage.OUTCOME_UNKNOWN: "{ehr} did not confirm. Countersign is looking in the chart before it does anything else.",
    Stage.FILED: "{ehr} took it. Countersign is reading the note back to check it.",
    Stage.VERIFIED: "Retracted. The note is marked in {ehr} as entered in error; this was read back.",
    Stage.DRIFTED: "You retracted this note, but {ehr} holds it in another way. Please look there: {differences}.",
    Stage.REJECTED: "{ehr} refused to mark the note as entered in error. It stands in the chart. Do it in {ehr}.",
    Stage.PARKED: "You retracted this note. {parked}",
    Stage.CANCELLED: "The retraction was stopped before it was sent. The note stands in the chart.",
    Stage.SUPERSEDED: "Retracted.",
    Stage.OVERRIDDEN: "You retracted this note, and it was changed in {ehr} afterwards. What stands there now counts.",
    Stage.MISSING: "You retracted this note, and {ehr} does not show it any more. Look in the chart.",
    Stage.SETTLED: "A person looked at this retraction and ended it.",
    Stage.AWAITING_COPY: "You retracted this note. Mark it as entered in error in {ehr} yourself.",
    Stage.COPIED: "Retracted in {ehr} by you.",
}
RETRACTED_PLACE = "{ehr}: retracted by you"
RETRACTION_STOPPED_PLACE = "{ehr}: retracted by you, and that has stopped; look in the chart"

if OFFERS.keys() != set(Asked) or REASONS.keys() != set(Reason):
    raise TypeError("every change of a note, and every reason for one, needs its words")
if KINDS.keys() != set(Kind) or RETRACTING.keys() != set(Stage):
    raise TypeError("every kind of change, and every stage of a retraction, needs its words")


def retracted_place(retraction: WritebackState, *, put_aside: bool) -> str:
    """The header's line of a note that was retracted, still with `{ehr}` in it; a retraction that stopped is none yet.

    Where only its Provenance has stopped, the note itself is marked in the chart.
    """
    is_filed = retraction.stage is Stage.VERIFIED or retraction.parked_from is Stage.VERIFIED
    stopped = (put_aside or retraction.stage in STOPPED) and not is_filed
    return RETRACTION_STOPPED_PLACE if stopped else RETRACTED_PLACE
