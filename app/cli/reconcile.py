"""The command that says what became of a tenant's writes, and that brings them together again after a restore."""

from typing import Any

import click

from app.cli.reporting import actor, as_json, counted, report, wired
from app.collaborators import Collaborators
from app.ids import TenantId, WritebackId
from app.outbox.dead_letters import put_aside
from app.projections import follower, write_status
from app.reconciliation import followed
from app.tenants.registrations import Tenant
from app.writebacks.endings import endings_of
from app.writebacks.handlers import load
from app.writebacks.state import Stage

FINAL = (Stage.VERIFIED, Stage.CANCELLED, Stage.SUPERSEDED, Stage.SETTLED, Stage.COPIED)


@click.command()
@click.argument("tenant_id")
@click.option("--look", is_flag=True, help="First look in the EHR again at everything that was filed.")
@click.option(
    "--wake",
    "wake",
    multiple=True,
    metavar="WRITEBACK",
    help="Have this write go on: an error of ours stopped it. May be given again.",
)
@click.option(
    "--after-restore",
    is_flag=True,
    help="Our database was restored from a backup: stop sending, and ask the EHR first.",
)
@as_json
def reconcile(tenant_id: str, *, look: bool, wake: tuple[str, ...], after_restore: bool, as_json: bool) -> None:
    """List a tenant's writes that are not at their end, with what was found. Never writes to the EHR."""
    parts = wired()
    tenant = parts.tenants.require(tenant_id)
    document: dict[str, Any] = {"tenant": tenant_id}
    if after_restore:
        document["doubted"] = parts.after_restore.begin(tenant, actor())
        document |= _orphans(parts, tenant)
    for writeback_id in wake:
        parts.stopped.wake(TenantId(tenant_id), WritebackId(writeback_id), actor=actor())
    if wake:
        document["woken"] = list(wake)
    if look:
        document["looked"] = _look(parts, TenantId(tenant_id))
    document["writes"] = _writes(parts, TenantId(tenant_id))
    lines = [
        f"{one['writeback']} {one['resource_type']} {one['stage']} {_why(one)}".rstrip() for one in document["writes"]
    ]
    lines += [f"no write here has {one['resource']}" for one in document.get("orphans", ())]
    left = len(document["writes"])
    summary = f"{counted(left, 'write')} {'is not at its' if left == 1 else 'are not at their'} end"
    if after_restore:
        summary += (
            f"; asked about first: {document['doubted']}; charts that could not be read: {document['charts_unread']}"
        )
        summary += f"; sending is off, turn it on with: countersign tenant switch on {tenant_id} --reason ..."
    is_well = not document["writes"] and not document.get("orphans") and not document.get("charts_unread")
    report(document, [*lines, summary], as_json=as_json, ok=is_well)


def _why(one: dict[str, Any]) -> str:
    """What a write waits for, in one word or two."""
    return f"put aside: {one['put_aside_for']}" if one["put_aside_for"] else one["parked_for"] or one["change"]


def _orphans(parts: Collaborators, tenant: Tenant) -> dict[str, Any]:
    scan = parts.after_restore.orphans(tenant)
    found = [{"resource": one.resource, "identifier": one.identifier} for one in scan.orphans]
    return {"orphans": found, "charts_read": scan.charts_read, "charts_unread": scan.charts_unread}


def _look(parts: Collaborators, tenant_id: TenantId) -> int:
    """Every filed resource once; what cannot be read now keeps its time."""
    with parts.database.write() as tx:
        followed.hasten_tenant(tx, tenant_id, parts.clock())
    looked = 0
    while answered := parts.following.sweep():
        looked += answered
    return looked


def _writes(parts: Collaborators, tenant_id: TenantId) -> list[dict[str, Any]]:
    follower.catch_up(parts.database, tenant_id)
    with parts.database.read() as tx:
        waiting = write_status.not_at(tx, tenant_id, FINAL)
        states = {WritebackId(one): load(tx, tenant_id, WritebackId(one)) for one in waiting}
        aside = put_aside(tx, states)
    return [
        {
            "writeback": writeback_id,
            "resource_type": getattr(state.order, "resource_type", ""),
            "resource_id": state.resource_id or "",
            "stage": str(state.stage),
            "parked_for": state.parked_for,
            "put_aside_for": aside.get(writeback_id, ""),
            "change": state.change_there,
            "changed_by": state.changed_by,
            "differences": list(state.differences),
            "read_under": state.read_under,
            "endings": [str(ending) for ending in endings_of(state)],
        }
        for writeback_id, state in states.items()
    ]
