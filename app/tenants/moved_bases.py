"""A tenant's EHR has another FHIR base now: whether it is the same EHR is an administrator's word, and nobody else's.

What was signed for the old address stays stopped until then (F45). The word holds for these two addresses: after the
next move it is asked for again. It never makes anything leave by itself, and no old token goes to the new address: what
waits goes on under its signer's own new launch.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.clock import Clock
from app.db import Database, insert_if_absent
from app.errors import BadInput
from app.tenants.events import TenantMoved
from app.tenants.registrations import Tenant
from app.tenants.switches import LONGEST_REASON
from app.tenants.tables import launches
from app.tenants.tables import moved_bases as table
from app.tenants.tenant_log import record


@dataclass(frozen=True)
class Move:
    """An administrator's word that the EHR at the address `fhir_base` is the one at `moved_to` now."""

    fhir_base: str
    moved_to: str
    said_at: datetime
    said_by: str
    reason: str


def is_same_ehr(tx: Connection, tenant: Tenant, fhir_base: str) -> bool:
    """Whether what was signed for this address may meet the tenant's present one."""
    return fhir_base == tenant.fhir_base or fhir_base in _same(tenant, said(tx, tenant.id))


def said(tx: Connection, tenant_id: str) -> tuple[Move, ...]:
    """What administrators said about a tenant's addresses, the newest first."""
    rows = tx.execute(select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.said_at.desc()))
    return tuple(Move(row.fhir_base, row.moved_to, row.said_at, row.said_by, row.reason) for row in rows)


def unexplained(tx: Connection, tenant: Tenant) -> tuple[str, ...]:
    """The other addresses at which charts of this tenant were opened, and of which nobody has said what they are."""
    query = select(launches.c.fhir_base).where(launches.c.tenant_id == tenant.id).distinct()
    known = _same(tenant, said(tx, tenant.id))
    return tuple(sorted(base for base in tx.execute(query).scalars() if base not in known))


def _same(tenant: Tenant, moves: tuple[Move, ...]) -> set[str]:
    """Every address of the tenant's present EHR: one that became another, which became this one, is the same too."""
    same = {tenant.fhir_base}
    while further := {move.fhir_base for move in moves if move.moved_to in same} - same:
        same |= further
    return same


class MovedBases:
    """Takes an administrator's word."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def say_same(self, tenant: Tenant, fhir_base: str, reason: str, actor: str) -> None:
        """The EHR that was at `fhir_base` is the one at the tenant's present address: same patients, users and notes.

        Raises `BadInput` for an address that this tenant never had or that is explained already, and without a reason.
        """
        if not reason.strip() or len(reason) > LONGEST_REASON:
            raise BadInput(f"A reason is 1 to {LONGEST_REASON} characters.", "Say why, for those who look later.")
        with self._database.write() as tx:
            now = self._clock()
            move = Move(fhir_base, tenant.fhir_base, now, actor, reason)
            is_open = fhir_base in unexplained(tx, tenant)
            if not (is_open and insert_if_absent(tx, table, {"tenant_id": tenant.id, **vars(move)})):
                raise BadInput("No chart waits under that address.", "Write it letter for letter as it was registered.")
            event = TenantMoved(fhir_base=fhir_base, moved_to=tenant.fhir_base, reason=reason)
            record(tx, tenant.id, event, actor=actor, now=now)
