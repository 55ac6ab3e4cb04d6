"""Entering signatures: those of one tenant that come at the same moment share a transaction."""

from collections.abc import Sequence

from app.clock import Clock
from app.combining import Combining
from app.db import Database
from app.errors import CountersignError
from app.ids import LaunchId, TenantId
from app.tenants.launches import hold_all_open
from app.writebacks.docket import Docket, enter

Signature = tuple[LaunchId, Docket]


class Entering:
    """Enters what was signed, each tenant's together."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tenants: dict[TenantId, Combining[Signature]] = {}

    def enter(self, launch_id: LaunchId, docket: Docket) -> None:
        """Enter what was signed in this launch, whole or not at all; it is durable when this returns.

        Outside of any transaction. Raises `LaunchEnded` when the launch ended, and what `docket.enter` raises.
        """
        together = self._tenants.setdefault(docket.tenant_id, Combining(self._enter_all, CountersignError))
        together.do((launch_id, docket))

    def _enter_all(self, signatures: Sequence[Signature]) -> None:
        """All of them in one transaction. Launches are locked in one order, and before the log: as by who ends them."""
        with self._database.write() as tx:
            hold_all_open(tx, {launch_id for launch_id, _ in signatures}, self._clock())
            enter(tx, *(docket for _, docket in signatures))
