"""Where each write stands: one row for each write-back, for the worklist and the counts that operations look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from structlog import get_logger

from app.db import upsert
from app.errors import Corrupt
from app.event_log.read import read_streams
from app.event_log.recorded import Recorded
from app.outbox.tables import outbox
from app.projections.tables import write_status as table
from app.tenants.tables import launches
from app.writebacks.fold import fold

PREFIX = "writeback:"
# Parked for these, a write goes on when its signer has a token for where the EHR is now.
FOR_SIGN_IN = ("reauth", "address_changed")

log = get_logger()


def project(tx: Connection, batch: Sequence[Recorded]) -> None:
    """Refresh the row of every write-back that the events, all of one tenant, belong to.

    One whose history contradicts itself keeps the row that it has; the others of its tenant must not wait for it.
    """
    last = {recorded.stream: recorded for recorded in batch if recorded.stream.startswith(PREFIX)}
    rows = []
    for stream, history in read_streams(tx, batch[0].tenant_id, last) if last else ():
        try:
            rows += _row(last[stream], history)
        except Corrupt:
            log.critical("write_corrupt", writeback=stream.removeprefix(PREFIX), tenant=batch[0].tenant_id)
    upsert(tx, table, rows)


def _row(recorded: Recorded, history: Iterable[Recorded]) -> list[dict[str, Any]]:
    state = fold(event for event in history if event.version <= recorded.version)
    if state.order is None or state.stage is None:
        return []
    row = {
        "writeback_id": recorded.stream.removeprefix(PREFIX),
        "tenant_id": recorded.tenant_id,
        "note_id": state.order.note_id,
        "patient": state.order.patient,
        "author_issuer": state.order.author_issuer,
        "author_subject": state.order.author_subject,
        "stage": state.stage,
        "parked_for": state.parked_for,
        "attempts": state.attempts,
        "since": recorded.recorded_at,
    }
    return [row]


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """How many writes stand at each stage, by tenant and stage."""
    query = select(table.c.tenant_id, table.c.stage, func.count()).group_by(table.c.tenant_id, table.c.stage)
    return {(tenant_id, stage): count for tenant_id, stage, count in tx.execute(query)}


def of_note(tx: Connection, tenant_id: str, note_id: str) -> list[str]:
    """The write-backs of one note: of its versions, its retractions, and what was signed with it."""
    query = select(table.c.writeback_id).where(table.c.tenant_id == tenant_id, table.c.note_id == note_id)
    return list(tx.execute(query.order_by(table.c.since)).scalars())


def not_at(tx: Connection, tenant_id: str, stages: Iterable[str]) -> list[str]:
    """The write-backs of a tenant that stand at none of these stages, the longest wait first."""
    query = select(table.c.writeback_id).where(table.c.tenant_id == tenant_id, table.c.stage.notin_(list(stages)))
    return list(tx.execute(query.order_by(table.c.since)).scalars())


def stopped(tx: Connection, most: int) -> list[tuple[str, str]]:
    """Tenant and id of the writes that wait for a person, the longest wait first."""
    waits = ("parked", "drifted", "overridden", "missing", "rejected")
    query = select(table.c.tenant_id, table.c.writeback_id).where(table.c.stage.in_(waits))
    return [(row.tenant_id, row.writeback_id) for row in tx.execute(query.order_by(table.c.since).limit(most))]


def waiting_for_switch(tx: Connection) -> list[tuple[str, str, str]]:
    """Tenant, workflow and id of every write that stopped because writing was switched off."""
    query = (
        select(table.c.tenant_id, outbox.c.workflow, table.c.writeback_id)
        .join(outbox, outbox.c.writeback_id == table.c.writeback_id)
        .where(table.c.stage == "parked", table.c.parked_for == "switched_off")
        .order_by(table.c.since)
    )
    return [(row.tenant_id, row.workflow, row.writeback_id) for row in tx.execute(query)]


def newer_launches(tx: Connection, now: datetime) -> list[tuple[str, str]]:
    """The writes that stopped for want of a token, each with every open launch that its signer began later.

    In the same chart, the newest first.
    """
    older = launches.alias("older")
    query = (
        select(table.c.writeback_id, launches.c.launch_id)
        .join(table, (table.c.tenant_id == launches.c.tenant_id) & (table.c.patient == launches.c.patient))
        .join(outbox, outbox.c.writeback_id == table.c.writeback_id)
        .join(older, older.c.launch_id == outbox.c.launch_id)
        .where(table.c.author_issuer == launches.c.issuer, table.c.author_subject == launches.c.subject)
        .where(table.c.stage == "parked", table.c.parked_for.in_(FOR_SIGN_IN))
        .where(launches.c.created_at > older.c.created_at)
        .where(launches.c.ended_at.is_(None), launches.c.expires_at > now)
        .order_by(launches.c.created_at.desc())
    )
    return [(row.writeback_id, row.launch_id) for row in tx.execute(query)]


def waiting_for_sign_in(tx: Connection, tenant_id: str, issuer: str, subject: str, patient: str) -> list[str]:
    """The write-backs of this user about this patient that stopped for want of a token for the EHR's address."""
    query = (
        select(table.c.writeback_id)
        .where(table.c.tenant_id == tenant_id, table.c.patient == patient)
        .where(table.c.author_issuer == issuer, table.c.author_subject == subject)
        .where(table.c.stage == "parked", table.c.parked_for.in_(FOR_SIGN_IN))
    )
    return list(tx.execute(query).scalars())


@dataclass(frozen=True)
class ParkedWrites:
    """Writes of one tenant that stopped for one reason, and since when the first of them waits."""

    tenant_id: str
    reason: str
    count: int
    oldest: datetime


def parked(tx: Connection) -> list[ParkedWrites]:
    """What stopped and waits, by tenant and reason, the longest wait first."""
    oldest = func.min(table.c.since).label("oldest")
    query = (
        select(table.c.tenant_id, table.c.parked_for, func.count().label("count"), oldest)
        .where(table.c.stage == "parked")
        .group_by(table.c.tenant_id, table.c.parked_for)
        .order_by(oldest)
    )
    return [ParkedWrites(row.tenant_id, row.parked_for, row[2], row.oldest) for row in tx.execute(query)]
