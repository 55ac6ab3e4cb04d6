"""Signed notes that are about to be filed, with a launch whose grant may send them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from app.artifacts.store import ArtifactKind
from app.bench.signatures import Signature, order_of, prepare
from app.collaborators import Collaborators
from app.event_log.canonical import canonical_json, digest
from app.ids import LaunchId, TenantId
from app.tenants import launches
from app.tenants.grants import OpenGrant
from app.tenants.launches import Launch, new_launch
from app.writebacks.docket import Docket, enter
from vendors.contract import SignedNote, VendorAdapter

TENANT_FILE = """
id: bench-hospital
organization: Bench Hospital
vendor: reference
environment: sandbox
fhir_base: {origin}/fhir
client_id: countersign-bench
concurrency: {cap}
authentication: {{method: public}}
frame_origins: ["{origin}"]
"""
WORDS = "Blood pressure was 128 over 76 and the lungs were clear on both sides. "
LINES = 60
SCOPES = "openid fhirUser launch patient/*.rs user/DocumentReference.crus user/Provenance.crs"


@dataclass(frozen=True)
class Note:
    """What is sent of one note."""

    signature: Signature

    @property
    def payload(self) -> bytes:
        """The DocumentReference."""
        return self.signature.payload

    @property
    def provenance(self) -> bytes:
        """The Provenance."""
        return self.signature.provenance


def prepare_notes(count: int, adapter: VendorAdapter) -> list[Note]:
    """So many notes of the usual size, rendered as this vendor takes them."""
    rendered = []
    for one in prepare(count):
        payload = adapter.render_note(_signed(one.note_id))
        rendered.append(Note(replace(one, payload=payload, provenance=_provenance(one.note_id))))
    return rendered


def open_launch(parts: Collaborators, tenant_id: TenantId, origin: str) -> Launch:
    """A launch whose token may write."""
    now = datetime.now(UTC)
    launch = bench_launch(tenant_id, origin, now)
    with parts.database.write() as tx:
        launches.record(tx, new_launch(launch))
        token = OpenGrant("token", None, now + timedelta(hours=8), launch.fhir_base)
        parts.grants.keep(tx, launch, token)
    return launch


def order_all(parts: Collaborators, tenant_id: TenantId, notes: Sequence[Note], origin: str) -> None:
    """One launch, and the order of each note under it."""
    now = datetime.now(UTC)
    launch = open_launch(parts, tenant_id, origin)
    docket = Docket(parts.artifacts, tenant_id, launch.actor, now)
    for note in notes:
        one = note.signature
        payload = docket.keep(ArtifactKind.PAYLOAD, one.payload)
        provenance = docket.keep(ArtifactKind.PROVENANCE, one.provenance)
        signed = {
            "launch_id": launch.launch_id,
            "fhir_base": launch.fhir_base,
            "payload_digest": digest(one.payload),
            "profile": "reference",
            "provenance_route": "post",
        }
        docket.queue(one.writeback_id, order_of(one, payload, provenance).model_copy(update=signed), "bench")
    with parts.database.write() as tx:
        enter(tx, docket)


def bench_launch(tenant_id: TenantId, origin: str, now: datetime, name: str = "bench-launch") -> Launch:
    """A launch in which the clinician of the bench signs."""
    return Launch(
        launch_id=LaunchId(name),
        tenant_id=tenant_id,
        fhir_base=f"{origin}/fhir",
        issuer="https://ehr.example/oauth2",
        subject="osei",
        fhir_user="Practitioner/7",
        user_name="Dr. Kwame Osei",
        patient="Patient/1",
        encounter="Encounter/9",
        scopes=SCOPES,
        created_at=now,
        expires_at=now + timedelta(hours=12),
    )


def _signed(note_id: str) -> SignedNote:
    return SignedNote(
        identifier_system="urn:countersign:note",
        identifier_value=note_id,
        patient="Patient/1",
        encounter="Encounter/9",
        author="Practitioner/7",
        author_name="Dr. Kwame Osei",
        custodian=None,
        type_code="11506-3",
        type_display="Progress note",
        title="Progress note",
        text="\n".join(f"{number}. {WORDS}" for number in range(LINES)),
        signed_at=datetime.now(UTC).replace(microsecond=0),
        visit_start=None,
        visit_end=None,
        ai_assisted=True,
        file_as="final",
    )


def _provenance(note_id: str) -> bytes:
    about = {"system": "urn:countersign:note", "value": note_id}
    return canonical_json(
        {
            "resourceType": "Provenance",
            "target": [{"identifier": about}],
            "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
            "agent": [{"who": {"reference": "Practitioner/7"}, "onBehalfOf": {"display": WORDS * 15}}],
        }
    )
