"""What the clinician sees and would sign: the draft with the clinician's decisions laid over it. Pure.

A decision never changes the draft. The displayed hash covers everything that is on screen, so that signing can be
refused when what would be signed is not what was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.drafting.draft import Choice, Claim, ClaimState, Draft, Finding, Tier
from app.drafting.gate import recheck
from app.event_log.canonical import canonical_json, digest
from app.review.proposals import ProposalDecision, ReviewedProposal, reviewed_proposals

NEVER_TOUCHED = 0


@dataclass(frozen=True)
class Decision:
    """What the clinician did with one claim. `text` is None while the AI's own words stand."""

    text: str | None = None
    confirmed: bool = False
    removed: bool = False
    revision: int = NEVER_TOUCHED


@dataclass(frozen=True)
class ReviewedClaim:
    """One claim as it stands now."""

    claim: Claim
    decision: Decision
    text: str
    finding: Finding

    @property
    def written_by_clinician(self) -> bool:
        """True once the clinician's words replaced the AI's."""
        return self.decision.text is not None and self.decision.text != self.claim.text

    @property
    def open(self) -> bool:
        """True while the clinician must still confirm, change or remove it."""
        if self.decision.removed or self.decision.confirmed or not self.text.strip():
            return False
        if self.written_by_clinician:
            # The clinician's own words need no source, but a dose against the chart is asked about again.
            return self.finding.against_chart
        return bool(self.ask)

    @property
    def ask(self) -> str:
        """Why it is open, in words; empty when nothing is asked."""
        if self.written_by_clinician:
            return self.finding.ask
        return self.finding.ask or self.claim.ask

    @property
    def needed_decision(self) -> bool:
        """True for a claim that had to be decided, whether it has been or not."""
        return self.open or bool(self.claim.ask)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Texts that would settle it in one step."""
        return self.finding.choices if self.open else ()

    @property
    def in_note(self) -> bool:
        """True when its text will be part of the signed note."""
        return not self.decision.removed and bool(self.text.strip())


@dataclass(frozen=True)
class Review:
    """The whole note as it stands now."""

    draft: Draft
    claims: tuple[ReviewedClaim, ...]
    proposals: tuple[ReviewedProposal, ...] = ()

    @property
    def open_claims(self) -> tuple[ReviewedClaim, ...]:
        """What still needs the clinician, most important first."""
        return tuple(sorted((claim for claim in self.claims if claim.open), key=_urgency))

    @property
    def displayed_hash(self) -> str:
        """SHA-256 over what is displayed: for whom, for which visit, every claim's text and standing."""
        shown = [
            [claim.claim.id, claim.claim.section, claim.text, claim.finding.state, claim.decision.confirmed]
            for claim in self.claims
            if not claim.decision.removed
        ]
        visit = self.draft.visit.reference if self.draft.visit else ""
        displayed = [self.draft.patient.reference, visit, self.draft.clinician.reference, shown]
        if self.proposals:
            displayed.append([one.displayed for one in self.proposals])
        return digest(canonical_json(displayed))


def review(
    draft: Draft, decisions: Mapping[str, Decision], on_proposals: Mapping[str, ProposalDecision] = MappingProxyType({})
) -> Review:
    """The draft under these decisions."""
    claims = tuple(_reviewed(draft, claim, decisions.get(claim.id, Decision())) for claim in draft.claims)
    return Review(draft, claims, reviewed_proposals(draft, on_proposals))


def _reviewed(draft: Draft, claim: Claim, decision: Decision) -> ReviewedClaim:
    text = claim.text if decision.text is None else decision.text
    finding = Finding(state=claim.state, ask=claim.ask, choices=claim.choices)
    if text != claim.text:
        finding = recheck(draft, claim, text)
    return ReviewedClaim(claim, decision, text, finding)


def _urgency(claim: ReviewedClaim) -> tuple[int, str]:
    order = (ClaimState.CONTRADICTED, ClaimState.UNSUPPORTED)
    rank = order.index(claim.finding.state) if claim.finding.state in order else len(order)
    return (rank if claim.claim.tier is Tier.HIGH else rank + 1, claim.claim.id)
