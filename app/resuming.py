"""A signer's own parked writes go on under their own newer token: at their launch, or at the next sweep after it.

A write may stop for want of a token just after its signer's launch looked for what waits, as a correction does whose
original that launch woke; or another launch of theirs in the same chart was open before it stopped. Then no launch
would come. It goes from a launch to a newer one only: one whose newest token is refused too waits for the next.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from app.collaborators import Collaborators
from app.errors import AddressChanged, LaunchEnded
from app.ids import WritebackId
from app.outbox import rows as outbox
from app.outbox.rows import Partition
from app.projections import follower, write_status
from app.tenants import launches
from app.tenants.launches import Launch
from app.tenants.moved_bases import is_same_ehr
from app.writebacks.commands import ResumeWrite
from app.writebacks.handlers import SWEEPER, load
from app.writebacks.state import Stage, WritebackState


def resume_parked(parts: Collaborators, launch: Launch) -> None:
    """The same clinician in the same chart again: their own parked writes go on under their own new token."""
    follower.catch_up(parts.database, launch.tenant_id)
    with parts.database.read() as tx:
        waiting = write_status.waiting_for_sign_in(tx, launch.tenant_id, launch.issuer, launch.subject, launch.patient)
    for writeback_id in waiting:
        _resume(parts, WritebackId(writeback_id), launch)


def newer_launches(parts: Collaborators) -> dict[WritebackId, tuple[Launch, ...]]:
    """What stopped for want of a token, and the open launches that its signer began later, the newest first.

    Only those, whatever else of the signer waits: what was refused under the newest one would else be tried again at
    every sweep.
    """
    with parts.database.read() as tx:
        newer = [(one, launches.find(tx, which)) for one, which in write_status.newer_launches(tx, parts.clock())]
    found: dict[WritebackId, tuple[Launch, ...]] = {}
    for one, launch in newer:
        found[WritebackId(one)] = (*found.get(WritebackId(one), ()), launch)
    return found


def resume_under_newest(parts: Collaborators, writeback_id: WritebackId, newer: Iterable[Launch]) -> None:
    """The sweeper's: let a write go on under the first of these launches that it waits for."""
    with parts.tenants.steady():
        for launch in newer:
            if _resume(parts, writeback_id, launch, by_sweeper=True):
                return


def _resume(parts: Collaborators, writeback_id: WritebackId, launch: Launch, *, by_sweeper: bool = False) -> bool:
    """Let one parked write go on under this launch, if that is what it waits for and the launch may file."""
    if not parts.signing.may_file(launch):
        return False  # the next one that may will find the note waiting
    with parts.database.read() as tx:
        # Looked at before it is held: what goes on waiting must not cost a transaction at every sweep.
        if not _waits_for(tx, parts, load(tx, launch.tenant_id, writeback_id), launch):
            return False
    with parts.database.write() as tx:
        if by_sweeper and not _is_open(tx, parts, launch):
            return False
        outbox.hold(tx, writeback_id)  # before it is read: it could be parked anew meanwhile, for something else
        state = load(tx, launch.tenant_id, writeback_id)
        if not _waits_for(tx, parts, state, launch):
            return False
        # The sweeper looked a while ago; who launches is here, whatever the clocks say.
        if by_sweeper and launches.find(tx, state.launch_id).created_at >= launch.created_at:
            return False
        actor = SWEEPER if by_sweeper else launch.actor
        command = ResumeWrite(launch.launch_id)
        parts.writebacks.by_person(tx, launch.tenant_id, writeback_id, command, actor, parts.clock())
    parts.relay.ring(Partition(launch.tenant_id, state.queued.workflow))
    return True


def _is_open(tx: Connection, parts: Collaborators, launch: Launch) -> bool:
    """Whether the launch did not end meanwhile; then it does not before this transaction does."""
    try:
        launches.hold_open(tx, launch.launch_id, parts.clock())
    except LaunchEnded:
        return False
    return True


def _waits_for(tx: Connection, parts: Collaborators, state: WritebackState, launch: Launch) -> bool:
    """Whether the write stopped for want of a token, and this launch's token is its author's, for the same EHR.

    One that stopped because the EHR moved waits for an administrator first (F45). One whose access had ended before
    that is tried, and then says so too.
    """
    if state.stage is not Stage.PARKED or state.queued.author != launch.fhir_user:
        return False
    if state.parked_for == AddressChanged.code:
        return is_same_ehr(tx, parts.tenants.require(launch.tenant_id), state.queued.fhir_base)
    return state.parked_for == "reauth"
