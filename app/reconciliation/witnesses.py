"""Who changed it, and what became of its patient, as far as the EHR says so. Reads; no answer is no error."""

import json
from typing import Any

from app.reconciliation.held import Found, is_replaced
from app.tenants.reading import Reader
from app.writebacks.events import WritebackQueued
from vendors.contract import VendorAdapter
from vendors.errors import NotFound, VendorError
from vendors.transport import FHIRTransport


def who_changed(
    adapter: VendorAdapter, transport: FHIRTransport, target: str, found: Found, order: WritebackQueued
) -> str:
    """The reference of who the EHR says changed it: by a Provenance of this version, else by its authors; else empty.

    A Provenance of an earlier version speaks of somebody else's act.
    """
    try:
        listed = adapter.find_provenance(transport, target)
    except VendorError:
        listed = []
    version = f"{target}/_history/{found.version}"
    about = [one for one in listed if any(_reference(each, transport) == version for each in _list(one, "target"))]
    for provenance in sorted(about, key=lambda one: str(one.get("recorded", "")), reverse=True):
        for agent in _list(provenance, "agent"):
            if who := _reference(agent.get("who"), transport):
                return who
    authors = [_reference(one, transport) for one in _list(json.loads(found.raw), "author")]
    return next((one for one in authors if one and one != order.author), "")


def is_merged(reader: Reader, patient: str) -> bool | None:
    """Whether this patient's record is another one now: replaced, closed, or gone (R4 Patient.link, Patient.active).

    None: it cannot be told; the right to read does not reach the record, a visitor is not shown it, or no answer came.
    """
    if not reader.reads_patients:
        return None
    try:
        return is_replaced(reader.transport, patient)
    except NotFound as gone:
        return None if reader.is_a_visitors or gone.status is None else True
    except VendorError:
        return None


def _list(resource: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = resource.get(name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _reference(value: object, transport: FHIRTransport) -> str:
    return transport.relative(str(value.get("reference", ""))) if isinstance(value, dict) else ""
