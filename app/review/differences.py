"""What differs between what the AI wrote and what will be signed. Pure."""

from dataclasses import dataclass
from typing import Literal

from app.review.review import Review


@dataclass(frozen=True)
class Difference:
    """One claim that the clinician changed, removed or added."""

    section: str
    before: str
    after: str
    kind: Literal["edited", "removed", "added"]


def differences(review: Review) -> tuple[Difference, ...]:
    """Every difference, in the order of the note."""
    found = []
    for claim in review.claims:
        before = claim.claim.text
        if before and not claim.in_note:
            found.append(Difference(claim.claim.section, before, "", "removed"))
        elif claim.in_note and claim.text != before:
            found.append(Difference(claim.claim.section, before, claim.text, "edited" if before else "added"))
    return tuple(found)
