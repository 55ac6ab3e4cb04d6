"""Everything that can be asked of a write-back."""

from dataclasses import dataclass, field
from datetime import datetime

from app.errors import AddressChanged, NeedsSignIn


@dataclass(frozen=True)
class BeginAttempt:
    """Commit that a send is about to start. `fence` is the lease's."""

    fence: int


@dataclass(frozen=True)
class PostponeAttempt:
    """It was certainly not executed; try again at `due_at`."""

    reason: str
    due_at: datetime


@dataclass(frozen=True)
class MarkUnknown:
    """Bytes left, no trustworthy answer came; the EHR must be asked from `due_at` on."""

    reason: str
    due_at: datetime


@dataclass(frozen=True)
class NoteAbsence:
    """The EHR was asked late enough and does not hold it. The next such answer counts from `due_at` on.

    After `needed` of them the absence is proven, or, where asking proves nothing, the write stops for `park_for`.
    """

    needed: int
    due_at: datetime
    park_for: str | None = None


@dataclass(frozen=True)
class RecordFiled:
    """The EHR holds it: it answered the send (`found` False), or was asked afterwards (`found` True)."""

    resource_type: str
    resource_id: str | None
    resource_version: str | None
    status: int | None
    found: bool
    reply: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class RecordReadBack:
    """What the EHR stored was compared with what was signed."""

    resource_id: str
    resource_version: str | None
    same: bool
    differences: tuple[str, ...]
    stored: bytes = field(repr=False)


@dataclass(frozen=True)
class RejectWrite:
    """The EHR read it and said no."""

    reason: str
    status: int | None
    issue_codes: tuple[str, ...]


@dataclass(frozen=True)
class ParkWrite:
    """Stop until a person acts."""

    reason: str


@dataclass(frozen=True)
class ResumeWrite:
    """Go on under the token of this new launch of the same signer in the same chart."""

    launch_id: str


@dataclass(frozen=True)
class CancelWrite:
    """Take a write back that certainly has not been executed (F42)."""

    reason: str


@dataclass(frozen=True)
class RegenerateWrite:
    """Let another mapping's payload take the place of one of which nothing was ever sent, as somebody approved it.

    `replaces` is the digest of the payload that they were shown.
    """

    payload: bytes = field(repr=False)
    mapping_version: str
    replaces: str


@dataclass(frozen=True)
class SupersedeWrite:
    """The write-back `by` took its place in the chart: `how` is replaced, amended or retracted."""

    by: str
    how: str


@dataclass(frozen=True)
class RecordOverride:
    """A person changed in the EHR what was filed; `stored` is what stands there now, empty when it was removed."""

    change: str
    resource_id: str
    resource_version: str | None
    differences: tuple[str, ...]
    changed_by: str
    read_under: str
    stored: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class RecordMissing:
    """What was verified in the EHR is not there any more."""

    read_under: str


@dataclass(frozen=True)
class RecordRestored:
    """What had been changed or was missing stands in the EHR again as it was signed."""

    resource_id: str
    resource_version: str | None
    read_under: str
    stored: bytes = field(repr=False)


@dataclass(frozen=True)
class SettleWrite:
    """A person ends what a machine must not decide."""

    outcome: str
    reference: str = ""


@dataclass(frozen=True)
class ConfirmCopy:
    """The clinician copied the note into the chart."""


@dataclass(frozen=True)
class BeginProvenance:
    """Commit that the Provenance is about to leave. `fence` is the lease's."""

    fence: int


@dataclass(frozen=True)
class PostponeProvenance:
    """The Provenance was certainly not taken; try again at `due_at`."""

    reason: str
    due_at: datetime


@dataclass(frozen=True)
class RecordProvenance:
    """The Provenance stands in the EHR."""

    resource_id: str | None
    found: bool


@dataclass(frozen=True)
class RefuseProvenance:
    """The EHR did not take the Provenance, or nobody can say whether it did."""

    reason: str


Command = (
    BeginAttempt
    | PostponeAttempt
    | MarkUnknown
    | NoteAbsence
    | RecordFiled
    | RecordReadBack
    | RejectWrite
    | ParkWrite
    | ResumeWrite
    | CancelWrite
    | RegenerateWrite
    | SupersedeWrite
    | RecordOverride
    | RecordMissing
    | RecordRestored
    | SettleWrite
    | ConfirmCopy
    | BeginProvenance
    | PostponeProvenance
    | RecordProvenance
    | RefuseProvenance
)


def park_without_grant(error: NeedsSignIn) -> ParkWrite:
    """Stop because the signer's token cannot be used: it has ended, or it was granted for another address."""
    return ParkWrite(AddressChanged.code if isinstance(error, AddressChanged) else "reauth")
