"""The proposed entries with the clinician's decisions laid over them. Pure.

Nothing is approved by itself: what nobody decided is not written when the note is signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.drafting.draft import ClaimState, Draft, Proposal
from app.drafting.proposals import finding_of, in_words
from vendors.entry_values import Content, EntryKind


@dataclass(frozen=True)
class ProposalDecision:
    """What the clinician did with one proposal. `content` is None while the draft's own stands."""

    content: Content | None = None
    approved: bool = False
    declined: bool = False
    revision: int = 0


@dataclass(frozen=True)
class ReviewedProposal:
    """One proposal as it stands now."""

    proposal: Proposal
    decision: ProposalDecision
    content: Content
    state: ClaimState
    ask: str

    @property
    def kind(self) -> EntryKind:
        """Which kind of entry it is."""
        return self.proposal.kind

    @property
    def words(self) -> str:
        """The entry in one line."""
        return in_words(self.content)

    @property
    def offered(self) -> bool:
        """False for what the chart already holds: nobody is asked to write it again."""
        return not self.proposal.already or self.changed_by_clinician

    @property
    def changed_by_clinician(self) -> bool:
        """True once the clinician's words replaced the draft's."""
        return self.content != self.proposal.content

    @property
    def to_be_signed(self) -> bool:
        """True when signing the note signs this entry too."""
        return self.decision.approved and self.offered

    @property
    def undecided(self) -> bool:
        """True while nobody approved or declined it."""
        return self.offered and not self.decision.approved and not self.decision.declined

    @property
    def displayed(self) -> list[object]:
        """What is on screen of it, for the displayed hash."""
        return [
            self.proposal.id,
            self.content.model_dump(mode="json"),
            self.state,
            self.decision.approved,
            self.offered,
        ]


def reviewed_proposals(draft: Draft, decisions: Mapping[str, ProposalDecision]) -> tuple[ReviewedProposal, ...]:
    """Every proposal of the draft under these decisions."""
    return tuple(_reviewed(draft, one, decisions.get(one.id, ProposalDecision())) for one in draft.proposals)


def _reviewed(draft: Draft, proposal: Proposal, decision: ProposalDecision) -> ReviewedProposal:
    content = decision.content or proposal.content
    state, ask = proposal.state, proposal.ask
    if content != proposal.content:
        state, ask = finding_of(content, [draft.passage(evidence) for evidence in proposal.evidence])
    return ReviewedProposal(proposal, decision, content, state, ask)
