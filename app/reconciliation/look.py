"""One look at what was filed: what stands there now, whether it stands there twice, and whether that is known.

Reads, and never writes.
"""

from dataclasses import dataclass

from app.reconciliation import held
from app.reconciliation.changes import ChangeThere, is_current, is_void
from app.reconciliation.compare import Comparison
from app.reconciliation.held import Found
from app.tenants.reading import Reader
from app.writebacks.state import Stage, WritebackState
from vendors.contract import VendorAdapter
from vendors.errors import NotAuthorized, NotFound, Unsupported


@dataclass(frozen=True)
class Look:
    """What one look found, and under whose right.

    `twin`: another copy that stands there beside it. `is_other`: the one that was followed was put away by a person,
    and `found` is the copy that was left.
    """

    reader: Reader
    found: Found | NotFound
    twin: Found | None = None
    is_other: bool = False


def read(adapter: VendorAdapter, reader: Reader, state: WritebackState, payload: bytes) -> Look:
    """Read it, and look whether it stands there twice. Raises `VendorError`; not its 404, which is an answer."""
    found: Found | NotFound
    if state.may_still_appear:
        return _sought(adapter, reader, state, payload)
    try:
        found = held.read_held(adapter, reader.transport, state.queued, payload, state.resource_id or "")
    except NotFound as gone:
        found = gone
    copies = _copies(adapter, reader, state, payload)
    if copies and (isinstance(found, NotFound) or is_void(found.raw)):
        return Look(reader, copies[0], next(iter(copies[1:]), None), is_other=True)
    return Look(reader, found, next(iter(copies), None))


def _sought(adapter: VendorAdapter, reader: Reader, state: WritebackState, payload: bytes) -> Look:
    """Whether what was not there has come: the very resource, or one that carries our identifier.

    The same words alone say nothing here: whoever was asked to look may have copied them into the chart by hand.
    """
    try:
        found = held.read_back(adapter, reader.transport, state, payload)
    except Unsupported:
        found = ()
    certain = [one for one in found if state.resource_id or held.is_marked(state.queued, one)]
    came = [one for one in certain if not is_void(one.raw)]
    if not came:
        return Look(reader, NotFound(adapter.profile.title, "search", status=None))
    return Look(reader, came[0], next(iter(came[1:]), None))


def _copies(adapter: VendorAdapter, reader: Reader, state: WritebackState, payload: bytes) -> list[Found]:
    """The other copies that count there. Whoever may not search is told of none, unless one was seen before."""
    try:
        found = held.twins(adapter, reader.transport, state, payload)
    except (NotAuthorized, Unsupported):
        if was_doubled(state):
            raise
        return []
    return [one for one in found if (is_current(one.raw) if state.is_replaced else not is_void(one.raw))]


def was_doubled(state: WritebackState) -> bool:
    """Whether its signer was told that it stands there twice."""
    return state.stage is Stage.OVERRIDDEN and state.change_there == ChangeThere.DOUBLED


def is_doubled(state: WritebackState, look: Look) -> bool:
    """Whether two copies stand there, or stood there until a person put that one away which we took for the note."""
    return look.twin is not None or (look.is_other and state.in_chart_as in (Stage.VERIFIED, Stage.DRIFTED))


def is_known(state: WritebackState, found: Found, comparison: Comparison) -> bool:
    """Whether this difference is recorded already: the same version, or where none is told the same fields."""
    if state.stage not in (Stage.DRIFTED, Stage.OVERRIDDEN) or state.change_there == ChangeThere.DELETED:
        return False
    if found.version is not None and state.resource_version is not None:
        return found.version == state.resource_version
    return comparison.serious == tuple(name for name in state.differences if name in comparison.serious)
