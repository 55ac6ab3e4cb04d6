"""Does an absence still count? It was found by searching for our identifier, which an EHR may turn out to drop."""

from sqlalchemy import Connection

from app.ids import TenantId
from app.tenants import identifiers
from app.writebacks.state import WritebackState

IDENTIFIER_LOST = "identifier_lost"


def is_void(tx: Connection, tenant_id: TenantId, state: WritebackState) -> bool:
    """Whether a write was called absent by what says nothing: it may be in the chart, and the EHR is asked again.

    To be relied on only while the tenant's log is held, since a loss is noted under it.
    """
    return state.was_called_absent and not identifiers.are_kept(tx, tenant_id)


def may_have_been_void(tx: Connection, tenant_id: TenantId, state: WritebackState) -> bool:
    """The same, also where the write was ended since, by whomever, before or after the loss was seen."""
    return state.was_in_doubt and not identifiers.are_kept(tx, tenant_id)
