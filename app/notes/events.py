"""Everything that can happen to a note until it is signed."""

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
