"""A person ends what stopped: looks again, says what became of it, or wakes it. Nothing here writes to the EHR."""

from collections.abc import Callable

from sqlalchemy import Connection

from app.clock import Clock
from app.db import Database
from app.errors import BadInput
from app.ids import LaunchId, TenantId, WritebackId
from app.outbox import rows as outbox
from app.outbox.dead_letters import revive
from app.outbox.rows import Partition
from app.reconciliation import followed, followers
from app.reconciliation.changes import ChangeThere
from app.reconciliation.replacing import take_its_place
from app.tenants import launches
from app.tenants.ehr import Signer
from app.tenants.events import TenantWriteWoken
from app.tenants.tenant_log import record
from app.writebacks.commands import ResumeWrite, SettleWrite
from app.writebacks.endings import OUTCOMES, REFERENCE, Ending, Person, endings_for
from app.writebacks.handlers import WritebackCommands, load
from app.writebacks.state import REPLACED, Stage, WritebackState

Ring = Callable[[Partition], object]
# A person says that it, or what the EHR made of it, is in the chart.
STANDS_THERE = frozenset({Ending.IN_CHART, Ending.COPY, Ending.ACCEPT})
# Unless it was taken away there, and that is right.
AWAY = frozenset({ChangeThere.DELETED, ChangeThere.INVALIDATED, ChangeThere.MOVED, ChangeThere.REPLACED})
MOVED_ON = "This does not wait for you any more."
WHERE_NOW = "Look again where it stands now."


class Stopped:
    """Ends writes that wait for a person."""

    def __init__(self, database: Database, writebacks: WritebackCommands, ring: Ring, clock: Clock) -> None:
        self._database = database
        self._writebacks = writebacks
        self._ring = ring
        self._clock = clock

    def end(
        self,
        tenant_id: TenantId,
        writeback_id: WritebackId,
        ending: str,
        person: Person,
        *,
        actor: str,
        reference: str = "",
        launch_id: LaunchId | None = None,
    ) -> None:
        """Do what this person chose. `launch_id`: the signer's present launch, under which it may go on.

        Raises `BadInput` for an ending that is not theirs, that the write does not wait for any more, or that needs a
        reference and has none.
        """
        with self._database.write() as tx:
            outbox.hold(tx, writeback_id)
            state = load(tx, tenant_id, writeback_id)
            chosen = next((one for one in endings_for(state, person) if one == ending), None)
            if chosen is None:
                raise BadInput(MOVED_ON, WHERE_NOW)
            if chosen is Ending.ACCEPT and state.stands_as_signed:
                _require_no_change(tx, tenant_id, writeback_id, state)
            if chosen is Ending.LOOK_AGAIN:
                self._look_again(tx, tenant_id, writeback_id, state, actor, launch_id)
            elif chosen in OUTCOMES:
                command = SettleWrite(OUTCOMES[chosen], _checked(reference, person))
                self._writebacks.by_person(tx, tenant_id, writeback_id, command, actor, self._clock())
                outbox.stop(tx, writeback_id)
                followed.seek(tx, tenant_id, writeback_id, self._clock())
                if chosen in STANDS_THERE:
                    self._take_its_place(tx, tenant_id, writeback_id, state)
        if chosen is Ending.LOOK_AGAIN and state.stage is Stage.PARKED:
            self._ring(Partition(tenant_id, state.queued.workflow))

    def wake(self, tenant_id: TenantId, writeback_id: WritebackId, *, actor: str) -> None:
        """Have a dead letter worked on again: what broke on it was mended, or may have been.

        Raises `BadInput` for a write that is none.
        """
        with self._database.write() as tx:
            now = self._clock()
            partition = revive(tx, tenant_id, writeback_id, now)
            if partition is None:
                raise BadInput("This write was not put aside.", WHERE_NOW)
            record(tx, tenant_id, TenantWriteWoken(writeback_id=writeback_id), actor=actor, now=now)
        self._ring(partition)

    def _take_its_place(
        self, tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, state: WritebackState
    ) -> None:
        """What was to take another document's place stands there, by a person's word."""
        if state.queued.supersedes == REPLACED and state.change_there not in AWAY:
            take_its_place(tx, self._writebacks, tenant_id, writeback_id, state.queued, self._clock())

    def _look_again(
        self,
        tx: Connection,
        tenant_id: TenantId,
        writeback_id: WritebackId,
        state: WritebackState,
        actor: str,
        launch_id: LaunchId | None,
    ) -> None:
        now = self._clock()
        if state.stage is Stage.PARKED:
            command = ResumeWrite(_under(tx, state, launch_id))
            self._writebacks.by_person(tx, tenant_id, writeback_id, command, actor, now)
        else:
            followed.hasten_write(tx, tenant_id, writeback_id, now)


def _require_no_change(tx: Connection, tenant_id: TenantId, writeback_id: WritebackId, state: WritebackState) -> None:
    """What its signer has retracted meanwhile cannot stay as it is. Raises `BadInput`."""
    if followers.wait(tx, tenant_id, state.queued.note_id, writeback_id):
        raise BadInput("A change of yours is on its way for this one.", "See on the note's page what becomes of it.")


def _under(tx: Connection, state: WritebackState, launch_id: LaunchId | None) -> LaunchId:
    """The launch that it goes on under: the present one where it is the signer's own for this chart (A63).

    Under another one it would stop where nobody could end it. Whether the EHR is the same is asked before it leaves.
    """
    order = state.queued
    signer = Signer(order.author_issuer, order.author_subject, order.author, order.patient, order.fhir_base)
    is_theirs = launch_id is not None and signer.is_of(launches.find(tx, launch_id))
    return launch_id if launch_id is not None and is_theirs else state.launch_id


def _checked(reference: str, person: Person) -> str:
    """The reference as it is written down. Raises `BadInput`."""
    if reference and not REFERENCE.fullmatch(reference):
        again = "Write it again." if person is Person.OPERATIONS else "Write it again, or leave it out."
        raise BadInput("A reference is a resource or a ticket, without blanks.", again)
    if not reference and person is Person.OPERATIONS:
        raise BadInput("Whoever gives a write up for somebody else names the ticket.", "Write its number.")
    return reference
