"""The words of what is signed: of the note as always, of its corrected version, and of an addendum to it. Pure."""

from datetime import datetime

from app.notes.commands import Kind, Reason
from app.notes.reading import ReadNote
from app.review.note_text import ai_statement, attestation, note_body

REASONS: dict[Reason, str] = {
    Reason.MISTAKE: "something in the note was wrong",
    Reason.OMISSION: "something was left out of the note",
    Reason.NEW_INFORMATION: "something became known afterwards",
    Reason.PATIENT_REQUEST: "the patient asked for it",
    Reason.WRONG_PATIENT: "the note is about another patient",
    Reason.WRONG_VISIT: "the note belongs to another visit",
    Reason.DUPLICATE: "the same note was written twice",
    Reason.REPLACED: "a later version takes its place",
}
if missing := set(Reason) - REASONS.keys():
    raise TypeError(f"these reasons for a change have no words: {sorted(missing)}")


def text_to_sign(note: ReadNote, first_signed: datetime | None) -> str:
    """What the sign page shows and the signature line is put under.

    `first_signed`: when the version was signed that this one changes, in the organisation's own time.
    """
    amendment = note.state.amendment
    if amendment is None or first_signed is None:
        return f"{note_body(note.review)}\n{ai_statement(note.review)}"
    of = f"the note that was signed on {first_signed:%Y-%m-%d at %H:%M:%S %Z}"
    why = f"Reason: {REASONS[Reason(amendment.reason)]}."
    if amendment.kind == Kind.ADDENDUM:
        return f"ADDENDUM\nTo {of}.\n\n{note.addendum.strip()}\n\n{why}"
    return f"{note_body(note.review)}\nCorrected version of {of}. {why}\n{ai_statement(note.review)}"


def statement_to_attest(note: ReadNote) -> str:
    """What the clinician attests by signing."""
    draft, amendment = note.review.draft, note.state.amendment
    if amendment is None or amendment.kind == Kind.CORRECTION:
        return attestation(draft)
    patient = f"{draft.patient.given} {draft.patient.family}".strip()
    return (
        f"I, {draft.clinician.name}, have read this addendum to my note about {patient} in full, "
        "and I sign it as its author."
    )
