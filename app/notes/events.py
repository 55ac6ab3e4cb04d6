"""Everything that can happen to a note: until it is signed, and when what was signed is changed."""

from typing import ClassVar

from app.event_log.event import ArtifactRef, Event


class DraftRecorded(Event):
    """The AI original was kept, with the versions of everything that made it."""

    tag: ClassVar[str] = "note:draft:recorded"

    launch_id: str
    patient: str
    encounter: str | None
    author_issuer: str
    author_subject: str
    author: str
    workflow: str
    draft: ArtifactRef
    claims: int
    drafter: str
    drafter_version: str
    prompt_version: str
    template_version: str
    gate_version: str
    sources: tuple[tuple[str, str | None], ...]


class ClaimEdited(Event):
    """The clinician's words took the place of a claim's text."""

    tag: ClassVar[str] = "note:claim:edited"

    claim_id: str
    text: ArtifactRef


class ClaimConfirmed(Event):
    """The clinician confirmed one claim as it was displayed."""

    tag: ClassVar[str] = "note:claim:confirmed"

    claim_id: str


class ClaimRemoved(Event):
    """The clinician struck one claim out."""

    tag: ClassVar[str] = "note:claim:removed"

    claim_id: str


class ClaimRestored(Event):
    """The clinician put a claim back as the AI wrote it, undecided."""

    tag: ClassVar[str] = "note:claim:restored"

    claim_id: str


class NoteSigned(Event):
    """The launch's own user signed what was displayed."""

    tag: ClassVar[str] = "note:signed"

    launch_id: str
    note_version: int
    displayed_hash: str
    snapshot: ArtifactRef
    text_digest: str
    meaning: str
    policy_version: str
    writeback_id: str
    patient_confirmed: bool = False
    # What this signature is about: the note itself, a correction of it, or an addendum to it, and why.
    kind: str = "note"
    reason: str = ""
    # What was signed with it: proposal, write-back and resource type of each entry; and what was left undecided.
    entries: tuple[tuple[str, str, str], ...] = ()
    lapsed: tuple[str, ...] = ()


class AmendmentBegun(Event):
    """The signer began to correct the signed note, or to add to it. Nothing of it leaves before it is signed too."""

    tag: ClassVar[str] = "note:amendment:begun"

    launch_id: str
    kind: str
    reason: str


class AddendumWritten(Event):
    """The text that the signer wants to add, as far as it is written."""

    tag: ClassVar[str] = "note:addendum:written"

    text: ArtifactRef


class AmendmentDropped(Event):
    """The signer gave the change up. The note stands as it was signed."""

    tag: ClassVar[str] = "note:amendment:dropped"


class NoteRetracted(Event):
    """The signer declared the filed note entered in error. Version numbers count retractions too."""

    tag: ClassVar[str] = "note:retracted"

    launch_id: str
    note_version: int
    retracts: str
    reason: str
    writeback_id: str
    patient_confirmed: bool = False


class ProposalApproved(Event):
    """The clinician approved one structured entry as it was displayed; it is written when the note is signed.

    `confirmed`: the clinician said once more that it was checked.
    """

    tag: ClassVar[str] = "note:proposal:approved"

    proposal_id: str
    confirmed: bool = False


class ProposalDeclined(Event):
    """The clinician does not want this entry written."""

    tag: ClassVar[str] = "note:proposal:declined"

    proposal_id: str


class ProposalReopened(Event):
    """The clinician took the decision on an entry back."""

    tag: ClassVar[str] = "note:proposal:reopened"

    proposal_id: str


class ProposalChanged(Event):
    """The clinician's words and figures took the place of an entry's; it is to be approved anew."""

    tag: ClassVar[str] = "note:proposal:changed"

    proposal_id: str
    content: ArtifactRef
