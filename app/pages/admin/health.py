"""How a tenant is doing, as one word and one sentence: what stops it first, then what somebody should look at."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from app.ids import TenantId
from app.outbox.dead_letters import dead_letters
from app.pages.admin.screens import Health
from app.pages.admin.words import lasting
from app.projections import write_status
from app.tenants import switches, trace_search
from app.tenants.registrations import Tenant
from app.tenants.switches import Switch
from app.tenants.trace_search import FoundTrace
from app.tenants.traces import COMPLETED
from app.writebacks.state import Stage

# What a person has to look at; everything else goes on by itself or is done.
STUCK = {
    Stage.PARKED: "parked",
    Stage.REJECTED: "refused by the EHR",
    Stage.DRIFTED: "different in the chart",
    Stage.MISSING: "missing from the chart",
}


class Healths:
    """The health of every tenant at one moment; what they share is read once."""

    def __init__(self, tx: Connection, now: datetime) -> None:
        self._tx = tx
        self._now = now
        self._counts = write_status.counts(tx)
        self._dead = Counter(one.tenant_id for one in dead_letters(tx))
        self._off: Mapping[str, list[Switch]] = _by_tenant(switches.turned_off(tx))

    def of(self, tenant: Tenant, last: FoundTrace | None) -> Health:
        """The tenant's health; `last` is its last launch."""
        off = [one for one in self._off.get(tenant.id, []) if not one.workflow and not one.resource]
        if off:
            return Health("stopped", "Stopped", f"All writing is switched off: {off[0].reason}")
        stuck = [(name, self._counts.get((tenant.id, stage), 0)) for stage, name in STUCK.items()]
        stuck += [("stopped by an error of Countersign", self._dead[TenantId(tenant.id)])]
        waiting = [f"{count} {name}" for name, count in stuck if count]
        found = [f"Writes that need a person: {', '.join(waiting)}."] if waiting else []
        found += [f"Some writing is switched off: {one.reason}" for one in self._off.get(tenant.id, [])[:1]]
        if found:
            return Health("look", "Look here", " ".join(found))
        if last is None:
            return Health("quiet", "New", "Nobody has launched from here yet.")
        ago = lasting(self._now - last.happened_at)
        if last.outcome != COMPLETED:
            return Health("look", "Look here", f"The last launch failed, {ago} ago. Its code is {last.reference}.")
        return Health("quiet", "Fine", f"The last launch was {ago} ago.")


def last_launch(tx: Connection, tenant_id: str) -> FoundTrace | None:
    """The tenant's newest launch, completed or failed."""
    return next(iter(trace_search.newest(tx, tenant_id, 1)), None)


def _by_tenant(off: tuple[Switch, ...]) -> dict[str, list[Switch]]:
    found: dict[str, list[Switch]] = {}
    for one in off:
        found.setdefault(one.tenant_id, []).append(one)
    return found
