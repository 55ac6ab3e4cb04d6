"""What another mapping would make of every write that was ever ordered, told without clinical words, sending nothing.

Fields are told by their path and by how many writes they differ in. What was never sent can be regenerated, as it was
shown: whoever approves names the fingerprint of exactly those payloads.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from app.artifacts.store import ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import Conflict, CountersignError
from app.event_log.canonical import canonical_json, digest
from app.event_log.read import read_streams
from app.ids import TenantId, WritebackId
from app.replay.orders import READ_AT_ONCE, Ordered, all_ordered
from app.replay.rendering import adapter_of, is_mapped_by, rendered, same_versions
from app.tenants.ehr import EHRs
from app.writebacks.commands import RegenerateWrite
from app.writebacks.fold import fold
from app.writebacks.handlers import WritebackCommands
from vendors.errors import VendorError


@dataclass
class Changes:
    """Writes of one vendor, pending or past: how many, how many would change or be refused, and in which fields."""

    writes: int = 0
    changed: int = 0
    refused: int = 0
    fields: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Regeneration:
    """One pending write with the payload that the other mapping gives it."""

    tenant_id: TenantId
    stream: str
    replaces: str
    payload: bytes = field(repr=False)

    @property
    def writeback_id(self) -> WritebackId:
        """The write-back's id."""
        return WritebackId(self.stream.partition(":")[2])


@dataclass
class Preview:
    """What a mapping would change, by vendor; `not_compared` were rendered under another profile, or by no mapping."""

    mapping_version: str
    pending: dict[str, Changes] = field(default_factory=dict)
    past: dict[str, Changes] = field(default_factory=dict)
    not_compared: int = 0
    regenerations: list[Regeneration] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Stands for exactly these new payloads of exactly these pending writes."""
        shown = sorted((one.tenant_id, one.stream, one.replaces, digest(one.payload)) for one in self.regenerations)
        return digest(canonical_json([self.mapping_version, shown]))[:16]


def preview(tx: Connection, artifacts: ArtifactStore, ehrs: EHRs, mapping_version: str) -> Preview:
    """Render every write under `mapping_version` too, and say where it differs from what was ordered."""
    found = Preview(mapping_version)
    ordered = all_ordered(tx, artifacts)
    while part := list(islice(ordered, READ_AT_ONCE)):
        never_sent = set(_never_sent(tx, part))
        for one in part:
            _compare(found, one, ehrs, pending=(one.tenant_id, one.stream) in never_sent)
    return found


def regenerate(
    database: Database,
    writebacks: WritebackCommands,
    shown: Preview,
    approved: str,
    approver: str,
    clock: Clock,
) -> int:
    """Let the new payloads take the place of those that were never sent; returns how many.

    One that has begun to be sent since it was shown is left as it is. Raises `Conflict` when what was approved is not
    what would be done now.
    """
    if approved != shown.fingerprint:
        raise Conflict("What waits is not what was approved.", "Run it without --approve, read it, and approve that.")
    done = 0
    for one in shown.regenerations:
        command = RegenerateWrite(one.payload, shown.mapping_version, one.replaces)
        with database.write() as tx:
            done += writebacks.regenerate(tx, one.tenant_id, one.writeback_id, command, approver, clock())
    return done


def _never_sent(tx: Connection, part: list[Ordered]) -> Iterator[tuple[str, str]]:
    for tenant_id in {one.tenant_id for one in part}:
        streams = [one.stream for one in part if one.tenant_id == tenant_id]
        for stream, history in read_streams(tx, tenant_id, streams):
            if fold(history).was_never_sent:
                yield tenant_id, stream


def _compare(found: Preview, ordered: Ordered, ehrs: EHRs, *, pending: bool) -> None:
    adapter = adapter_of(ehrs, ordered.tenant_id)
    mapped = adapter is not None and same_versions(ordered.order, adapter)
    if adapter is None or not mapped or not is_mapped_by(ordered, found.mapping_version):
        found.not_compared += 1
        return
    changes = (found.pending if pending else found.past).setdefault(ordered.order.profile, Changes())
    changes.writes += 1
    try:
        anew = rendered(adapter, ordered, found.mapping_version)
        paths = set(_different(json.loads(ordered.payload or b""), json.loads(anew)))
    except (CountersignError, VendorError, ValueError):
        changes.refused += 1
        return
    changes.changed += bool(paths)
    changes.fields |= {path: changes.fields.get(path, 0) + 1 for path in paths}
    if pending and paths:
        found.regenerations.append(Regeneration(ordered.tenant_id, ordered.stream, ordered.order.payload_digest, anew))


def _different(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The paths at which two resources differ, without their values and without positions in lists."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _different(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from _different(one, other, f"{path}[]")
    elif before != after:
        yield path
