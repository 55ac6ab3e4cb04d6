"""The signed snapshot: everything the signature covers, in one canonical value that never changes again."""

from datetime import datetime
from typing import Literal

from app.drafting.draft import Value
from app.event_log.canonical import canonical_json, digest
from app.notes.preview import Preview
from app.notes.reading import ReadNote
from app.provenance.records import IDENTIFIER_SYSTEM
from app.review.note_text import MEANING, attestation, signed_text
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from vendors.contract import SignedNote

MAPPING_VERSION = "note-1"
FIRST_VERSION = 1


class Snapshot(Value):
    """What was signed: exact text, patient, visit, author, meaning, moment, and the hash of what was displayed."""

    tenant_id: str
    note_id: str
    note_version: int
    identifier: str
    patient: str
    encounter: str | None
    author: str
    author_name: str
    author_issuer: str
    author_subject: str
    meaning: str
    statement: str
    displayed_hash: str
    text: str
    signed_at: datetime
    type_code: str
    type_display: str
    file_as: Literal["final", "preliminary"]
    ai_label: bool
    custodian: str | None
    visit_start: datetime | None
    visit_end: datetime | None


def take_snapshot(launch: Launch, note: ReadNote, tenant: Tenant, preview: Preview, now: datetime) -> Snapshot:
    """What this launch signs of this note at `now`, filed the way that the preview says."""
    draft = note.review.draft
    visit = draft.visit
    return Snapshot(
        tenant_id=launch.tenant_id,
        note_id=note.note_id,
        note_version=FIRST_VERSION,
        identifier=note_identifier(launch.tenant_id, note.note_id, FIRST_VERSION),
        patient=launch.patient,
        encounter=launch.encounter,
        author=launch.fhir_user,
        author_name=draft.clinician.name,
        author_issuer=launch.issuer,
        author_subject=launch.subject,
        meaning=MEANING,
        statement=attestation(draft),
        displayed_hash=preview.displayed_hash,
        text=signed_text(note.review, now.astimezone(tenant.zone)),
        signed_at=now,
        type_code=tenant.note.type_code,
        type_display=tenant.note.type_display,
        file_as=preview.landing.file_as,
        ai_label=tenant.note.ai_label,
        custodian=visit.organization if visit else None,
        visit_start=visit.start if visit else None,
        visit_end=visit.end if visit else None,
    )


def note_identifier(tenant_id: str, note_id: str, note_version: int) -> str:
    """Our identifier for one signed version: fixed at signing, the same for ever, without PHI."""
    return digest(canonical_json([tenant_id, note_id, note_version]))[:40]


def as_signed_note(snapshot: Snapshot) -> SignedNote:
    """The snapshot as the vendor room renders it. A function of the snapshot alone: what was signed is what is sent."""
    return SignedNote(
        identifier_system=IDENTIFIER_SYSTEM,
        identifier_value=snapshot.identifier,
        patient=snapshot.patient,
        encounter=snapshot.encounter,
        author=snapshot.author,
        author_name=snapshot.author_name,
        custodian=snapshot.custodian,
        type_code=snapshot.type_code,
        type_display=snapshot.type_display,
        title=snapshot.type_display,
        text=snapshot.text,
        signed_at=snapshot.signed_at,
        visit_start=snapshot.visit_start,
        visit_end=snapshot.visit_end,
        ai_assisted=snapshot.ai_label,
        file_as=snapshot.file_as,
    )
