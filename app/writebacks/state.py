"""Where a write-back stands. `TRANSITIONS` is the drawing of its life after signature; `fold` goes along it."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.errors import Corrupt
from app.event_log.event import ArtifactRef, Event
from app.ids import LaunchId
from app.writebacks.events import (
    AbsenceProven,
    AbsenceSeen,
    AttemptBegun,
    AttemptPostponed,
    CopyConfirmed,
    CopyOffered,
    OutcomeBecameUnknown,
    ProvenanceBegun,
    ProvenanceFiled,
    ProvenancePostponed,
    ProvenanceRefused,
    WritebackCancelled,
    WritebackDrifted,
    WritebackFiled,
    WritebackOverridden,
    WritebackParked,
    WritebackQueued,
    WritebackRegenerated,
    WritebackRejected,
    WritebackRestored,
    WritebackResumed,
    WritebackSettled,
    WritebackSuperseded,
    WritebackVerified,
    WritebackWentMissing,
)


class Stage(StrEnum):
    """Where a write stands; every stage has words on the page (`pages/status.py`)."""

    QUEUED = "queued"
    SENDING = "sending"
    OUTCOME_UNKNOWN = "outcome_unknown"
    FILED = "filed"
    VERIFIED = "verified"
    DRIFTED = "drifted"
    REJECTED = "rejected"
    PARKED = "parked"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    OVERRIDDEN = "overridden"
    MISSING = "missing"
    SETTLED = "settled"
    AWAITING_COPY = "awaiting_copy"
    COPIED = "copied"


NO_LAUNCH = LaunchId("")
# Our own database is a copy from before: whether the EHR holds what waits here, only the EHR knows (F50).
RESTORED = "database_restored"
# The EHR answered 202: it took the write, and may file it whenever it likes (C04).
ACCEPTED_NOT_FILED = "accepted_not_filed"
# A later version takes its place, and the EHR still shows it as current beside that one: nobody changed it there.
LEFT_CURRENT = "left_current"
# The EHR filed it after a person had ended it because it did not show it.
CAME_LATE = "came_late"
# How a new document takes the place of an earlier one, which stays where it is.
REPLACED = "replaced"
# How a person ended a write that the chart did not show: it is not to be there any more, or a copy of its text is.
ABANDONED = "abandoned"
COPIED_BY_HAND = "copied_by_hand"
# Parked because the EHR did not show it, and nothing says that it never will.
UNSEEN = frozenset({"unproven", "missing"})
# Parked because something else is in the way: it was seen in the chart.
CONFLICT = "conflict"
# Parked because so many sends had no clear answer.
MANUAL = "manual"
S = Stage
SAME = None
# It is, or was, in the chart: what the sweep of filed writes follows.
IN_CHART = frozenset({S.VERIFIED, S.DRIFTED, S.OVERRIDDEN, S.MISSING})
# The Provenance of what was filed is still true when a later version took its place.
ITS_PROVENANCE: frozenset[Stage | None] = frozenset({S.VERIFIED, S.SUPERSEDED})
TRANSITIONS: dict[type[Event], tuple[frozenset[Stage | None], Stage | None]] = {
    WritebackQueued: (frozenset({None}), S.QUEUED),
    CopyOffered: (frozenset({None}), S.AWAITING_COPY),
    CopyConfirmed: (frozenset({S.AWAITING_COPY}), S.COPIED),
    AttemptBegun: (frozenset({S.QUEUED}), S.SENDING),
    AttemptPostponed: (frozenset({S.QUEUED, S.SENDING}), S.QUEUED),
    # From `queued`, or `parked` from there: our own database was restored (F50), or the EHR drops identifiers (F25).
    OutcomeBecameUnknown: (frozenset({S.SENDING, S.QUEUED, S.PARKED}), S.OUTCOME_UNKNOWN),
    AbsenceSeen: (frozenset({S.OUTCOME_UNKNOWN}), S.OUTCOME_UNKNOWN),
    AbsenceProven: (frozenset({S.OUTCOME_UNKNOWN}), S.QUEUED),
    # From `parked`: where it stopped because the EHR did not show it, and is seen there now.
    WritebackFiled: (frozenset({S.SENDING, S.OUTCOME_UNKNOWN, S.PARKED}), S.FILED),
    WritebackVerified: (frozenset({S.FILED}), S.VERIFIED),
    WritebackDrifted: (frozenset({S.FILED}), S.DRIFTED),
    WritebackRejected: (frozenset({S.SENDING}), S.REJECTED),
    # At `verified` only the Provenance is left to send, and it too needs its signer's token.
    WritebackParked: (frozenset({S.QUEUED, S.SENDING, S.OUTCOME_UNKNOWN, S.FILED, S.VERIFIED}), S.PARKED),
    # From `parked`: only if parked from `queued`.
    WritebackCancelled: (frozenset({S.QUEUED, S.PARKED, S.AWAITING_COPY}), S.CANCELLED),
    WritebackRegenerated: (frozenset({S.QUEUED, S.PARKED}), SAME),  # only if nothing was ever sent
    WritebackSuperseded: (
        IN_CHART | {S.PARKED, S.AWAITING_COPY},
        S.SUPERSEDED,
    ),  # from `parked`: only if parked from `verified`
    # From `parked`, both: only if parked from `verified`, while its Provenance waits for somebody.
    # From `superseded`: where the EHR goes on showing it as current. From `settled`: where it came after that.
    WritebackOverridden: (IN_CHART | {S.PARKED, S.SUPERSEDED, S.SETTLED}, S.OVERRIDDEN),
    WritebackWentMissing: (frozenset({S.VERIFIED, S.DRIFTED, S.OVERRIDDEN, S.PARKED}), S.MISSING),
    WritebackRestored: (frozenset({S.DRIFTED, S.OVERRIDDEN, S.MISSING}), S.VERIFIED),
    WritebackSettled: (frozenset({S.PARKED, S.DRIFTED, S.OVERRIDDEN, S.MISSING, S.REJECTED}), S.SETTLED),
    WritebackResumed: (frozenset({S.PARKED}), SAME),  # back to the stage that it was parked from
    ProvenanceBegun: (ITS_PROVENANCE, SAME),
    ProvenancePostponed: (ITS_PROVENANCE, SAME),
    ProvenanceFiled: (ITS_PROVENANCE, SAME),
    ProvenanceRefused: (ITS_PROVENANCE, SAME),
}


class WritebackState(NamedTuple):
    """One write now. `version` is the version of its stream; `launch_id` names the grant that may send it.

    A tuple, since every event makes a new one and a tuple is copied several times faster than a dataclass.
    """

    version: int = 0
    stage: Stage | None = None
    order: WritebackQueued | CopyOffered | None = None
    launch_id: LaunchId = NO_LAUNCH
    attempts: int = 0
    absences: int = 0
    absence_counts_from: datetime | None = None
    unclear: int = 0
    unknown_for: str = ""
    adopted: bool = False
    parked_from: Stage | None = None
    parked_for: str = ""
    postponed_for: str = ""
    resource_id: str | None = None
    resource_version: str | None = None
    reply: ArtifactRef | None = None
    stored: ArtifactRef | None = None
    differences: tuple[str, ...] = ()
    # What a person did to it in the EHR, who the EHR says it was, and whose right to read found it.
    change_there: str = ""
    changed_by: str = ""
    # The later write that took its place, and how.
    superseded_by: str = ""
    superseded_how: str = ""
    read_under: str = ""
    settled_as: str = ""
    settled_reference: str = ""
    provenance_settled: bool = False
    provenance_unclear: int = 0
    provenance_begun_at: datetime | None = None
    times: tuple[tuple[str, datetime], ...] = ()

    def since(self, stage: Stage) -> datetime | None:
        """When the write last entered `stage`."""
        return next((when for name, when in reversed(self.times) if name == stage), None)

    @property
    def can_be_taken_back(self) -> bool:
        """Whether certainly nothing of it was executed, and nothing is under way (F42)."""
        return self.stage is S.QUEUED or (self.stage is S.PARKED and self.parked_from is S.QUEUED)

    @property
    def can_be_cancelled(self) -> bool:
        """The same, or it was only offered to be entered by hand, and nobody has said that it was."""
        return self.can_be_taken_back or self.stage is S.AWAITING_COPY

    @property
    def was_called_absent(self) -> bool:
        """Whether it waits to be sent because it was looked for and not found; of creates only.

        What was in doubt and waits again was called absent in between, however often it had left as far as we know: a
        database that was restored knows of no attempt, and a person's word forgives the unclear ones.
        """
        return self.was_in_doubt and self.can_be_taken_back

    @property
    def was_in_doubt(self) -> bool:
        """Whether nobody knew at some time if it was executed, however it ended since; of creates only."""
        return self._is_create and bool(self.unknown_for)

    @property
    def was_never_sent(self) -> bool:
        """Whether it never left and never was in doubt, so that nobody outside can know its payload."""
        is_unsent = isinstance(self.order, WritebackQueued) and self.can_be_taken_back
        return is_unsent and not self.attempts and not self.unknown_for

    @property
    def _is_create(self) -> bool:
        return isinstance(self.order, WritebackQueued) and self.order.interaction == "create"

    @property
    def in_chart_as(self) -> Stage | None:
        """Its stage as far as the chart goes: where only its Provenance waits for somebody it stands there verified."""
        return S.VERIFIED if self.stage is S.PARKED and self.parked_from is S.VERIFIED else self.stage

    @property
    def is_in_chart(self) -> bool:
        """Whether it stands in the chart as far as we know; only its Provenance may be left to send."""
        return self.in_chart_as in IN_CHART - {S.MISSING}

    @property
    def may_be_in_chart(self) -> bool:
        """Whether a person ended it while nobody knew, or while the EHR had said that it took it; of creates only.

        What changes a resource says by its `If-Match` whether it was executed.
        """
        return self._is_create and self.parked_from in (S.SENDING, S.OUTCOME_UNKNOWN, S.FILED)

    @property
    def may_still_appear(self) -> bool:
        """Whether the chart does not show it, nobody sends it any more, and the EHR may show it yet; a create."""
        if self.stage is S.PARKED:
            return self.may_be_in_chart and self.parked_for in UNSEEN
        if self.stage is not S.SETTLED or self.settled_as not in (ABANDONED, COPIED_BY_HAND):
            return False
        was_missing = self._is_create and self.times[-2][0] == S.MISSING
        return was_missing or (self.may_be_in_chart and self.parked_for != CONFLICT)

    @property
    def is_replaced(self) -> bool:
        """Whether a later version took its place in the chart, which leaves it where it is; whatever came since."""
        return self.superseded_how == REPLACED

    @property
    def is_left_current(self) -> bool:
        """Whether it stands there as it was filed, and as current, although a later version takes its place."""
        return self.stage is S.OVERRIDDEN and self.change_there == LEFT_CURRENT

    @property
    def stands_as_signed(self) -> bool:
        """Whether it is exactly what was signed, though there is news of it: it can be changed like what was filed."""
        news = self.stage is S.OVERRIDDEN and self.change_there in (LEFT_CURRENT, CAME_LATE)
        return news and not self.differences

    def reached(self, stage: Stage) -> datetime | None:
        """When the write first came to `stage`."""
        return next((when for name, when in self.times if name == stage), None)

    @property
    def queued(self) -> WritebackQueued:
        """The order to write; raises `Corrupt` for a write that is not to be sent."""
        if not isinstance(self.order, WritebackQueued):
            raise Corrupt("This write was never queued.")
        return self.order
