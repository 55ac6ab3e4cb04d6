"""For whoever keeps it running: where the writes stand, what stopped and why, how deep the queues are, what is off."""

from datetime import datetime

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app.administrators.roles import Area
from app.outbox import rows as outbox
from app.pages.admin.doors import guard, visitor
from app.pages.admin.screens import Count, OperationsScreen, ParkedRow, QueueRow
from app.pages.admin.tenant_page import switch_row
from app.pages.admin.words import STAGES, lasting, moment
from app.pages.sessions import collaborators
from app.pages.status import PARKED
from app.projections import follower, write_status
from app.tenants import switches

operations = Blueprint("operations", __name__, url_prefix="/ops")
guard(operations, {"show": Area.OPERATIONS})


@operations.get("/")
def show() -> ResponseReturnValue:
    """The page: everything from rows, nothing estimated."""
    parts = collaborators()
    follower.catch_up(parts.database)
    now = parts.clock()
    with parts.database.read() as tx:
        screen = OperationsScreen(
            at=moment(now),
            stages=tuple((stage, word) for stage, word in STAGES.items()),
            counts=_counts(tx),
            parked=tuple(_parked(one, now) for one in write_status.parked(tx)),
            queues=tuple(_queue(one, now) for one in outbox.depths(tx, now)),
            queue_answers=parts.relay.reachable(),
            switches=tuple(
                (_name(one.tenant_id), switch_row(tx, parts.tenants.get(one.tenant_id), one))
                for one in switches.turned_off(tx)
            ),
        )
    return render_template("admin/operations.html", screen=screen, visitor=visitor())


def _counts(tx: Connection) -> tuple[Count, ...]:
    found = write_status.counts(tx)
    tenants = sorted({tenant_id for tenant_id, _ in found})
    rows = ((tenant_id, tuple((stage, found.get((tenant_id, stage), 0)) for stage in STAGES)) for tenant_id in tenants)
    return tuple(Count(one, _name(one), stages, sum(count for _, count in stages)) for one, stages in rows)


def _parked(one: write_status.ParkedWrites, now: datetime) -> ParkedRow:
    words = PARKED.get(one.reason, "").format(ehr="The EHR")
    return ParkedRow(_name(one.tenant_id), one.reason, words, one.count, lasting(now - one.oldest))


def _queue(one: outbox.Depth, now: datetime) -> QueueRow:
    partition = one.partition
    oldest = lasting(now - one.oldest) if one.oldest else ""
    return QueueRow(_name(partition.tenant_id), partition.workflow, one.waiting, one.due, oldest)


def _name(tenant_id: str) -> str:
    tenant = collaborators().tenants.get(tenant_id)
    return tenant.organization if tenant else tenant_id
