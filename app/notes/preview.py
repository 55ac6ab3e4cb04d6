"""What the sign page displays and a signature covers: the note, for whom, by whom, and what will become of it. Pure."""

from dataclasses import dataclass

from app.event_log.canonical import canonical_json, digest
from app.notes.landing import landing_of
from app.notes.reading import ReadNote
from app.policy.route import Landing
from app.review.note_text import ai_statement, attestation, note_body
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from app.tenants.standing import Standing
from vendors.profile import Profile


@dataclass(frozen=True)
class Preview:
    """The text, the statement that is attested, the landing, and the hash that covers them all."""

    text: str
    statement: str
    landing: Landing
    displayed_hash: str


def preview_of(launch: Launch, note: ReadNote, tenant: Tenant, profile: Profile, standing: Standing) -> Preview:
    """The preview of this note under this launch. Any change of what is displayed changes the hash."""
    review = note.review
    text, statement = f"{note_body(review)}\n{ai_statement(review)}", attestation(review.draft)
    landing = landing_of(launch, tenant, profile, standing)
    shown = {
        "review": review.displayed_hash,
        "text": text,
        "statement": statement,
        "patient": review.draft.patient.model_dump(mode="json"),
        "visit": review.draft.visit.model_dump(mode="json") if review.draft.visit else None,
        "clinician": review.draft.clinician.model_dump(mode="json"),
        "author": launch.fhir_user,
        "landing": [landing.route, landing.file_as, *landing.reasons],
        "filing": tenant.note.model_dump(mode="json"),
        "profile": [profile.name, profile.version],
    }
    return Preview(text, statement, landing, digest(canonical_json(shown)))
