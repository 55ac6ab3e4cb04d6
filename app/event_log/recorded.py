"""An event as it stands in the log, and the hash that chains it to the one before."""

from dataclasses import dataclass
from datetime import datetime

from app.event_log.canonical import canonical_json, digest
from app.event_log.event import Event

GENESIS = "0" * 64


@dataclass(frozen=True)
class Recorded:
    """One row of the log: the event with where, when, by whom and because of what it was recorded."""

    tenant_id: str
    sequence: int
    stream: str
    version: int
    event: Event
    actor: str
    causation: str
    recorded_at: datetime


def chain_hash(previous: str, row: dict[str, object], payload: bytes) -> str:
    """SHA-256 over the previous hash and everything the row says; the payload enters as the bytes stored."""
    covered = {
        name: row[name]
        for name in (
            "tenant_id",
            "sequence",
            "stream",
            "version",
            "tag",
            "schema_version",
            "actor",
            "causation",
        )
    }
    recorded_at = row["recorded_at"]
    if not isinstance(recorded_at, datetime):
        raise TypeError("recorded_at must be a datetime")
    covered["recorded_at"] = recorded_at.isoformat(timespec="microseconds")
    return digest(previous.encode() + b"\n" + canonical_json(covered) + b"\n" + payload)
