"""Everything that can happen to one write after it was signed."""

from datetime import datetime
from typing import ClassVar

from app.event_log.event import ArtifactRef, Event


class WritebackQueued(Event):
    """A signed write waits to be sent. Identifier, key and payload are fixed here and never change."""

    tag: ClassVar[str] = "writeback:queued"

    note_id: str
    note_version: int
    launch_id: str
    fhir_base: str
    author_issuer: str
    author_subject: str
    author: str
    patient: str
    encounter: str | None
    workflow: str
    resource_type: str
    mutation: str
    idempotency_key: str
    identifier: str
    payload: ArtifactRef
    payload_digest: str
    mapping_version: str
    profile: str
    profile_version: str
    provenance: ArtifactRef
    provenance_route: str
    file_as: str = "final"
    # The FHIR interaction that carries the mutation, and what it acts on (`DocumentReference/88`, at this ETag).
    interaction: str = "create"
    target: str = ""
    if_match: str = ""
    # The write that must be in the chart before this one leaves (F41), and why what was signed is changed.
    follows: str = ""
    reason: str = ""
    proposal_id: str = ""
    # What becomes of that write once this one is verified: replaced, amended or retracted; empty: it stands beside it.
    supersedes: str = ""
    # The resource as it was read just before, where the payload was made from it: an update, a patch, a retraction.
    base: ArtifactRef | None = None

    @property
    def target_id(self) -> str:
        """The id of the resource that an update, a patch or a retraction acts on; empty for a create."""
        return self.target.partition("/")[2]


class WritebackRegenerated(Event):
    """Before anything of it was sent, what was signed was rendered anew. The ledger keeps the digest it replaced."""

    tag: ClassVar[str] = "writeback:regenerated"

    payload: ArtifactRef
    payload_digest: str
    replaced_digest: str
    mapping_version: str

    def of(self, order: WritebackQueued) -> WritebackQueued:
        """The order as it stands from here on."""
        anew = {"payload": self.payload, "payload_digest": self.payload_digest}
        return order.model_copy(update=anew | {"mapping_version": self.mapping_version})


class CopyOffered(Event):
    """The EHR takes no note by API: the signed text is the clinician's to copy."""

    tag: ClassVar[str] = "writeback:copy:offered"

    note_id: str
    note_version: int
    launch_id: str
    fhir_base: str
    author_issuer: str
    author_subject: str
    author: str
    patient: str
    encounter: str | None
    workflow: str
    identifier: str
    profile: str
    profile_version: str
    provenance: ArtifactRef
    reasons: tuple[str, ...] = ()
    # What is handed over: the note, or one entry beside it.
    resource_type: str = "DocumentReference"
    proposal_id: str = ""


class CopyConfirmed(Event):
    """The clinician said that the note was copied into the chart."""

    tag: ClassVar[str] = "writeback:copy:confirmed"


class AttemptBegun(Event):
    """Committed before the first byte leaves: from here on only the EHR can say what happened."""

    tag: ClassVar[str] = "writeback:attempt:begun"

    attempt: int
    fence: int
    launch_id: str
    payload_digest: str


class AttemptPostponed(Event):
    """Certainly not executed; it will be tried again."""

    tag: ClassVar[str] = "writeback:attempt:postponed"

    reason: str
    due_at: datetime


class OutcomeBecameUnknown(Event):
    """Bytes left and no trustworthy answer came back. Never sent again before the EHR was asked."""

    tag: ClassVar[str] = "writeback:outcome:unknown"

    reason: str


class AbsenceSeen(Event):
    """The EHR was asked and does not hold the write; one such answer proves nothing yet."""

    tag: ClassVar[str] = "writeback:absence:seen"

    times: int
    due_at: datetime


class AbsenceProven(Event):
    """Asked often enough and late enough: the write was not executed and may be sent again."""

    tag: ClassVar[str] = "writeback:absence:proven"


class WritebackFiled(Event):
    """The EHR holds it. `found` tells whether the EHR answered the send or was asked afterwards."""

    tag: ClassVar[str] = "writeback:filed"

    resource_type: str
    resource_id: str | None
    resource_version: str | None
    status: int | None
    reply: ArtifactRef | None
    found: bool


class WritebackVerified(Event):
    """What the EHR stored is what was signed; harmless differences are named."""

    tag: ClassVar[str] = "writeback:verified"

    resource_id: str
    resource_version: str | None
    stored: ArtifactRef
    differences: tuple[str, ...]


class WritebackDrifted(Event):
    """What the EHR stored is not what was signed. A human decides; nothing is overwritten."""

    tag: ClassVar[str] = "writeback:drifted"

    resource_id: str
    resource_version: str | None
    stored: ArtifactRef
    differences: tuple[str, ...]


class WritebackRejected(Event):
    """The EHR read it and said no. It stays signed here."""

    tag: ClassVar[str] = "writeback:rejected"

    reason: str
    status: int | None
    issue_codes: tuple[str, ...]


class WritebackParked(Event):
    """Stopped until a person acts; `reason` names the one action that ends it."""

    tag: ClassVar[str] = "writeback:parked"

    reason: str


class WritebackCancelled(Event):
    """Taken back by its signer before the first byte left, or after it was proven that nothing was executed (F42)."""

    tag: ClassVar[str] = "writeback:cancelled"

    reason: str


class WritebackSuperseded(Event):
    """A later signature of the same author took its place in the chart: `how` is replaced, amended or retracted."""

    tag: ClassVar[str] = "writeback:superseded"

    by: str
    how: str


class WritebackOverridden(Event):
    """A person changed in the EHR what was filed. The human wins; nothing is overwritten.

    `read_under` says whose right to read found it; `changed_by` is who the EHR says it was, as a reference.
    """

    tag: ClassVar[str] = "writeback:overridden"

    change: str
    resource_id: str
    resource_version: str | None
    stored: ArtifactRef | None
    differences: tuple[str, ...]
    changed_by: str
    read_under: str


class WritebackWentMissing(Event):
    """What was verified in the EHR is not there any more, and nothing says that a person removed it (F44)."""

    tag: ClassVar[str] = "writeback:missing"

    read_under: str


class WritebackRestored(Event):
    """What had been changed or was missing is in the EHR again as it was signed."""

    tag: ClassVar[str] = "writeback:restored"

    resource_id: str
    resource_version: str | None
    stored: ArtifactRef
    read_under: str


class WritebackSettled(Event):
    """A person looked and ended it: `outcome` says with which result, `reference` links what was done elsewhere."""

    tag: ClassVar[str] = "writeback:settled"

    outcome: str
    reference: str


class WritebackResumed(Event):
    """The signer came back with a live token; the write goes on where it stood."""

    tag: ClassVar[str] = "writeback:resumed"

    launch_id: str


class ProvenanceBegun(Event):
    """Committed before the Provenance leaves: whoever finds this without an end looks in the EHR first."""

    tag: ClassVar[str] = "writeback:provenance:begun"

    fence: int
    launch_id: str


class ProvenancePostponed(Event):
    """The Provenance was certainly not taken this time; it will be tried again."""

    tag: ClassVar[str] = "writeback:provenance:postponed"

    reason: str
    due_at: datetime


class ProvenanceFiled(Event):
    """The Provenance stands in the EHR beside the note."""

    tag: ClassVar[str] = "writeback:provenance:filed"

    resource_id: str | None
    found: bool


class ProvenanceRefused(Event):
    """The EHR did not take the Provenance, or never said whether it did (`unclear`); it is kept here."""

    tag: ClassVar[str] = "writeback:provenance:refused"

    reason: str
