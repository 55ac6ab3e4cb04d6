"""Leave to send, asked before every send: the tenant's life, the kill switches and the rollout phase of the workflow.

It is asked in the transaction that begins the attempt, so a switch that was turned before stops it, and one that is
turned later comes too late for this one send only.
"""

from datetime import datetime

from sqlalchemy import Connection

from app.db import Database
from app.outbox.rows import Lease
from app.tenants.directory import Tenants
from app.tenants.registrations import Phase
from app.tenants.standing import SWITCHED_OFF, may_send
from app.writebacks.commands import ParkWrite
from app.writebacks.events import WritebackQueued
from app.writebacks.handlers import WritebackCommands
from app.writebacks.state import WritebackState

# What files a note as signed needs a workflow that may do everything.
NEEDED = {"final": Phase.FULL, "preliminary": Phase.LOW_RISK}


class Leave:
    """Lets writes go, or parks them until they may go again."""

    def __init__(self, database: Database, tenants: Tenants, writebacks: WritebackCommands) -> None:
        self._database = database
        self._tenants = tenants
        self._writebacks = writebacks

    def is_refused(self, lease: Lease, state: WritebackState, resource: str, now: datetime) -> bool:
        """Park the write when this resource of it may not leave now; True: parked, and nothing is left to do."""
        with self._database.read() as tx:
            if may_leave(tx, self._tenants, lease.tenant_id, state.queued, resource):
                return False
        with self._database.write() as tx:
            return self.is_refused_in(tx, lease, state, resource, now)

    def is_refused_in(self, tx: Connection, lease: Lease, state: WritebackState, resource: str, now: datetime) -> bool:
        """The same in the transaction that is about to begin the attempt. Raises `Fenced`."""
        if may_leave(tx, self._tenants, lease.tenant_id, state.queued, resource):
            return False
        self._writebacks.by_worker(tx, lease, ParkWrite(SWITCHED_OFF), now)
        return True


def may_leave(tx: Connection, tenants: Tenants, tenant_id: str, order: WritebackQueued, resource: str) -> bool:
    """Whether this resource of a signed write may be sent now."""
    return may_send(tx, tenants, tenant_id, order.workflow, resource, NEEDED[order.file_as])
