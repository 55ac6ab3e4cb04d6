"""The note as plain text: what the clinician reads before signing, what is filed, and what is compared afterwards."""

from datetime import datetime

from app.drafting.draft import Draft
from app.drafting.template import SECTIONS
from app.review.differences import differences
from app.review.review import Review

MEANING = "author"


def note_body(review: Review) -> str:
    """The sections that have text, in the template's order. Lines end with a single line feed."""
    parts = []
    for section in SECTIONS:
        lines = [_line(c.text) for c in review.claims if c.claim.section == section.id and c.in_note]
        if lines:
            parts.append("\n".join([section.title.upper(), *lines]))
    return "\n\n".join(parts) + "\n"


def signed_text(review: Review, signed_at: datetime) -> str:
    """The body followed by the signature's printed name, local moment and meaning (21 CFR 11.50 as a model)."""
    return f"{note_body(review)}\n{ai_statement(review)}\n{signature_line(review.draft, signed_at)}\n"


def ai_statement(review: Review) -> str:
    """How the note came about, in one sentence for whoever reads the chart."""
    done = "reviewed and edited" if differences(review) else "reviewed"
    return f"Drafted with AI assistance ({review.draft.drafter} {review.draft.drafter_version}); {done} by the signer."


def signature_line(draft: Draft, signed_at: datetime) -> str:
    """Who signed, when (to the second, with the zone's name) and in which meaning."""
    return f"Electronically signed by {draft.clinician.name} ({MEANING}) on {signed_at:%Y-%m-%d at %H:%M:%S %Z}."


def attestation(draft: Draft) -> str:
    """The statement that the clinician attests by signing."""
    patient = f"{draft.patient.given} {draft.patient.family}".strip()
    return (
        f"I, {draft.clinician.name}, have read this note about {patient} in full, "
        "and I sign it as its author. It says what I found and what I decided."
    )


def _line(text: str) -> str:
    return "- " + " ".join(text.split())
