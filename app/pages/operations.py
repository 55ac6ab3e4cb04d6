"""For whoever keeps it running: where the writes stand, what stopped and why, how deep the queues are, what is off."""

from datetime import datetime

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app.administrators.roles import Act, Area
from app.ids import TenantId, WritebackId
from app.outbox import pace
from app.outbox import rows as outbox
from app.outbox.dead_letters import DeadLetter, dead_letters
from app.outbox.pause import UNDELIVERED_TOO_LONG
from app.pages.admin.doors import guard, visitor
from app.pages.admin.tenant_page import switch_row
from app.pages.admin.words import STAGES, lasting, moment
from app.pages.ending_words import ending_offers
from app.pages.operations_screens import Count, DeadRow, HeldRow, OperationsScreen, ParkedRow, QueueRow, StoppedRow
from app.pages.parked_words import WHY
from app.pages.sessions import collaborators
from app.projections import follower, write_status
from app.tenants import switches
from app.writebacks.endings import Ending, Person
from app.writebacks.handlers import load
from app.writebacks.state import Stage

MOST_STOPPED = 50
DONE = {
    "ended": "Given up. Its signer sees that, and nothing of it is sent any more.",
    "looking": "Countersign asks the EHR again. Load this page again in a minute to see what it found.",
    "woken": "Woken. It goes on from where it stood. If it breaks again, it comes back here.",
}

operations = Blueprint("operations", __name__, url_prefix="/ops")
guard(operations, {"show": Area.OPERATIONS, "end": Act.END_WRITE, "wake": Act.END_WRITE})


@operations.get("/")
def show() -> ResponseReturnValue:
    """The page: everything from rows, nothing estimated."""
    parts = collaborators()
    follower.catch_up(parts.database)
    now = parts.clock()
    with parts.database.read() as tx:
        counts = _counts(tx)
        screen = OperationsScreen(
            at=moment(now),
            done=DONE.get(request.args.get("done", ""), ""),
            stages=_stages(counts),
            counts=counts,
            stopped=tuple(_stopped(tx, *one) for one in write_status.stopped(tx, MOST_STOPPED)),
            parked=tuple(_parked(one, now) for one in write_status.parked(tx)),
            queues=tuple(_queue(one, now) for one in outbox.depths(tx, now)),
            held=tuple(_held(one, now) for one in pace.troubled(tx, now)),
            dead=tuple(_dead(one) for one in dead_letters(tx)),
            queue_answers=parts.relay.reachable(),
            switches=tuple(
                (_name(one.tenant_id), switch_row(tx, parts.tenants.get(one.tenant_id), one))
                for one in switches.turned_off(tx)
            ),
        )
    return render_template("admin/operations.html", screen=screen, visitor=visitor())


@operations.post("/writes/<tenant_id>/<writeback_id>")
def end(tenant_id: str, writeback_id: str) -> ResponseReturnValue:
    """Have the EHR asked about one write again, or give it up with a ticket."""
    ending = request.form.get("ending", "")
    collaborators().stopped.end(
        TenantId(tenant_id),
        WritebackId(writeback_id),
        ending,
        Person.OPERATIONS,
        actor=visitor().account.actor,
        reference=request.form.get("reference", "").strip(),
    )
    return redirect(f"/ops/?done={'looking' if ending == Ending.LOOK_AGAIN else 'ended'}", 303)


@operations.post("/writes/<tenant_id>/<writeback_id>/wake")
def wake(tenant_id: str, writeback_id: str) -> ResponseReturnValue:
    """Have a write go on that our own code had broken on."""
    actor = visitor().account.actor
    collaborators().stopped.wake(TenantId(tenant_id), WritebackId(writeback_id), actor=actor)
    return redirect("/ops/?done=woken", 303)


def _stopped(tx: Connection, tenant_id: str, writeback_id: str) -> StoppedRow:
    """One write that waits for a person; nothing of its patient or its text."""
    state = load(tx, TenantId(tenant_id), WritebackId(writeback_id))
    word = STAGES[state.stage] if state.stage else ""
    kind = state.order.resource_type if state.order else ""
    return StoppedRow(
        tenant_id,
        _name(tenant_id),
        writeback_id,
        kind,
        f"{word}: {state.parked_for}" if state.stage is Stage.PARKED else word,
        WHY.get(state.parked_for, "") if state.stage is Stage.PARKED else "",
        ending_offers(state, Person.OPERATIONS),
    )


def _counts(tx: Connection) -> tuple[Count, ...]:
    found = write_status.counts(tx)
    tenants = sorted({tenant_id for tenant_id, _ in found})
    rows = ((tenant_id, tuple((stage, found.get((tenant_id, stage), 0)) for stage in STAGES)) for tenant_id in tenants)
    return tuple(Count(one, _name(one), stages, sum(count for _, count in stages)) for one, stages in rows)


def _stages(counts: tuple[Count, ...]) -> tuple[tuple[str, str], ...]:
    """The stages at which anything stands; a column of nothing but zeros is not worth its width."""
    held = {stage for one in counts for stage, count in one.by_stage if count}
    return tuple((stage, word) for stage, word in STAGES.items() if stage in held)


def _parked(one: write_status.ParkedWrites, now: datetime) -> ParkedRow:
    words = WHY.get(one.reason, "")
    return ParkedRow(one.tenant_id, _name(one.tenant_id), one.reason, words, one.count, lasting(now - one.oldest))


def _queue(one: outbox.Depth, now: datetime) -> QueueRow:
    partition = one.partition
    oldest = lasting(now - one.oldest) if one.oldest else ""
    waited = now - (one.undelivered or now)
    undelivered = lasting(waited) if waited > UNDELIVERED_TOO_LONG else ""
    return QueueRow(_name(partition.tenant_id), partition.workflow, one.waiting, one.due, oldest, undelivered)


def _held(one: pace.Held, now: datetime) -> HeldRow:
    """Why nothing leaves for this EHR, or what it did last."""
    left_alone = f"Left alone for another {lasting(one.until - now)}. " if one.until and one.until > now else ""
    if one.failing_since:
        words = f"No usable answer {one.failures} times in a row, since {lasting(now - one.failing_since)}."
    else:
        words = "It asked to be left alone." if one.why == pace.ASKED else ""
    return HeldRow(_name(one.tenant_id), left_alone + words)


def _dead(one: DeadLetter) -> DeadRow:
    return DeadRow(one.tenant_id, _name(one.tenant_id), one.writeback_id, f"{one.why}, since {moment(one.since)}.")


def _name(tenant_id: str) -> str:
    tenant = collaborators().tenants.get(tenant_id)
    return tenant.organization if tenant else tenant_id
