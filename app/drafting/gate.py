"""The deterministic gate: whether the cited evidence carries what the text says.

It runs on every claim of a draft and again on every edit. It needs no model, and it never says "supported" for want
of a reason to say something else: no evidence is unsupported, an unreadable text is unsupported.
"""

import re

from app.drafting.doses import DoseDifference, dose_difference
from app.drafting.draft import Choice, Claim, ClaimState, Draft, Evidence, Finding
from app.drafting.material import Entry
from app.drafting.spoken_numbers import numbers_in

GATE_VERSION = "gate-1"
WORD = re.compile(r"[^\W\d_]{3,}")
SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)
NEGATION = re.compile(r"\b(no|not|denies|denied|without|never|none|negative)\b|n['\u2019]t\b", re.IGNORECASE)
# Words that a note adds around what was said; they need no source of their own.
FRAME = frozenset(
    {
        "the", "and", "for", "with", "that", "this", "was", "were", "are", "has", "have", "had", "his", "her",
        "she", "him", "they", "patient", "reports", "reported", "states", "denies", "denied", "asked", "answered",
        "about", "clinician", "visit", "from", "will", "been", "also",
    }
)  # fmt: skip
ENOUGH_SHARED = 0.6


def check(text: str, passages: list[str], medications: list[Entry]) -> Finding:
    """The gate's finding for `text`, given the cited passages and the charted medications."""
    if not text.strip():
        return Finding(state=ClaimState.LEFT_BLANK)
    if not passages:
        return Finding(
            state=ClaimState.UNSUPPORTED,
            ask="No source was found for this. Confirm it, change it or remove it.",
        )
    difference = dose_difference(text, medications)
    if difference and not difference.is_change:
        return Finding(
            state=ClaimState.CONTRADICTED,
            ask=f"The dose differs from the chart: {difference.said} here, {difference.charted} in the chart.",
            choices=(_the_charts(text, difference),),
            against_chart=True,
        )
    missing = _missing(text, " ".join(passages))
    state = ClaimState.UNSUPPORTED if missing else ClaimState.SUPPORTED
    if difference:
        # A change of dose is no contradiction, but nobody should sign one without having looked at both figures.
        ask = f"{missing} The chart says {difference.charted}; here it is {difference.said}. Confirm it or change it."
        return Finding(state=state, ask=ask.strip(), against_chart=True)
    return Finding(state=state, ask=f"{missing} Confirm it, change it or remove it." if missing else "")


def recheck(draft: Draft, claim: Claim, text: str) -> Finding:
    """The finding for an edited text, against the evidence that the claim already cites."""
    passages = [draft.passage(evidence) for evidence in claim.evidence if not evidence.differs]
    return check(text, passages, charted_medications(draft))


def charted_medications(draft: Draft) -> list[Entry]:
    """The medications that the draft's own sources list."""
    return [
        Entry(source, "medication", source.title, "", in_this_visit=False)
        for source in draft.sources
        if source.reference.startswith(("MedicationRequest/", "MedicationStatement/"))
    ]


def contradicting_evidence(text: str, medications: list[Entry]) -> Evidence | None:
    """The chart passage that says another dose than `text`, to be shown beside it."""
    found = dose_difference(text, medications)
    if found is None:
        return None
    source = found.entry.source
    note = f"chart says {found.charted}"
    where = {"source_id": source.id, "start": 0, "end": len(source.text)}
    return Evidence(**where, differs=True, note=note, label="Medication list")


def _the_charts(text: str, difference: DoseDifference) -> Choice:
    """The chart's dose instead. What results is no quotation, so the quotation marks go and the change is named."""
    corrected = text[: difference.start] + difference.charted + text[difference.end :]
    unquoted = corrected.replace("“", "").replace("”", "").strip()
    named = f"{unquoted} (Dose from the chart; said was {difference.said}.)"
    return Choice(label=f"Use {difference.charted} from the chart", text=named)


def _missing(text: str, evidence: str) -> str:
    """What the text says and the evidence does not, as one sentence; empty when nothing is missing."""
    numbers = numbers_in(text) - numbers_in(evidence)
    if numbers:
        return f"The source does not say {', '.join(sorted(numbers))}."
    sides = {side.lower() for side in SIDES.findall(text)} - {side.lower() for side in SIDES.findall(evidence)}
    if sides:
        return f"The source does not say {' or '.join(sorted(sides))}."
    if bool(NEGATION.search(text)) != bool(NEGATION.search(evidence)):
        return "The source may say the opposite."
    said = {word.lower() for word in WORD.findall(text)} - FRAME
    shared = said & {word.lower() for word in WORD.findall(evidence)}
    if said and len(shared) < ENOUGH_SHARED * len(said):
        return "Most of these words are not in the source."
    return ""
