"""What one look at the chart says that was not known: the command that records it, or nothing. Reads, never writes."""

from dataclasses import replace

from app.reconciliation.authority import weighed
from app.reconciliation.changes import ChangeThere, change_there, is_about_another_patient, is_current, is_void
from app.reconciliation.compare import Comparison
from app.reconciliation.held import Found
from app.reconciliation.look import Look, is_doubled, is_known, was_doubled
from app.reconciliation.witnesses import is_merged, who_changed
from app.tenants.reading import Reader
from app.writebacks.commands import RecordFiled, RecordMissing, RecordOverride, RecordRestored, SupersedeWrite
from app.writebacks.state import Stage, WritebackState
from vendors.contract import VendorAdapter

News = RecordOverride | RecordMissing | RecordRestored | SupersedeWrite | RecordFiled


def news_of(adapter: VendorAdapter, state: WritebackState, found: Found, look: Look) -> News | None:
    """What is to be recorded of what stands there; None where it is as we knew it."""
    comparison = weighed(state.queued, found.comparison)
    twice_before, twice_now = was_doubled(state), is_doubled(state, look)
    if twice_now and twice_before:
        return None
    # Entered in error is news even where the status is the EHR's own affair.
    is_void_there = state.queued.mutation != "retract" and is_void(found.raw)
    if state.is_replaced and not twice_now and not is_current(found.raw):
        if state.stage is Stage.SUPERSEDED:
            return None
        if not is_void_there and set(comparison.serious) <= {"status"}:
            return SupersedeWrite(state.superseded_by, state.superseded_how)  # it was marked at last
    if comparison.same and not twice_now and not is_void_there:
        return _as_signed(adapter, state, found, look)
    if not twice_now and not twice_before and is_known(state, found, comparison):
        return None
    return _override(adapter, state, found, comparison, look)


def came(adapter: VendorAdapter, state: WritebackState, found: Found, look: Look) -> RecordFiled | RecordOverride:
    """What was not there has come. What waited for it is filed: it is read back, and can never be sent again."""
    if state.stage is Stage.PARKED:
        kind = state.queued.resource_type
        return RecordFiled(kind, found.resource_id, found.version, None, found=True, reply=found.raw)
    news = _override(adapter, state, found, weighed(state.queued, found.comparison), look)
    if news.differences or news.change == ChangeThere.DOUBLED:
        return news  # what was done to it meanwhile, and by whom, says more
    return replace(news, change=ChangeThere.CAME_LATE, changed_by="")


def _as_signed(adapter: VendorAdapter, state: WritebackState, found: Found, look: Look) -> News | None:
    """It stands as it was signed, and as current: news where a later version takes its place, or it was ended.

    FHIR leaves it to the server whether `relatesTo` moves the status of what it names; and one that lost our
    identifier cannot know which is meant, where that had no id of its own yet at the signature (R4
    DocumentReference.status).
    """
    if not state.is_replaced and not state.settled_as:
        return _of_its_patient(state, found, look.reader)
    news = ChangeThere.LEFT_CURRENT if state.is_replaced else ChangeThere.CAME_LATE
    if state.stands_as_signed and state.change_there == news:
        return None
    told = _override(adapter, state, found, found.comparison, look)
    return replace(told, change=news, differences=(), changed_by="")


def _of_its_patient(state: WritebackState, found: Found, reader: Reader) -> News | None:
    """It stands as it was signed; but under a patient's record that may be another one's now (F43)."""
    was_merged = state.stage is Stage.OVERRIDDEN and state.change_there == ChangeThere.MERGED
    merged = is_merged(reader, state.queued.patient)
    if merged:
        args = (found.resource_id, found.version, (), "", reader.under, found.raw)
        return None if was_merged and not state.differences else RecordOverride(ChangeThere.MERGED, *args)
    if state.in_chart_as is Stage.VERIFIED or (was_merged and merged is None):
        return None
    return RecordRestored(found.resource_id, found.version, reader.under, found.raw)


def _override(
    adapter: VendorAdapter, state: WritebackState, found: Found, comparison: Comparison, look: Look
) -> RecordOverride:
    order, differences, reader = state.queued, comparison.serious, look.reader
    merged = is_about_another_patient(differences) and bool(is_merged(reader, order.patient))
    doubled = is_doubled(state, look)
    change = change_there(order, differences, found.raw, is_merged=merged, is_doubled=doubled)
    touched = look.twin or found
    target = f"{order.resource_type}/{touched.resource_id}"
    who = who_changed(adapter, reader.transport, target, touched, order)
    return RecordOverride(change, found.resource_id, found.version, differences, who, reader.under, found.raw)
