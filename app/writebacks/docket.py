"""What one signature enters in the record: contents, events, the ledger, the outbox.

It is collected first and stored afterwards, with one statement for each table, together with the dockets of others who
sign at the same moment. Nothing is in the database before `enter`.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore, SealedRows, reference_to, store
from app.event_log.append import Addition, append_all
from app.event_log.event import ArtifactRef, Event
from app.ids import TenantId, WritebackId
from app.outbox import rows as outbox
from app.outbox.rows import Partition
from app.writebacks import ledger
from app.writebacks.events import CopyOffered, WritebackQueued
from app.writebacks.handlers import stream_of


class Docket:
    """Collects what one person enters for one tenant at one moment."""

    def __init__(self, artifacts: ArtifactStore, tenant_id: TenantId, actor: str, now: datetime) -> None:
        self.tenant_id = tenant_id
        self.contents: list[SealedRows] = []
        self.additions: list[Addition] = []
        self.mutations: list[ledger.Mutation] = []
        self.waiting: list[dict[str, object]] = []
        self.acts: list[Callable[[Connection], object]] = []
        self._artifacts, self._actor, self._now = artifacts, actor, now

    def keep(self, kind: ArtifactKind, content: bytes) -> ArtifactRef:
        """Seal `content`, to be kept; returns the reference that an event should carry."""
        sealed = self._artifacts.sealed(self.tenant_id, kind, content, self._now)
        self.contents.append(sealed)
        return reference_to(sealed)

    def append(self, stream: str, expected_version: int, event: Event, causation: str) -> str:
        """Add an event to a stream; returns what is to be named as the cause of what follows from it."""
        self.additions.append(Addition(stream, expected_version, [event], self._actor, causation, self._now))
        return f"{stream}@{expected_version + 1}"

    def queue(self, writeback_id: WritebackId, order: WritebackQueued, causation: str) -> Partition:
        """Order a write; returns the partition to ring for once it is entered."""
        partition, key = Partition(self.tenant_id, order.workflow), order.idempotency_key
        self.append(stream_of(writeback_id), 0, order, causation)
        self.mutations.append(ledger.Mutation(key, self.tenant_id, writeback_id, order.payload_digest, self._now))
        row = outbox.waiting(writeback_id, partition, self._now, order.launch_id, order.note_id)
        self.waiting.append(row)
        return partition

    def offer_copy(self, writeback_id: WritebackId, offer: CopyOffered, causation: str) -> None:
        """Hand what was signed over for copying."""
        self.append(stream_of(writeback_id), 0, offer, causation)

    def then(self, act: Callable[[Connection], object]) -> None:
        """Do this too in the transaction that enters the docket, after it: a change of what was entered before."""
        self.acts.append(act)


def enter(tx: Connection, *dockets: Docket) -> None:
    """Store these dockets, all of one tenant, in this order.

    Raises `StreamMoved` when somebody else appended to one of their streams first, `Conflict` when a key of the ledger
    was used for another payload, and `Corrupt` when it was used at all: what is signed is ordered once. The caller's
    transaction must then end. The log is locked after what is only inserted and before the ledger, so that of two who
    order the same write one waits for the other, and never each for the other.
    """
    store(tx, [one for docket in dockets for one in docket.contents])
    append_all(tx, dockets[0].tenant_id, [one for docket in dockets for one in docket.additions])
    ledger.order(tx, [one for docket in dockets for one in docket.mutations])
    outbox.put_all(tx, [one for docket in dockets for one in docket.waiting])
    for docket in dockets:
        for act in docket.acts:
            act(tx)
