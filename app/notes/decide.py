"""What a command does to a note: (state, command) to events. Pure; refusals are exceptions named by the next move."""

from app.errors import Refused, StaleEdit
from app.event_log.event import ArtifactRef, Event
from app.notes.commands import DecideClaim, Verdict
from app.notes.events import ClaimConfirmed, ClaimEdited, ClaimRemoved, ClaimRestored
from app.notes.state import REVIEWING, NoteState


def edit_claim(state: NoteState, claim_id: str, revision: int, text: ArtifactRef) -> Event:
    """The event that records an edit. Raises `StaleEdit` when another tab changed the claim since it was displayed."""
    _may_change(state, claim_id, revision)
    return ClaimEdited(claim_id=claim_id, text=text)


def decide_claim(state: NoteState, command: DecideClaim) -> Event:
    """The event that records a confirmation, a removal or a restoration."""
    _may_change(state, command.claim_id, command.revision)
    return {
        Verdict.CONFIRM: ClaimConfirmed(claim_id=command.claim_id),
        Verdict.REMOVE: ClaimRemoved(claim_id=command.claim_id),
        Verdict.RESTORE: ClaimRestored(claim_id=command.claim_id),
    }[command.verdict]


def _may_change(state: NoteState, claim_id: str, revision: int) -> None:
    if state.stage not in REVIEWING:
        raise Refused("This note is signed; its text no longer changes.", "Open the note to see where it stands.")
    if state.mark(claim_id).revision != revision:
        raise StaleEdit(
            "This line was changed in another window after it was shown here.",
            "Compare the two versions and keep the one you want.",
        )
