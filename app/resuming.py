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


def resume_parked(parts: Collaborators, launch: Launch) -> None:
    """The same clinician in the same chart again: their own parked writes go on under their own new token."""
    follower.catch_up(parts.database, launch.tenant_id)
    with parts.database.read() as tx:
        waiting = write_status.waiting_for_sign_in(tx, launch.tenant_id, launch.issuer, launch.subject, launch.patient)
    for writeback_id in waiting:
        resume(parts, WritebackId(writeback_id), launch, launch.actor)


def newer_launches(parts: Collaborators) -> dict[WritebackId, Launch]:
    """What stopped for want of a token, and the newest open launch of its signer that may file and that it never tried.

    Only such a launch, whatever else of the signer waits: what was refused under its newest one would else be tried
    again at every sweep.
    """
    with parts.database.read() as tx:
        newer = [(one, launches.find(tx, which)) for one, which in write_status.newer_launches(tx, parts.clock())]
    newest: dict[WritebackId, Launch] = {}
    for writeback_id, launch in newer:
        if parts.signing.may_file(launch):
            newest.setdefault(WritebackId(writeback_id), launch)
    return newest


def resume(parts: Collaborators, writeback_id: WritebackId, launch: Launch, actor: str) -> None:
    """Let one parked write go on under this launch, if that is what it waits for and the launch may file.

    `actor` is who has it go on: the clinician by their launch, or the sweeper after it.
    """
    if not parts.signing.may_file(launch):
        return  # the next one that may will find the note waiting
    with parts.database.read() as tx:
        # Looked at before it is held: what goes on waiting must not cost a transaction at every sweep.
        if not _waits_for(tx, parts, load(tx, launch.tenant_id, writeback_id), launch):
            return
    with parts.database.write() as tx:
        outbox.hold(tx, writeback_id)  # before it is read: it could be parked anew meanwhile, for something else
        state = load(tx, launch.tenant_id, writeback_id)
        if not _waits_for(tx, parts, state, launch):
            return
        command = ResumeWrite(launch.launch_id)
        parts.writebacks.by_person(tx, launch.tenant_id, writeback_id, command, actor, parts.clock())
    parts.relay.ring(Partition(launch.tenant_id, state.queued.workflow))


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
