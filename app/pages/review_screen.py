"""From a reviewed note to the review page: sections, lines, numbered evidence, what needs attention."""

from collections.abc import Iterator
from datetime import datetime
from itertools import count

from app.drafting.draft import Draft, SourceKind
from app.drafting.draft import Evidence as DraftEvidence
from app.drafting.template import SECTIONS
from app.pages.entry_screens import ProposalsScreen
from app.pages.screens import Choice, Claim, Evidence, Landing, ReviewScreen, Section
from app.pages.words import STATE_WORDS, attention, banner
from app.review.review import Review, ReviewedClaim

AROUND = 120
MOST_SHOWN = 3


def review_screen(
    review: Review,
    *,
    launch_id: str,
    csrf: str,
    landing: Landing,
    now: datetime,
    proposals: ProposalsScreen | None = None,
    correcting: str = "",
) -> ReviewScreen:
    """Everything that the review page shows."""
    needs = attention(review)
    needed = [claim for claim in review.claims if claim.needed_decision]
    return ReviewScreen(
        launch_id=launch_id,
        csrf=csrf,
        banner=banner(review.draft, now),
        landing=landing,
        attention=needs[:MOST_SHOWN],
        attention_total=len(needs),
        sections=tuple(_sections(review)),
        settled=sum(not claim.open for claim in needed),
        to_settle=len(needed),
        unread=review.draft.unread,
        drafted_by=_drafted_by(review.draft),
        proposals=proposals,
        correcting=correcting,
    )


def claims_of(review: Review) -> dict[str, Claim]:
    """Every line of the page by its id; evidence is numbered through the page."""
    numbers = count(1)
    return {claim.claim.id: _claim(review.draft, claim, numbers) for claim in review.claims}


def _sections(review: Review) -> Iterator[Section]:
    shown = claims_of(review)
    for section in SECTIONS:
        mine = tuple(shown[claim.claim.id] for claim in review.claims if claim.claim.section == section.id)
        if mine:
            yield Section(section.id, section.title, mine)


def _claim(draft: Draft, reviewed: ReviewedClaim, numbers: Iterator[int]) -> Claim:
    claim = reviewed.claim
    return Claim(
        id=claim.id,
        text=reviewed.text,
        ai_text=claim.text,
        state=reviewed.finding.state,
        state_words=STATE_WORDS[reviewed.finding.state],
        written_by="clinician" if reviewed.written_by_clinician else "ai",
        tier=claim.tier,
        open=reviewed.open,
        ask=reviewed.ask if reviewed.open else "",
        decision=_decision(reviewed),
        removed=reviewed.decision.removed,
        revision=reviewed.decision.revision,
        evidence=tuple(_evidence(draft, evidence, next(numbers)) for evidence in claim.evidence),
        choices=tuple(Choice(choice.label, choice.text) for choice in reviewed.choices),
    )


def _decision(reviewed: ReviewedClaim) -> str:
    if reviewed.decision.removed:
        return "removed"
    if reviewed.decision.confirmed:
        return "confirmed"
    return "edited" if reviewed.written_by_clinician else ""


def _evidence(draft: Draft, evidence: DraftEvidence, number: int) -> Evidence:
    source = draft.source(evidence.source_id)
    version = f", version {source.version}" if source.version else ""
    return Evidence(
        number=number,
        kind=source.kind,
        source=evidence.label or source.title,
        # The transcript is one document, named by the label already; its id says nothing more to a reader.
        reference="" if source.kind is SourceKind.TRANSCRIPT else f"{source.reference}{version}",
        before=_before(source.text, evidence.start),
        quote=source.text[evidence.start : evidence.end],
        after=_after(source.text, evidence.end),
        differs=evidence.differs,
        note=evidence.note,
    )


def _before(text: str, start: int) -> str:
    if start <= AROUND:
        return text[:start].lstrip()
    return "…" + text[start - AROUND : start].partition(" ")[2]


def _after(text: str, end: int) -> str:
    if len(text) <= end + AROUND:
        return text[end:].rstrip()
    return text[end : end + AROUND].rpartition(" ")[0] + "…"


def _drafted_by(draft: Draft) -> str:
    entries = sum(source.kind is SourceKind.CHART for source in draft.sources)
    has_transcript = any(source.kind is SourceKind.TRANSCRIPT for source in draft.sources)
    read = "the visit transcript and " if has_transcript else ""
    noun = "chart entry" if entries == 1 else "chart entries"
    return f"Drafted by {draft.drafter} {draft.drafter_version} from {read}{entries} {noun}."
