"""The signed snapshot: everything the signature covers, in one canonical value that never changes again."""

from datetime import datetime
from typing import Literal

from typing_extensions import override

from app.drafting.draft import Value
from app.event_log.canonical import canonical_json, digest
from app.notes.amendment import Amends
from app.notes.entries import IDENTIFIER_SYSTEM as ENTRY_SYSTEM
from app.notes.entries import EntrySnapshot, entry_snapshot
from app.notes.preview import Preview
from app.notes.reading import ReadNote
from app.provenance.records import IDENTIFIER_SYSTEM
from app.review.note_text import MEANING, signature_line
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from vendors.contract import Related, SignedNote, Stored
from vendors.entries import SignedEntry

MAPPING_VERSION = "note-1"
ENTRY_MAPPING_VERSION = "entry-1"


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
    entries: tuple[EntrySnapshot, ...] = ()
    amends: Amends | None = None

    @override
    def canonical(self) -> bytes:
        """Canonical JSON bytes; a note without entries or a version before has those of the time before there were."""
        unused = {name for name in ("entries", "amends") if not getattr(self, name)}
        return canonical_json(self.model_dump(mode="json", exclude=unused or None))


def take_snapshot(
    launch: Launch,
    note: ReadNote,
    tenant: Tenant,
    preview: Preview,
    now: datetime,
    chart_visit: Stored | None = None,
) -> Snapshot:
    """What this launch signs of this note at `now`, filed the way that the preview says.

    `chart_visit`: the visit as the chart had it a moment ago, for entries that change it.
    """
    draft, version = note.review.draft, note.state.next_version
    visit = draft.visit
    written_by_hand = preview.amends is not None and preview.amends.kind == "addendum"
    return Snapshot(
        tenant_id=launch.tenant_id,
        note_id=note.note_id,
        note_version=version,
        identifier=note_identifier(launch.tenant_id, note.note_id, version),
        patient=launch.patient,
        encounter=launch.encounter,
        author=launch.fhir_user,
        author_name=draft.clinician.name,
        author_issuer=launch.issuer,
        author_subject=launch.subject,
        meaning=MEANING,
        statement=preview.statement,
        displayed_hash=preview.displayed_hash,
        text=f"{preview.text}\n{signature_line(draft, now.astimezone(tenant.zone))}\n",
        signed_at=now,
        type_code=tenant.note.type_code,
        type_display=tenant.note.type_display,
        file_as=preview.landing.file_as,
        ai_label=tenant.note.ai_label and not written_by_hand,
        custodian=visit.organization if visit else None,
        visit_start=visit.start if visit else None,
        visit_end=visit.end if visit else None,
        amends=preview.amends,
        entries=tuple(entry_snapshot(launch, note.note_id, version, plan, chart_visit) for plan in preview.entries),
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
        relates_to=_related(snapshot.amends),
        doc_status=snapshot.amends.doc_status if snapshot.amends else "",
    )


def _related(amends: Amends | None) -> Related | None:
    """The tie to the version before. Our identifier always stands in it: it holds where the EHR's id is not known."""
    if amends is None or not amends.relation:
        return None
    return Related(amends.relation, amends.reference, IDENTIFIER_SYSTEM, amends.identifier)


def as_signed_entry(snapshot: Snapshot, entry: EntrySnapshot) -> SignedEntry:
    """One entry of the snapshot as the vendor room renders it: a function of the snapshot alone."""
    return SignedEntry(
        identifier_system=ENTRY_SYSTEM,
        identifier_value=entry.identifier,
        patient=snapshot.patient,
        encounter=snapshot.encounter,
        author=snapshot.author,
        author_name=snapshot.author_name,
        signed_at=snapshot.signed_at,
        visit_start=snapshot.visit_start,
        ai_assisted=snapshot.ai_label,
        interaction=entry.interaction,
        content=entry.content,
        base=entry.base,
    )
