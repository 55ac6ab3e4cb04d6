"""A signer's own parked writes go on under their own newer token: at their launch, or at the next sweep after it.

A write may stop for want of a token just after its signer's launch looked for what waits, as a correction does whose
original that launch woke; or another launch of theirs in the same chart was open before it stopped. Then no launch
would come. It goes from a launch to a newer one only: one whose newest token is refused too waits for the next.
"""

from sqlalchemy import Connection

from app.collaborators import Collaborators
from app.errors import AddressChanged
from app.ids import WritebackId
from app.outbox import rows as outbox
from app.outbox.rows import Partition
from app.projections import follower, write_status
from app.tenants import launches
from app.tenants.launches import Launch
from app.tenants.moved_bases import is_same_ehr
from app.writebacks.commands import ResumeWrite
from app.writebacks.handlers import load
from app.writebacks.state import Stage, WritebackState


def resume_parked(parts: Collaborators, launch: Launch, actor: str) -> None:
    """The same clinician in the same chart again: their own parked writes go on under their own new token.

    `actor` is who has it go on: the clinician by their launch, or the sweeper after it.
    """
    if not parts.signing.may_file(launch):
        return  # this launch may not write; the next one that may will find the note waiting
    follower.catch_up(parts.database, launch.tenant_id)
    with parts.database.read() as tx:
        known = write_status.waiting_for_sign_in(tx, launch.tenant_id, launch.issuer, launch.subject, launch.patient)
        # Looked at before it is held: what goes on waiting must not cost a transaction at every sweep.
        waiting = [
            one for one in map(WritebackId, known) if _waits_for(tx, parts, load(tx, launch.tenant_id, one), launch)
        ]
    for writeback_id in waiting:
        partition = _resume(parts, launch, writeback_id, actor)
        if partition:
            parts.relay.ring(partition)


def newer_launches(parts: Collaborators) -> list[Launch]:
    """The open launches of signers whose writes stopped under an older one of theirs, the newest first."""
    with parts.database.read() as tx:
        return [launches.find(tx, one) for one in write_status.newer_launches(tx, parts.clock())]


def _resume(parts: Collaborators, launch: Launch, writeback_id: WritebackId, actor: str) -> Partition | None:
    """Let one parked write go on; None when it does not wait for this launch."""
    with parts.database.write() as tx:
        outbox.hold(tx, writeback_id)  # before it is read: it could be parked anew meanwhile, for something else
        state = load(tx, launch.tenant_id, writeback_id)
        if not _waits_for(tx, parts, state, launch):
            return None
        command = ResumeWrite(launch.launch_id)
        parts.writebacks.by_person(tx, launch.tenant_id, writeback_id, command, actor, parts.clock())
    return Partition(launch.tenant_id, state.queued.workflow)


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
