"""An event as it stands in the log, and the hash that chains it to the one before."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from json.encoder import encode_basestring as _text
from typing import Any, NamedTuple

from app.event_log.event import Event

GENESIS = "0" * 64


class Recorded(NamedTuple):
    """One row of the log: the event with where, when, by whom and because of what it was recorded."""

    tenant_id: str
    sequence: int
    stream: str
    version: int
    event: Event
    actor: str
    causation: str
    recorded_at: datetime


def chain_hash(previous: str, row: Mapping[str, Any], payload: bytes) -> str:
    """SHA-256 over the previous hash and everything the row says; the payload enters as the bytes stored.

    Raises `TypeError` for a value that no event has.
    """
    recorded_at = row["recorded_at"]
    if not isinstance(recorded_at, datetime):
        raise TypeError("recorded_at must be a datetime")
    return hash_at(recorded_at.isoformat(timespec="microseconds"), previous, row, payload)


def hash_at(moment: str, previous: str, row: Mapping[str, Any], payload: bytes) -> str:
    """The same for a moment that is spelled already as it is hashed, whatever `row` says of it.

    What the row says enters as canonical JSON, which is written out here: this runs for each event of a long log.
    Raises `TypeError` for a value that no event has.
    """
    covered = (
        f'{{"actor":{_text(row["actor"])},"causation":{_text(row["causation"])}'
        f',"recorded_at":"{moment}"'
        f',"schema_version":{_number(row["schema_version"])},"sequence":{_number(row["sequence"])}'
        f',"stream":{_text(row["stream"])},"tag":{_text(row["tag"])}'
        f',"tenant_id":{_text(row["tenant_id"])},"version":{_number(row["version"])}}}'
    )
    return sha256(f"{previous}\n{covered}\n".encode() + payload).hexdigest()


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a number of an event must be whole")
    return value
