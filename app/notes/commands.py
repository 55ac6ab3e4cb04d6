"""Everything that can be asked of a note."""

from dataclasses import dataclass
from enum import StrEnum

from app.drafting.draft import Draft
from app.ids import NoteId
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
