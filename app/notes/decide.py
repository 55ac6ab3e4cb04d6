"""What a command does to a note: (state, command) to events. Pure; refusals are exceptions named by the next move."""

from app.errors import Refused, StaleEdit
from app.event_log.event import ArtifactRef, Event
from app.notes.commands import ChangeProposal, DecideClaim, DecideProposals, EntryVerdict, Verdict
from app.notes.events import (
    ClaimConfirmed,
    ClaimEdited,
    ClaimRemoved,
    ClaimRestored,
    ProposalApproved,
    ProposalChanged,
    ProposalDeclined,
    ProposalReopened,
)
from app.notes.state import REVIEWING, NoteState
from app.policy.tiers import Approval, tier_of
from app.review.proposals import ReviewedProposal


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
    if not state.lines_may_change:
        raise Refused("This note is signed; its text no longer changes.", "Open the note to see where it stands.")
    if state.mark(claim_id).revision != revision:
        raise StaleEdit(
            "This line was changed in another window after it was shown here.",
            "Compare the two versions and keep the one you want.",
        )


def decide_proposals(
    state: NoteState, proposals: tuple[ReviewedProposal, ...], command: DecideProposals
) -> tuple[Event, ...]:
    """The events that record one verdict on the named proposals, all of them or none.

    Raises `StaleEdit`, and `Refused` for an approval that these proposals do not allow: several at once where each
    wants its own, one that has to be confirmed and was not, one that the chart already holds.
    """
    known = {one.proposal.id: one for one in proposals}
    for proposal_id, revision in command.proposals:
        _may_decide(state, proposal_id, revision)
    if command.verdict is EntryVerdict.APPROVE:
        _may_approve([known[proposal_id] for proposal_id, _ in command.proposals], confirmed=command.confirmed)
    return tuple(_decided(proposal_id, command) for proposal_id, _ in command.proposals)


def change_proposal(state: NoteState, command: ChangeProposal, content: ArtifactRef) -> Event:
    """The event that records a changed entry. Raises `StaleEdit` or `Refused` as above."""
    _may_decide(state, command.proposal_id, command.revision)
    return ProposalChanged(proposal_id=command.proposal_id, content=content)


def _decided(proposal_id: str, command: DecideProposals) -> Event:
    match command.verdict:
        case EntryVerdict.APPROVE:
            return ProposalApproved(proposal_id=proposal_id, confirmed=command.confirmed)
        case EntryVerdict.DECLINE:
            return ProposalDeclined(proposal_id=proposal_id)
        case EntryVerdict.REOPEN:
            return ProposalReopened(proposal_id=proposal_id)


def _may_decide(state: NoteState, proposal_id: str, revision: int) -> None:
    if state.stage not in REVIEWING:
        raise Refused("This note is signed; what was approved with it stands.", "Open the note to see where it stands.")
    if state.proposal_mark(proposal_id).revision != revision:
        raise StaleEdit(
            "This entry was decided or changed in another window after it was shown here.",
            "Look at it again, then decide.",
        )


def _may_approve(chosen: list[ReviewedProposal], *, confirmed: bool) -> None:
    tiers = {tier_of(one.kind, one.state) for one in chosen}
    if not all(one.offered for one in chosen):
        raise Refused("The chart already holds this.", "There is nothing to approve.")
    if len(chosen) > 1 and tiers != {Approval.WITH_NOTE}:
        raise Refused("These cannot be approved together.", "Approve each of them by itself.")
    if Approval.EACH_CONFIRMED in tiers and not confirmed:
        raise Refused("This one needs your confirmation.", "Check it, tick the box beside it, and approve it again.")
