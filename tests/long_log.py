"""A long log made fast: stories with real events, real sealed artifacts and a real chain, inserted in bulk.

Everything that a replay looks at is genuine: snapshots, the payloads that the adapter renders of them, the hashes. Only
the clinicians and the EHR are missing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count, islice

from sqlalchemy import Connection, insert, select, update

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.artifacts.tables import artifact_keys, artifacts
from app.collaborators import Collaborators
from app.event_log.append import hold_log
from app.event_log.canonical import canonical_json, digest
from app.event_log.event import ArtifactRef, Event
from app.event_log.recorded import chain_hash
from app.event_log.tables import events as table
from app.event_log.tables import log_heads
from app.notes.events import ClaimConfirmed, ClaimEdited, DraftRecorded, NoteSigned
from app.notes.snapshot import MAPPING_VERSION, Snapshot, as_signed_note, note_identifier
from app.provenance.records import IDENTIFIER_SYSTEM
from app.writebacks.events import (
    AbsenceProven,
    AbsenceSeen,
    AttemptBegun,
    AttemptPostponed,
    CopyConfirmed,
    CopyOffered,
    OutcomeBecameUnknown,
    WritebackDrifted,
    WritebackFiled,
    WritebackParked,
    WritebackQueued,
    WritebackRejected,
    WritebackResumed,
    WritebackVerified,
)
from tests.factories import NOON, an_order

AUTHOR = {"author_issuer": "https://ehr.example/oauth2", "author_subject": "osei", "author": "Practitioner/7"}
FILED = WritebackFiled(
    resource_type="DocumentReference", resource_id="88", resource_version="1", status=201, reply=None, found=False
)
LATER = NOON + timedelta(minutes=5)
UNKNOWN = (OutcomeBecameUnknown(reason="timeout"), AbsenceSeen(times=1, due_at=LATER), AbsenceProven())
# What becomes of a write after it was queued, one ending after the other.
ENDINGS = ("verified", "drifted", "rejected", "asked", "waiting", "resumed", "copied", "queued")
StreamEvent = tuple[str, Event]


def grow(parts: Collaborators, tenant_id: str, events: int, at_once: int = 5000) -> Iterator[int]:
    """Add at least so many events to the tenant's log; yields how many were added, part by part, committed."""
    story = _Stories(parts, tenant_id)
    added, numbers = 0, count()
    while added < events:
        with parts.database.write() as tx:
            told = [one for number in islice(numbers, at_once // 10) for one in story.tell(tx, number)]
            story.seal(tx)
            added += _append(tx, tenant_id, told)
        yield added


class _Stories:
    """Tells one note's life after the other, and seals what it refers to, many at once."""

    def __init__(self, parts: Collaborators, tenant_id: str) -> None:
        self._tenant_id = tenant_id
        self._adapter = parts.ehrs.adapter(tenant_id)  # type: ignore[arg-type]
        self._kept = _Kept(parts.artifacts)

    def tell(self, tx: Connection, number: int) -> Iterator[StreamEvent]:
        note_id, writeback_id = (digest(f"{kind} {number}".encode())[:32] for kind in ("note", "write"))
        ending = ENDINGS[number % len(ENDINGS)]
        snapshot = self._snapshot(number, note_id)
        for event in self._reviewed(snapshot, writeback_id):
            yield f"note:{note_id}", event
        for event in self._written(snapshot, ending):
            yield f"writeback:{writeback_id}", event

    def seal(self, tx: Connection) -> None:
        self._kept.flush(tx)

    def _snapshot(self, number: int, note_id: str) -> Snapshot:
        return Snapshot.model_validate(
            {
                "tenant_id": self._tenant_id,
                "note_id": note_id,
                "note_version": 1,
                "identifier": note_identifier(self._tenant_id, note_id, 1),
                "patient": f"Patient/{number % 900}",
                "encounter": f"Encounter/{number}",
                "author": AUTHOR["author"],
                "author_name": "Dr. Kwame Osei",
                "author_issuer": AUTHOR["author_issuer"],
                "author_subject": AUTHOR["author_subject"],
                "meaning": "author",
                "statement": "I wrote this note.",
                "displayed_hash": digest(note_id.encode()),
                "text": f"Visit {number}. Cough for five weeks, no fever. Naïve to β-blockers.\n" * (1 + number % 7),
                "signed_at": NOON + timedelta(minutes=number),
                "type_code": "11506-3",
                "type_display": "Progress note",
                "file_as": "final",
                "ai_label": number % 2 == 0,
                "custodian": None,
                "visit_start": NOON,
                "visit_end": None,
            }
        )

    def _reviewed(self, snapshot: Snapshot, writeback_id: str) -> Iterator[Event]:
        chart = {"launch_id": "launch-1", "patient": snapshot.patient, "encounter": snapshot.encounter, **AUTHOR}
        versions = dict.fromkeys(("drafter_version", "prompt_version", "template_version", "gate_version"), "1")
        draft = self._keep_once(ArtifactKind.DRAFT, b"{}")
        yield DraftRecorded.model_validate(
            {**chart, "workflow": "primary-care", "draft": draft, "claims": 9, "drafter": "extractive", **versions}
            | {"sources": (("Condition/1", "1"), ("transcript", None))}
        )
        yield ClaimEdited(claim_id="c001", text=self._keep_once(ArtifactKind.EDIT, b"Cough."))
        yield from (ClaimConfirmed(claim_id=f"c00{number}") for number in (2, 3))
        kept = self._kept.keep(self._tenant_id, ArtifactKind.SNAPSHOT, snapshot.canonical())
        yield NoteSigned(
            launch_id="launch-1",
            note_version=1,
            displayed_hash=snapshot.displayed_hash,
            snapshot=kept,
            text_digest=digest(snapshot.text.encode()),
            meaning="author",
            policy_version="standard-1",
            writeback_id=writeback_id,
        )

    def _written(self, snapshot: Snapshot, ending: str) -> Iterator[Event]:
        order = self._order(snapshot)
        if ending == "copied":
            shared = order.fields().keys() & CopyOffered.model_fields.keys()
            yield CopyOffered.model_validate({name: getattr(order, name) for name in shared})
            yield CopyConfirmed()
            return
        yield order
        yield from self._after(order, ending)

    def _order(self, snapshot: Snapshot) -> WritebackQueued:
        payload = self._adapter.render_note(as_signed_note(snapshot))
        profile = self._adapter.profile
        return an_order(
            note_id=snapshot.note_id,
            patient=snapshot.patient,
            encounter=snapshot.encounter,
            identifier=f"{IDENTIFIER_SYSTEM}|{snapshot.identifier}",
            idempotency_key=digest(snapshot.note_id.encode()),
            payload=self._kept.keep(self._tenant_id, ArtifactKind.PAYLOAD, payload),
            payload_digest=digest(payload),
            mapping_version=MAPPING_VERSION,
            profile=profile.name,
            profile_version=profile.version,
            provenance=self._keep_once(ArtifactKind.PROVENANCE, b"{}"),
            **AUTHOR,
        )

    def _after(self, order: WritebackQueued, ending: str) -> tuple[Event, ...]:
        stored = self._keep_once(ArtifactKind.STORED, b"{}")
        read = {"resource_id": "88", "resource_version": "1", "stored": stored}
        begun = AttemptBegun(attempt=1, fence=1, launch_id="launch-1", payload_digest=order.payload_digest)
        again = begun.model_copy(update={"attempt": 2, "fence": 2})
        verified = WritebackVerified(**read, differences=())
        return {
            "verified": (begun, FILED, verified),
            "drifted": (begun, FILED, WritebackDrifted(**read, differences=("text",))),
            "rejected": (begun, WritebackRejected(reason="refused", status=422, issue_codes=("business-rule",))),
            "asked": (begun, *UNKNOWN, again, FILED, verified),
            "waiting": (begun, AttemptPostponed(reason="throttled", due_at=LATER), WritebackParked(reason="reauth")),
            "resumed": (
                *(WritebackParked(reason="reauth"), WritebackResumed(launch_id="launch-2")),
                *(begun, FILED, verified),
            ),
            "queued": (),
        }[ending]

    def _keep_once(self, kind: ArtifactKind, content: bytes) -> ArtifactRef:
        return self._kept.keep_once(self._tenant_id, kind, content)


class _Kept:
    """Seals like the store, and inserts many rows at once."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._rows: list[tuple[dict[str, object], dict[str, object]]] = []
        self._once: dict[ArtifactKind, ArtifactRef] = {}

    def keep(self, tenant_id: str, kind: ArtifactKind, content: bytes) -> ArtifactRef:
        row, key = self._store.sealed(tenant_id, kind, content, NOON)
        self._rows.append((row, key))
        return ArtifactRef(artifact_id=str(row["artifact_id"]), digest=str(row["digest"]))

    def keep_once(self, tenant_id: str, kind: ArtifactKind, content: bytes) -> ArtifactRef:
        if kind not in self._once:
            self._once[kind] = self.keep(tenant_id, kind, content)
        return self._once[kind]

    def flush(self, tx: Connection) -> None:
        if self._rows:
            tx.execute(insert(artifacts), [row for row, _ in self._rows])
            tx.execute(insert(artifact_keys), [key for _, key in self._rows])
        self._rows = []


def _append(tx: Connection, tenant_id: str, told: Sequence[StreamEvent]) -> int:
    sequence, previous = hold_log(tx, tenant_id)
    versions: dict[str, int] = {}
    rows = []
    for offset, (stream, event) in enumerate(told, start=1):
        versions[stream] = versions.get(stream, 0) + 1
        row: dict[str, object] = {
            "tenant_id": tenant_id,
            "sequence": sequence + offset,
            "stream": stream,
            "version": versions[stream],
            "tag": event.tag,
            "schema_version": event.schema_version,
            "actor": "https://ehr.example/oauth2#osei",
            "causation": stream,
            "recorded_at": _moment(sequence + offset),
        }
        payload = canonical_json(event.fields())
        hashed = chain_hash(previous, row, payload)
        rows.append(row | {"payload": payload, "previous_hash": previous, "hash": hashed})
        previous = hashed
    tx.execute(insert(table), rows)
    head = {"sequence": sequence + len(rows), "hash": previous}
    tx.execute(update(log_heads).where(log_heads.c.tenant_id == tenant_id).values(**head))
    return len(rows)


def _moment(sequence: int) -> datetime:
    return NOON + timedelta(seconds=sequence)


def tags(tx: Connection) -> set[str]:
    return set(tx.execute(select(table.c.tag).distinct()).scalars())
