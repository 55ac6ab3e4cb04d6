"""Rendering every payload again from what was signed, and comparing it byte for byte with what was ordered.

A payload is a function of the signed snapshot, the mapping and the profile; where it changes a filed resource, of that
resource as it was read and kept too. Every mapping is kept as code (`app/notes/mappings.py`); profiles are not. One
that was rendered under another version of its profile cannot be rendered again here; it is counted, and its stored
bytes stay what they are.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.artifacts.store import ArtifactStore
from app.errors import CountersignError
from app.event_log.canonical import digest
from app.replay.orders import Ordered, all_ordered
from app.replay.rendering import adapter_of, rendered, same_versions
from app.tenants.ehr import EHRs
from vendors.contract import VendorAdapter
from vendors.errors import VendorError


@dataclass(frozen=True)
class ReplayedPayloads:
    """How many payloads came out the same, which did not, and how many another version had rendered."""

    identical: int
    different: tuple[str, ...]
    other_version: int

    @property
    def ok(self) -> bool:
        """Whether every payload that could be rendered again is the same to the byte."""
        return not self.different


def replay_payloads(tx: Connection, artifacts: ArtifactStore, ehrs: EHRs) -> ReplayedPayloads:
    """Render every ordered payload again. What cannot be read or rendered any more counts as different."""
    identical, other_version = 0, 0
    different = []
    for ordered in all_ordered(tx, artifacts):
        adapter = adapter_of(ehrs, ordered.tenant_id)
        if adapter is None or not same_versions(ordered.order, adapter):
            other_version += 1
        elif _is_identical(adapter, ordered):
            identical += 1
        else:
            different.append(ordered.stream)
    return ReplayedPayloads(identical, tuple(different), other_version)


def _is_identical(adapter: VendorAdapter, ordered: Ordered) -> bool:
    if not ordered.is_signed:
        return False
    try:
        again = rendered(adapter, ordered, ordered.order.mapping_version)
    except (CountersignError, VendorError, ValueError):
        return False
    return again == ordered.payload and digest(again) == ordered.order.payload_digest
