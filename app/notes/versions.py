"""The signed versions of a note with where each stands, and which of them a change acts on."""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.ids import TenantId, WritebackId
from app.notes.commands import Kind
from app.notes.events import NoteRetracted, NoteSigned
from app.notes.state import NoteState
from app.policy.mutation import Standing
from app.writebacks import absence
from app.writebacks.handlers import load
from app.writebacks.state import COPIED_BY_HAND, Stage, WritebackState

# What a person said when ending a write that nevertheless means: the note is in the chart.
IN_CHART_BY_HAND = frozenset({"filed_by_hand", COPIED_BY_HAND})
# Or that what stands in the chart, which is not what was signed, is right.
ACCEPTED = "accepted"
STANDINGS: dict[Stage, Standing] = {
    Stage.QUEUED: Standing.UNSENT,
    Stage.SENDING: Standing.ON_ITS_WAY,
    Stage.OUTCOME_UNKNOWN: Standing.ON_ITS_WAY,
    Stage.FILED: Standing.ON_ITS_WAY,
    Stage.PARKED: Standing.ON_ITS_WAY,
    Stage.VERIFIED: Standing.FILED,
    Stage.DRIFTED: Standing.CHANGED,
    Stage.OVERRIDDEN: Standing.CHANGED,
    Stage.MISSING: Standing.MISSING,
    Stage.REJECTED: Standing.NOT_FILED,
    Stage.CANCELLED: Standing.NOT_FILED,
    Stage.SETTLED: Standing.NOT_FILED,
    Stage.SUPERSEDED: Standing.RETRACTED,  # by a retraction: what was replaced has a later version, which counts
    Stage.AWAITING_COPY: Standing.COPIED,
    Stage.COPIED: Standing.COPIED,
}
if missing := set(Stage) - STANDINGS.keys():
    raise TypeError(f"these stages of a write do not say where its note stands: {sorted(missing)}")

# What still waits is asked for again by itself; for what was ended, somebody has to look.
IN_DOUBT_AGAIN = {Standing.UNSENT: Standing.ON_ITS_WAY, Standing.NOT_FILED: Standing.MISSING}


@dataclass(frozen=True)
class Version:
    """One signature of a note, and the write that carries it; `retraction` is the write that takes it back, if any."""

    signed: NoteSigned
    write: WritebackState
    retraction: WritebackState | None = None
    retraction_id: WritebackId | None = None
    # It was called absent by a search that has turned out to say nothing (F25).
    may_have_arrived: bool = False

    @property
    def writeback_id(self) -> WritebackId:
        """The write that carries it."""
        return WritebackId(self.signed.writeback_id)

    @property
    def is_addendum(self) -> bool:
        """Whether it stands beside the note, rather than being it."""
        return self.signed.kind == Kind.ADDENDUM

    @property
    def standing(self) -> Standing:
        """Where it stands, for whoever wants to change it."""
        if self.retraction and not did_not_hold(self.retraction):
            return Standing.RETRACTED
        standing = standing_of_write(self.write)
        return IN_DOUBT_AGAIN.get(standing, standing) if self.may_have_arrived else standing


def did_not_hold(retraction: WritebackState) -> bool:
    """Whether it ended without the note being marked in the chart, by its signer's word if it was sent."""
    accepted_as_it_stands = retraction.stage is Stage.SETTLED and retraction.settled_as == ACCEPTED
    was_undone = accepted_as_it_stands and "status" in retraction.differences
    return was_undone or standing_of_write(retraction) is Standing.NOT_FILED


def standing_of_write(write: WritebackState) -> Standing:
    """Where one write stands, for whoever wants to change what it carries."""
    if write.can_be_taken_back:
        return Standing.UNSENT
    if write.stands_as_signed or (write.stage is Stage.PARKED and write.is_in_chart):
        return Standing.FILED
    if write.stage is Stage.SETTLED and write.settled_as in IN_CHART_BY_HAND:
        return Standing.COPIED
    if write.stage is Stage.SETTLED and write.settled_as == ACCEPTED:
        return Standing.CHANGED
    if write.stage is Stage.SETTLED and write.may_be_in_chart:
        return Standing.MISSING
    return STANDINGS[_stage(write)]


def versions_of(tx: Connection, tenant_id: TenantId, state: NoteState) -> tuple[Version, ...]:
    """Every signed version, oldest first."""
    retracted = {one.retracts: one for one in state.retractions}  # the last one, where the EHR refused those before
    return tuple(_version(tx, tenant_id, signed, retracted) for signed in state.signatures)


def original_of(versions: tuple[Version, ...]) -> Version:
    """The version that a change acts on: the latest of the note itself that is in the chart or may come there.

    Where none is, the latest. An addendum is not the note.
    """
    main = [version for version in versions if not version.is_addendum]
    standing = [version for version in main if version.standing is not Standing.NOT_FILED]
    return (standing or main)[-1]


def _version(tx: Connection, tenant_id: TenantId, signed: NoteSigned, retracted: dict[str, NoteRetracted]) -> Version:
    write = load(tx, tenant_id, WritebackId(signed.writeback_id))
    may_have_arrived = absence.may_have_been_void(tx, tenant_id, write)
    if signed.writeback_id not in retracted:
        return Version(signed, write, may_have_arrived=may_have_arrived)
    taken_back_by = WritebackId(retracted[signed.writeback_id].writeback_id)
    return Version(signed, write, load(tx, tenant_id, taken_back_by), taken_back_by, may_have_arrived)


def _stage(write: WritebackState) -> Stage:
    return write.stage or Stage.QUEUED
