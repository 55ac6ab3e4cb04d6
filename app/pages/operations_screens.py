"""What the template of the operations page is given."""

from dataclasses import dataclass

from app.pages.admin.screens import SwitchRow
from app.pages.stopped_screens import EndingOffer


@dataclass(frozen=True)
class Count:
    tenant_id: str
    organization: str
    by_stage: tuple[tuple[str, int], ...]
    total: int


@dataclass(frozen=True)
class ParkedRow:
    tenant_id: str
    organization: str
    reason: str
    words: str
    count: int
    oldest: str


@dataclass(frozen=True)
class QueueRow:
    tenant_id: str
    workflow: str
    waiting: int
    due: int
    oldest: str
    undelivered: str  # since when the one that waits longest was ordered; "" where that is not long


@dataclass(frozen=True)
class HeldRow:  # a tenant whose EHR is left alone, or does not answer
    organization: str
    words: str


@dataclass(frozen=True)
class DeadRow:  # a write that our own code cannot work on
    tenant_id: str
    organization: str
    writeback_id: str
    words: str


@dataclass(frozen=True)
class StoppedRow:  # one write that waits for a person
    tenant_id: str
    organization: str
    writeback_id: str
    kind: str  # "DocumentReference"
    words: str  # "Parked: conflict"
    why: str  # "" where it is not parked
    endings: tuple[EndingOffer, ...]


@dataclass(frozen=True)
class OperationsScreen:  # templates/admin/operations.html
    at: str
    done: str
    stages: tuple[tuple[str, str], ...]
    counts: tuple[Count, ...]
    parked: tuple[ParkedRow, ...]
    stopped: tuple[StoppedRow, ...]
    queues: tuple[QueueRow, ...]
    held: tuple[HeldRow, ...]
    dead: tuple[DeadRow, ...]
    queue_answers: bool
    switches: tuple[tuple[str, SwitchRow], ...]
