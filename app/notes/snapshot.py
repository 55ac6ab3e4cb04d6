"""The signed snapshot: everything the signature covers, in one canonical value that never changes again."""

from datetime import datetime
from zoneinfo import ZoneInfo

from app.drafting.draft import Draft, Value
from app.event_log.canonical import canonical_json, digest
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


def take_snapshot(launch: Launch, note: ReadNote, now: datetime, zone: ZoneInfo) -> Snapshot:
    """What this launch signs of this note at `now`; `zone` is where the organisation reads its clocks."""
    draft = note.review.draft
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
        displayed_hash=note.review.displayed_hash,
        text=signed_text(note.review, now.astimezone(zone)),
        signed_at=now,
    )


def note_identifier(tenant_id: str, note_id: str, note_version: int) -> str:
    """Our identifier for one signed version: fixed at signing, the same for ever, without PHI."""
    return digest(canonical_json([tenant_id, note_id, note_version]))[:40]


def as_signed_note(snapshot: Snapshot, draft: Draft, tenant: Tenant) -> SignedNote:
    """The snapshot as the vendor room renders it. A pure function: same snapshot, same payload."""
    visit = draft.visit
    return SignedNote(
        identifier_system=IDENTIFIER_SYSTEM,
        identifier_value=snapshot.identifier,
        patient=snapshot.patient,
        encounter=snapshot.encounter,
        author=snapshot.author,
        author_name=snapshot.author_name,
        custodian=visit.organization if visit else None,
        type_code=tenant.note.type_code,
        type_display=tenant.note.type_display,
        title=tenant.note.type_display,
        text=snapshot.text,
        signed_at=snapshot.signed_at,
        visit_start=visit.start if visit else None,
        visit_end=visit.end if visit else None,
        ai_assisted=tenant.note.ai_label,
        file_as=tenant.note.file_as,
    )
