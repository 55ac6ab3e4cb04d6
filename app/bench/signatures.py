"""What one signature writes, prepared: so that only the transaction is measured, and both sides write the same."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.db import Database
from app.event_log.canonical import digest
from app.event_log.event import ArtifactRef
from app.ids import TenantId, WritebackId, new_note_id, new_writeback_id
from app.notes.events import NoteSigned
from app.writebacks.docket import Docket, enter
from app.writebacks.events import WritebackQueued
from app.writebacks.ledger import idempotency_key

TENANT = TenantId("harbor-epic")
ACTOR = "https://ehr.example/oauth2#osei"
NOTE_BYTES, PROVENANCE_BYTES = 6000, 1800


@dataclass(frozen=True)
class Signature:
    """One note that is about to be signed: its ids, and the contents that are kept of it."""

    note_id: str
    writeback_id: WritebackId
    snapshot: bytes
    payload: bytes
    provenance: bytes

    @property
    def key(self) -> str:
        """The idempotency key of its write."""
        return idempotency_key(TENANT, self.note_id, 1, "DocumentReference", "create")


def prepare(count: int) -> list[Signature]:
    """So many notes, of the size that visit notes have."""
    return [_one() for _ in range(count)]


def _one() -> Signature:
    text = os.urandom(NOTE_BYTES * 3 // 8).hex()
    return Signature(
        new_note_id(),
        new_writeback_id(),
        json.dumps({"text": text}).encode(),
        json.dumps({"resourceType": "DocumentReference", "data": text}).encode(),
        os.urandom(PROVENANCE_BYTES // 2).hex().encode(),
    )


def signed_event(one: Signature, snapshot: ArtifactRef) -> NoteSigned:
    """The event that the note was signed."""
    return NoteSigned(
        launch_id="bench-launch",
        note_version=1,
        displayed_hash="0" * 64,
        snapshot=snapshot,
        text_digest=digest(one.snapshot),
        meaning="author",
        policy_version="standard-1",
        writeback_id=one.writeback_id,
    )


def order_of(one: Signature, payload: ArtifactRef, provenance: ArtifactRef) -> WritebackQueued:
    """The event that orders its write."""
    return WritebackQueued(
        note_id=one.note_id,
        note_version=1,
        launch_id="bench-launch",
        fhir_base="https://ehr.example/fhir",
        author_issuer="https://ehr.example/oauth2",
        author_subject="osei",
        author="Practitioner/7",
        patient="Patient/1",
        encounter="Encounter/9",
        workflow="primary-care",
        resource_type="DocumentReference",
        mutation="create",
        idempotency_key=one.key,
        identifier=f"urn:countersign|{one.note_id}",
        payload=payload,
        payload_digest=digest(one.payload),
        mapping_version="note-1",
        profile="epic",
        profile_version="1",
        provenance=provenance,
        provenance_route="kept",
    )


def sign(database: Database, artifacts: ArtifactStore, one: Signature) -> None:
    """The transaction that signs, through the same calls as in `app/notes/sign.py` and `orders.py`."""
    docket = docket_of(artifacts, one)
    with database.write() as tx:
        enter(tx, docket)


def docket_of(artifacts: ArtifactStore, one: Signature) -> Docket:
    """What the signature enters."""
    docket = Docket(artifacts, TENANT, ACTOR, datetime.now(UTC))
    snapshot = docket.keep(ArtifactKind.SNAPSHOT, one.snapshot)
    because = docket.append(f"note:{one.note_id}", 0, signed_event(one, snapshot), "launch:bench")
    payload = docket.keep(ArtifactKind.PAYLOAD, one.payload)
    provenance = docket.keep(ArtifactKind.PROVENANCE, one.provenance)
    docket.queue(one.writeback_id, order_of(one, payload, provenance), because)
    return docket
