"""The values that cross the vendors boundary, and what every vendor adapter can be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:  # these modules use the values below
    from vendors.chart_values import Chart
    from vendors.entries import SignedEntry
    from vendors.profile import Profile
    from vendors.transport import FHIRTransport, SignersTransport

FileAs = Literal["final", "preliminary"]
Support = Literal["yes", "no", "unknown"]
Confidence = Literal["documented", "reported", "uncertain"]
WriteInteraction = Literal["create", "update", "patch"]

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
class Related:
    """The earlier document that a note corrects or adds to (R4 DocumentReference.relatesTo, C36).

    Our identifier always stands there, so that the tie survives where the EHR's own id is not known at signing.
    """

    code: Literal["replaces", "appends"]
    reference: str = ""
    identifier_system: str = ""
    identifier_value: str = ""


@dataclass(frozen=True)
class SignedNote:
    """What a clinician signed, ready to be rendered; references are relative to the FHIR base.

    Only a signature makes one, so "amended" without a signature cannot be said (C37).
    """

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
    relates_to: Related | None = None
    doc_status: Literal["", "amended"] = ""  # "" says what `file_as` says


@dataclass(frozen=True)
class Write:
    """One signed change, exactly as it leaves.

    `payload` is a resource as canonical JSON, or a JSON Patch array for "patch". `target_id` and `if_match` (the ETag
    as the EHR gave it) belong to update and patch, and to them always: nothing is overwritten unseen (C11, C13).
    """

    resource_type: str
    interaction: WriteInteraction
    payload: bytes = field(repr=False)
    target_id: str = ""
    if_match: str = ""


ACCEPTED = 202


@dataclass(frozen=True)
class Receipt:
    """The EHR's answer to an accepted write; without an id the created resource is still to be located.

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
    relates_to: tuple[Related, ...] = ()
    etag: str | None = None


class VendorAdapter(Protocol):
    """What Countersign can ask of one EHR product; all calls use the transport's own token."""

    profile: Profile

    def without_identifiers(self) -> VendorAdapter:
        """Return the same for an EHR of this product that was seen to drop our identifier (C19, F25)."""
        ...

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

    def render_entry(self, entry: SignedEntry) -> bytes:
        """Return a structured entry as it leaves, a pure function of entry and profile. See `vendors.entries`.

        Raises InvalidResource where the entry breaks a rule of FHIR R4 or of the profile.
        """
        ...

    def amendment(self, stored: Stored, note: SignedNote) -> Write:
        """Return the update that makes a filed note say what was signed anew; all else in it stays (C11, C37).

        Raises Unsupported where the profile names no "in_place", InvalidResource where no version can be named.
        """
        ...

    def retraction(self, stored: Stored) -> Write:
        """Return the update or patch that marks a filed resource as entered in error; its content stays (C38).

        Raises Unsupported where the profile says "none", InvalidResource where no version can be named.
        """
        ...

    def send(self, transport: SignersTransport, write: Write) -> Receipt:
        """Let one signed change leave, once, under its signer's own grant (A63).

        Before sending: Unsupported where the profile does not say yes, InvalidResource where the write breaks a rule of
        its interaction, NotTheSigners for any other transport. After: the transport's errors, VersionConflict for a
        version that is not the EHR's present one.
        """
        ...

    def read(self, transport: FHIRTransport, resource_type: str, resource_id: str) -> Stored:
        """Return one resource as the EHR holds it now. Raises Unsupported and the transport's read errors."""
        ...

    def read_version(self, transport: FHIRTransport, resource_type: str, resource_id: str, version: str) -> Stored:
        """Return that version, or the present one where the EHR keeps none to read; `Stored.version` tells (C14)."""
        ...

    def find(self, transport: FHIRTransport, resource_type: str, payload: bytes) -> list[Stored]:
        """Return the resources that are this created one: same identifier, or holding all that was sent.

        For notes `find_notes`, which knows their text. Raises Unsupported and the transport's search errors.
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
