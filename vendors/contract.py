"""The values that cross the vendors boundary, and what every vendor adapter can be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:  # both modules use the values below
    from vendors.chart_values import Chart
    from vendors.profile import Profile
    from vendors.transport import FHIRTransport, SignersTransport

FileAs = Literal["final", "preliminary"]
Support = Literal["yes", "no", "unknown"]
Confidence = Literal["documented", "reported", "uncertain"]

RESOURCE_TYPES = (
    "AllergyIntolerance",
    "Binary",
    "Communication",
    "Condition",
    "DocumentReference",
    "Encounter",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Provenance",
    "Task",
)
INTERACTIONS = ("read", "search", "create", "update", "patch", "delete")


class Cited(BaseModel):
    """A statement about a vendor with the key of its source; `uncertain` ones explain themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: str | None = None
    confidence: Confidence
    note: str = ""


class Capability(Cited):
    """Whether an EHR takes one interaction on one resource type, and who says so."""

    support: Support


@dataclass(frozen=True)
class SignedNote:
    """What a clinician signed, ready to be rendered; references are relative to the FHIR base."""

    identifier_system: str
    identifier_value: str
    patient: str
    encounter: str | None
    author: str
    author_name: str
    custodian: str | None
    type_code: str
    type_display: str
    title: str = field(repr=False)
    text: str = field(repr=False)
    signed_at: datetime
    visit_start: datetime | None
    visit_end: datetime | None
    ai_assisted: bool
    file_as: FileAs


@dataclass(frozen=True)
class Receipt:
    """The EHR's answer to an accepted create; without an id the resource is still to be located.

    Status 202 means accepted for later filing, not filed (FHIR R4 http.html, US Core notes).
    """

    status: int
    resource_id: str | None
    version: str | None
    etag: str | None
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Stored:
    """One resource as the EHR holds it, with the exact bytes that it sent."""

    resource: dict[str, Any] = field(repr=False)
    resource_id: str
    version: str | None
    etag: str | None
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class StoredNote:
    """A note as read back from the chart, taken apart for comparison with what was signed."""

    resource_id: str
    version: str | None
    identifiers: tuple[tuple[str, str], ...]
    patient: str
    encounter: str | None
    authors: tuple[str, ...]
    status: str
    doc_status: str | None
    type_codes: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    text: str = field(repr=False)
    raw: bytes = field(repr=False)


class VendorAdapter(Protocol):
    """What Countersign can ask of one EHR product; all calls use the transport's own token."""

    profile: Profile

    def read_chart(
        self, transport: FHIRTransport, patient_id: str, encounter_id: str | None, clinician: str | None
    ) -> Chart:
        """Return what of the chart could be read; see `vendors.chart.read_chart`, asked as this EHR takes it."""
        ...

    def render_note(self, note: SignedNote) -> bytes:
        """Return the DocumentReference as canonical JSON; a pure function of note and profile.

        Raises InvalidResource where the note breaks a rule of FHIR R4 or of the profile.
        """
        ...

    def create_note(self, transport: SignersTransport, payload: bytes) -> Receipt:
        """File a rendered note under its signer's own grant (A63).

        Raises Unsupported before sending where the profile does not say yes, NotTheSigners for any other transport.
        """
        ...

    def read_note(self, transport: FHIRTransport, resource_id: str) -> StoredNote:
        """Read one note with its text, following the attachment's address inside the FHIR base."""
        ...

    def find_notes(self, transport: FHIRTransport, payload: bytes) -> list[StoredNote]:
        """Return the chart's notes that are this payload: same identifier, or same text and no other's."""
        ...

    def create_provenance(self, transport: SignersTransport, body: bytes) -> Receipt:
        """File a Provenance, in the same way."""
        ...

    def find_provenance(self, transport: FHIRTransport, target: str) -> list[dict[str, Any]]:
        """Return every Provenance that names the target (`DocumentReference/88`), any version of it."""
        ...
