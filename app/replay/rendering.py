"""One ordered write rendered again, under any mapping that is kept as code."""

import json

from app.errors import Corrupt, Misconfigured
from app.ids import TenantId
from app.notes.mappings import ENTRIES, NOTES
from app.notes.snapshot import Snapshot
from app.replay.orders import Ordered
from app.tenants.ehr import EHRs
from app.writebacks.events import WritebackQueued
from vendors.contract import Stored, VendorAdapter


def adapter_of(ehrs: EHRs, tenant_id: TenantId) -> VendorAdapter | None:
    """None for a tenant whose file is gone: nobody can say by which vendor's rules its notes were rendered."""
    try:
        return ehrs.adapter(tenant_id)
    except Misconfigured:
        return None


def same_versions(order: WritebackQueued, adapter: VendorAdapter) -> bool:
    """Whether this order can be rendered here as it was: its mapping is known, its profile is the present one."""
    profile = adapter.profile
    known = order.mapping_version in NOTES or order.mapping_version in ENTRIES
    return known and (order.profile, order.profile_version) == (profile.name, profile.version)


def is_mapped_by(ordered: Ordered, mapping_version: str) -> bool:
    """Whether this mapping is of the kind that made the payload; a retraction is made by none."""
    mine = ENTRIES if ordered.order.proposal_id else NOTES
    return mapping_version in mine and ordered.order.mutation != "retract"


def rendered(adapter: VendorAdapter, ordered: Ordered, mapping_version: str) -> bytes:
    """The payload of what was signed, or of what was read just before, under one mapping.

    Raises `Corrupt` or `ValueError` for what cannot be read any more, and `VendorError` where the EHR's rules say no.
    """
    order = ordered.order
    if order.mutation == "retract":
        return adapter.retraction(_base(ordered)).payload
    if ordered.snapshot is None:
        raise Corrupt("What was signed cannot be read.")
    snapshot = Snapshot.model_validate_json(ordered.snapshot)
    if order.proposal_id:
        entry = next((one for one in snapshot.entries if one.proposal_id == order.proposal_id), None)
        if entry is None:
            raise Corrupt("A write was ordered that was not signed.")
        return adapter.render_entry(ENTRIES[mapping_version](snapshot, entry))
    note = NOTES[mapping_version](snapshot)
    return adapter.amendment(_base(ordered), note).payload if order.base else adapter.render_note(note)


def _base(ordered: Ordered) -> Stored:
    """The resource as it was read before the change was signed."""
    if ordered.base is None:
        raise Corrupt("What was to be changed cannot be read.")
    resource = json.loads(ordered.base)
    version = resource.get("meta", {}).get("versionId")
    return Stored(resource, ordered.order.target_id, version, ordered.order.if_match or None, ordered.base)
