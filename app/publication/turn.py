"""Has a write's turn come? One that changes another never leaves before that one stands in the chart (F41).

Notes of one chart are signed one after the other, and an EHR may take them in any order: without this gate a correction
could arrive before what it corrects. A total table from the stage of the write before to what the later one does.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from structlog import get_logger

from app.db import Database
from app.ids import WritebackId
from app.outbox import rows as outbox
from app.outbox.dead_letters import put_aside
from app.outbox.pause import pause_after
from app.outbox.rows import Lease
from app.writebacks.commands import ParkWrite
from app.writebacks.handlers import WritebackCommands, load
from app.writebacks.state import Stage, WritebackState

ORIGINAL_NOT_FILED = "original_not_filed"
WAITS_FOR_ORIGINAL = "waits_for_original"

log = get_logger()


class Gate(StrEnum):
    """What a write does that follows another one."""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"
    ASK = "ask"


GATES: dict[Stage, Gate] = {
    Stage.QUEUED: Gate.WAIT,
    Stage.SENDING: Gate.WAIT,
    Stage.OUTCOME_UNKNOWN: Gate.WAIT,
    Stage.FILED: Gate.WAIT,
    Stage.VERIFIED: Gate.GO,
    Stage.DRIFTED: Gate.GO,
    Stage.OVERRIDDEN: Gate.GO,
    Stage.SUPERSEDED: Gate.GO,
    Stage.PARKED: Gate.WAIT,  # somebody will end it, and then it is one of the others
    Stage.MISSING: Gate.STOP,
    Stage.REJECTED: Gate.STOP,
    Stage.CANCELLED: Gate.STOP,
    Stage.SETTLED: Gate.STOP,
    Stage.AWAITING_COPY: Gate.STOP,
    Stage.COPIED: Gate.STOP,
}
if missing := set(Stage) - GATES.keys():
    raise TypeError(f"these stages of a write do not say what its followers do: {sorted(missing)}")


def gate(original: WritebackState, *, takes_its_place: bool, is_put_aside: bool = False) -> Gate:
    """What a write does whose original stands so; an addendum does not take its place.

    What a person changed in the EHR meanwhile, or what was never stored as it was signed, is not put aside by an older
    signature: a person decides.

    While the original's Provenance is under way it waits too: the two are about one document, and that one is sent as
    it now stands. A Provenance that waits for its signer, or that was put aside because our own code broke on it, holds
    nobody up: a retraction must not wait for an administrator.
    """
    was_changed = original.stage in (Stage.OVERRIDDEN, Stage.DRIFTED) and not original.stands_as_signed
    if was_changed and takes_its_place:
        return Gate.ASK
    if original.stage is Stage.VERIFIED and not original.provenance_settled and not is_put_aside:
        return Gate.WAIT
    if original.is_in_chart:
        return Gate.GO
    return GATES[original.stage] if original.stage else Gate.WAIT


class Turn:
    """Lets a write go when the one before it stands in the chart."""

    def __init__(self, database: Database, writebacks: WritebackCommands) -> None:
        self._database = database
        self._writebacks = writebacks

    def has_come(self, lease: Lease, state: WritebackState, now: datetime) -> bool:
        """Whether it may be sent now; if not it is put off, without an event, or parked. Raises `Fenced`."""
        with self._database.write() as tx:
            which, takes_its_place = WritebackId(state.queued.follows), bool(state.queued.supersedes)
            original, is_put_aside = load(tx, lease.tenant_id, which), bool(put_aside(tx, {which}))
            match gate(original, takes_its_place=takes_its_place, is_put_aside=is_put_aside):
                case Gate.GO:
                    return True
                case Gate.STOP:
                    self._writebacks.by_worker(tx, lease, ParkWrite(ORIGINAL_NOT_FILED), now)
                case Gate.ASK:
                    self._writebacks.by_worker(tx, lease, ParkWrite("conflict"), now)
                case Gate.WAIT:
                    log.info(WAITS_FOR_ORIGINAL, writeback=lease.writeback_id, tenant=lease.tenant_id)
                    waited = now - (state.since(Stage.QUEUED) or now)
                    outbox.release(tx, lease, now + pause_after(max(waited, timedelta(0))))
        return False
