"""Does an absence still count? It was believed before the EHR was seen to do what makes its silence no proof."""

from sqlalchemy import Connection

from app.ids import TenantId
from app.tenants import habits
from app.writebacks.state import WritebackState

VOID = "absence_void"


def is_void(tx: Connection, tenant_id: TenantId, state: WritebackState) -> bool:
    """Whether a write was called absent by what says nothing: it may be in the chart, and the EHR is asked again.

    To be relied on only while the tenant's log is held, since a habit is noted under it.
    """
    return state.was_called_absent and not habits.absence_proves(tx, tenant_id)


def may_have_been_void(tx: Connection, tenant_id: TenantId, state: WritebackState) -> bool:
    """The same, also where the write was ended since, by whomever, before or after the habit was seen."""
    return state.was_in_doubt and not habits.absence_proves(tx, tenant_id)
