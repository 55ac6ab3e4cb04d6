"""What the EHR holds of one write, whatever its resource type and however it travelled. Reads, and never writes.

A create is looked for by our identifier or its exact content; an update, a patch or a retraction by reading the very
resource that it acted on. What is found carries its comparison with what was signed.
"""

import json
from dataclasses import dataclass, field

from app.reconciliation.changes import ChangeThere
from app.reconciliation.compare import Comparison, compare
from app.reconciliation.compare_resources import compare_entry, compare_patched, compare_retracted, is_retracted
from app.writebacks.events import WritebackQueued
from app.writebacks.state import WritebackState
from vendors.contract import Stored, StoredNote, VendorAdapter
from vendors.errors import NotAuthorized, NotFound, VendorError
from vendors.notes import identifiers
from vendors.transport import FHIRTransport

NOTE = "DocumentReference"
REPLACED_BY = "replaced-by"
ANOTHER = "other-resource"  # the old id leads to the record that survives (vendors/transport.py)


@dataclass(frozen=True)
class Found:
    """One resource of the chart, compared with what was signed; `is_ours` when it holds what this write carried."""

    resource_id: str
    version: str | None
    comparison: Comparison
    is_ours: bool
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Located:
    """What asking for a write of unknown outcome found.

    `moved`: its base was changed by another since, or is gone; or a create may have gone into another patient's chart.
    """

    found: tuple[Found, ...] = ()
    moved: bool = False


def locate(adapter: VendorAdapter, transport: FHIRTransport, state: WritebackState, payload: bytes) -> Located:
    """Whether the EHR holds a write whose answer was lost. Raises `VendorError` when it cannot be asked."""
    order = state.queued
    if order.interaction == "create":
        created = _created(adapter, transport, state, payload)
        return Located(created, moved=not created and _went_with_its_patient(transport, order.patient))
    try:
        target = read_held(adapter, transport, order, payload, order.target_id)
    except NotFound:
        return Located(moved=True)
    if target.is_ours:
        return Located((target,))
    return Located(moved=not _is_base(order, target.version))


def read_back(
    adapter: VendorAdapter, transport: FHIRTransport, state: WritebackState, payload: bytes
) -> tuple[Found, ...]:
    """What stands in the chart for a write that the EHR said it took: nothing, one, or twins. Raises `VendorError`."""
    order = state.queued
    if order.interaction == "create":
        return _created(adapter, transport, state, payload)
    try:
        return (read_held(adapter, transport, order, payload, order.target_id),)
    except NotFound:
        return ()


def read_held(
    adapter: VendorAdapter, transport: FHIRTransport, order: WritebackQueued, payload: bytes, resource_id: str
) -> Found:
    """One resource by its id, compared with what was signed. Raises `VendorError`, `NotFound` when it is not there."""
    if _is_note(order):
        return _note(order, payload, adapter.read_note(transport, resource_id))
    return _entry(order, payload, adapter.read(transport, order.resource_type, resource_id))


def twins(adapter: VendorAdapter, transport: FHIRTransport, state: WritebackState, payload: bytes) -> tuple[Found, ...]:
    """What else of the chart is this create: searched for only where it may have been executed more than once, or was.

    Raises `VendorError` when it cannot be asked.
    """
    order = state.queued
    was_told = state.change_there == ChangeThere.DOUBLED
    if order.interaction != "create" or not (state.adopted or state.attempts > 1 or was_told):
        return ()
    found = _searched(adapter, transport, order, payload)
    return tuple(one for one in found if one.resource_id != state.resource_id)


def is_marked(order: WritebackQueued, found: Found) -> bool:
    """Whether it carries our identifier, which nobody copies by hand."""
    return tuple(order.identifier.split("|", 1)) in set(identifiers(json.loads(found.raw)))


def _created(
    adapter: VendorAdapter, transport: FHIRTransport, state: WritebackState, payload: bytes
) -> tuple[Found, ...]:
    """Every resource of the chart that is this create.

    One that the EHR named is read by its id, and only there a 404 speaks of ours.
    """
    order = state.queued
    if not state.resource_id:
        return _searched(adapter, transport, order, payload)
    try:
        named = read_held(adapter, transport, order, payload, state.resource_id)
    except NotFound:
        return ()
    return (named, *twins(adapter, transport, state, payload))


def is_replaced(transport: FHIRTransport, patient: str) -> bool:
    """Whether a patient's record is closed, or another one now (FHIR R4 Patient.link, Patient.active).

    Raises `NotFound` where there is none any more, `VendorError` when it cannot be asked.
    """
    try:
        stored = transport.read("Patient", patient.removeprefix("Patient/")).resource
    except VendorError as error:
        if ANOTHER in error.issue_codes:
            return True
        raise
    links = stored.get("link")
    listed = links if isinstance(links, list) else []
    is_linked = any(isinstance(link, dict) and link.get("type") == REPLACED_BY for link in listed)
    return is_linked or stored.get("active") is False


def _went_with_its_patient(transport: FHIRTransport, patient: str) -> bool:
    """Whether the chart that was searched is no longer the patient's: what was filed may stand in another (F43)."""
    try:
        return is_replaced(transport, patient)
    except NotAuthorized:
        return False  # this grant does not reach the record; nobody can say
    except NotFound as gone:
        return gone.status is not None


def _searched(
    adapter: VendorAdapter, transport: FHIRTransport, order: WritebackQueued, payload: bytes
) -> tuple[Found, ...]:
    if _is_note(order):
        return tuple(_note(order, payload, note) for note in adapter.find_notes(transport, payload))
    return tuple(_entry(order, payload, stored) for stored in adapter.find(transport, order.resource_type, payload))


def _is_note(order: WritebackQueued) -> bool:
    """Whether it carries a note's text; a retraction carries a status."""
    return order.resource_type == NOTE and order.mutation != "retract" and order.interaction != "patch"


def _note(order: WritebackQueued, payload: bytes, note: StoredNote) -> Found:
    comparison = compare(payload, note)
    is_ours = comparison.same or tuple(order.identifier.split("|", 1)) in note.identifiers
    return Found(note.resource_id, note.version, comparison, is_ours, note.raw)


def _entry(order: WritebackQueued, payload: bytes, stored: Stored) -> Found:
    if order.mutation == "retract":
        comparison = compare_retracted(payload, stored.resource)
        is_ours = is_retracted(stored.resource)
    else:
        comparison = (compare_patched if order.interaction == "patch" else compare_entry)(payload, stored.resource)
        is_ours = comparison.same
    return Found(stored.resource_id, stored.version, comparison, is_ours, stored.body)


def _is_base(order: WritebackQueued, version: str | None) -> bool:
    """Whether the resource still has the version that was acted on; where the EHR tells none, nobody can say that not.

    An ETag quotes the version, weakly: `W/"3"` (FHIR R4 http.html#concurrency).
    """
    return version is None or order.if_match.removeprefix("W/").strip('"') == version
