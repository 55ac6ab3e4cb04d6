"""Everything that can be asked of a note."""

from dataclasses import dataclass
from enum import StrEnum

from app.drafting.draft import Draft
from app.ids import NoteId, WritebackId
from app.tenants.launches import Launch


class Verdict(StrEnum):
    """What a clinician may say about one claim without rewriting it."""

    CONFIRM = "confirm"
    REMOVE = "remove"
    RESTORE = "restore"


@dataclass(frozen=True)
class RecordDraft:
    """Keep this draft as the note of this launch's patient, visit and clinician."""

    launch: Launch
    draft: Draft


@dataclass(frozen=True)
class EditClaim:
    """Replace the text of a claim whose last displayed revision is `revision`."""

    launch: Launch
    note_id: NoteId
    claim_id: str
    revision: int
    text: str


@dataclass(frozen=True)
class DecideClaim:
    """Confirm, remove or restore a claim whose last displayed revision is `revision`."""

    launch: Launch
    note_id: NoteId
    claim_id: str
    revision: int
    verdict: Verdict


class Kind(StrEnum):
    """What a change of a signed note is."""

    CORRECTION = "correction"
    ADDENDUM = "addendum"


class Reason(StrEnum):
    """Why a signed note is changed: a closed list, told to the reader of the chart."""

    MISTAKE = "mistake"
    OMISSION = "omission"
    NEW_INFORMATION = "new_information"
    PATIENT_REQUEST = "patient_request"
    WRONG_PATIENT = "wrong_patient"
    WRONG_VISIT = "wrong_visit"
    DUPLICATE = "duplicate"
    REPLACED = "replaced"


@dataclass(frozen=True)
class BeginAmendment:
    """Begin to correct the signed note, or to add to it."""

    launch: Launch
    note_id: NoteId
    kind: Kind
    reason: Reason


@dataclass(frozen=True)
class WriteAddendum:
    """Keep the text of the addendum as it now stands."""

    launch: Launch
    note_id: NoteId
    text: str


@dataclass(frozen=True)
class DropAmendment:
    """Give the change up."""

    launch: Launch
    note_id: NoteId


@dataclass(frozen=True)
class RetractNote:
    """Declare the filed note entered in error; patient and visit as the page named them."""

    launch: Launch
    note_id: NoteId
    writeback_id: WritebackId
    reason: Reason
    patient: str
    patient_confirmed: bool = False


@dataclass(frozen=True)
class CancelNote:
    """Take the signed note back before anything of it has left."""

    launch: Launch
    note_id: NoteId


@dataclass(frozen=True)
class SignNote:
    """Sign what was displayed: its hash, and the patient and visit that the sign page named.

    `patient_confirmed`: the clinician ticked the patient's name on that page.
    """

    launch: Launch
    note_id: NoteId
    displayed_hash: str
    patient: str
    encounter: str
    patient_confirmed: bool = False


class EntryVerdict(StrEnum):
    """What a clinician may say about one proposed entry."""

    APPROVE = "approve"
    DECLINE = "decline"
    REOPEN = "reopen"


@dataclass(frozen=True)
class DecideProposals:
    """Decide proposals as they were last displayed: (id, revision) of each. More than one: only what may go together.

    `confirmed`: the box "I checked this" was ticked.
    """

    launch: Launch
    note_id: NoteId
    proposals: tuple[tuple[str, int], ...]
    verdict: EntryVerdict
    confirmed: bool = False


@dataclass(frozen=True)
class ChangeProposal:
    """Replace fields of a proposal whose last displayed revision is `revision`."""

    launch: Launch
    note_id: NoteId
    proposal_id: str
    revision: int
    fields: tuple[tuple[str, str], ...]
