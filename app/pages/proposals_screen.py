"""From the reviewed proposals to what the review, sign and filed pages show of them."""

import re
from collections.abc import Iterator, Mapping

from app.drafting.draft import Draft, Evidence
from app.drafting.entry_fields import choices_of, fields_of
from app.drafting.proposals import in_words
from app.notes.preview import Preview
from app.pages.entry_screens import ProposalsScreen, Quote, ShownEntry, ShownField, ShownProposal
from app.pages.entry_words import CHECKED, KINDS, becomes, becomes_planned
from app.policy.entry_route import EntryLanding
from app.policy.route import Route
from app.policy.tiers import Approval, tier_of
from app.review.proposals import ReviewedProposal
from app.review.review import Review
from vendors.entry_values import EntryKind

AROUND = 60
TIME = re.compile(r"^\s*\[\d{1,2}:\d{2}(?::\d{2})?\]\s*")


def proposals_screen(
    review: Review, landings: Mapping[EntryKind, EntryLanding], *, csrf: str, ehr: str
) -> ProposalsScreen:
    """What the review page shows of the proposals."""
    ordered = sorted(review.proposals, key=lambda one: _tier(one) is not Approval.WITH_NOTE)
    with_note = [one for one in ordered if one.offered and _tier(one) is Approval.WITH_NOTE]
    waiting = [f"{one.proposal.id}:{one.decision.revision}" for one in with_note if one.undecided]
    return ProposalsScreen(
        csrf=csrf,
        proposals=tuple(_shown(review.draft, one, landings[one.kind], ehr) for one in ordered),
        together=tuple(waiting) if len(waiting) > 1 else (),
        together_after=with_note[-1].proposal.id if with_note else "",
        undecided=sum(one.undecided for one in review.proposals),
        approved=sum(one.to_be_signed for one in review.proposals),
    )


def entries_to_sign(preview: Preview, ehr: str) -> tuple[ShownEntry, ...]:
    """What the sign page lists: exactly what is written, and what is left to be entered by hand."""
    return tuple(
        ShownEntry(plan.reviewed.words, KINDS[plan.reviewed.kind], becomes_planned(plan, ehr), _by_hand(plan.landing))
        for plan in preview.entries
    )


def _shown(draft: Draft, one: ReviewedProposal, landing: EntryLanding, ehr: str) -> ShownProposal:
    proposal = one.proposal
    return ShownProposal(
        id=proposal.id,
        words=one.words,
        kind=KINDS[one.kind],
        standing=_standing(one),
        revision=one.decision.revision,
        becomes=becomes(one.kind, landing, ehr),
        by_hand=_by_hand(landing),
        ask=one.ask,
        beside=proposal.beside,
        already=proposal.already,
        was=in_words(proposal.content) if one.changed_by_clinician else "",
        confirm=CHECKED if _tier(one) is Approval.EACH_CONFIRMED else "",
        quotes=tuple(_quotes(draft, proposal.evidence)) if _standing(one) in ("offered", "approved") else (),
        fields=tuple(_fields(one)),
    )


def _standing(one: ReviewedProposal) -> str:
    if not one.offered:
        return "already"
    if one.decision.approved:
        return "approved"
    return "declined" if one.decision.declined else "offered"


def _by_hand(landing: EntryLanding) -> bool:
    return landing.route is not Route.FILE


def _tier(one: ReviewedProposal) -> Approval:
    return tier_of(one.kind, one.state)


def _quotes(draft: Draft, evidence: tuple[Evidence, ...]) -> Iterator[Quote]:
    for cited in evidence:
        source = draft.source(cited.source_id)
        yield Quote(
            cited.label or source.title,
            _before(source.text[: cited.start].rpartition("\n")[2]),
            draft.passage(cited),
            _after(source.text[cited.end :].partition("\n")[0]),
        )


def _before(line: str) -> str:
    """The end of what was said before, without the time, which the label says already."""
    said = TIME.sub("", line).lstrip()
    return said if len(said) <= AROUND else "…" + said[-AROUND:].partition(" ")[2]


def _after(line: str) -> str:
    said = line.rstrip()
    return said if len(said) <= AROUND else said[:AROUND].rpartition(" ")[0] + "…"


def _fields(one: ReviewedProposal) -> Iterator[ShownField]:
    values = one.content.model_dump(mode="json")
    for field in fields_of(one.content):
        choices = choices_of(one.content) if field.written_as == "choice" else ()
        if field.written_as != "choice" or len(choices) > 1:
            yield ShownField(field.name, field.label, field.written_as, str(values[field.name] or ""), choices)
