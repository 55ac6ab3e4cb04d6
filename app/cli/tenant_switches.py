"""Commands on whether a tenant's writes may leave: rollout phases, kill switches, and an EHR that moved."""

import click

from app.cli.reporting import actor, as_json, report, wired
from app.tenants.registrations import Phase

workflow_option = click.option("--workflow", default="", help="One workflow; default: all of them.")
resource_option = click.option("--resource", default="", help="DocumentReference or Provenance; default: both.")
reason_option = click.option("--reason", required=True, help="Why, for those who look later.")


@click.command()
@click.argument("tenant_id")
@click.argument("workflow")
@click.argument("phase", type=click.Choice([one.value for one in Phase]))
@as_json
def phase(tenant_id: str, workflow: str, phase: str, *, as_json: bool) -> None:
    """Say how far a workflow may go: read_only, draft_only, low_risk or full."""
    parts = wired()
    before = parts.rollout.change(parts.tenants.require(tenant_id), workflow, phase, actor())
    document = {"tenant": tenant_id, "workflow": workflow, "before": before, "phase": phase}
    report(document, [f"{tenant_id} {workflow}: {phase} (before: {before})"], as_json=as_json)


@click.command()
@click.argument("tenant_id")
@click.argument("fhir_base")
@reason_option
@as_json
def moved(tenant_id: str, fhir_base: str, reason: str, *, as_json: bool) -> None:
    """Say that the EHR that was at FHIR_BASE is the one at the tenant's present address.

    What waits goes on when its signer starts Countersign from that chart. Where sign-ins come from another issuer too,
    it stays, and is settled by hand.
    """
    parts = wired()
    tenant = parts.tenants.require(tenant_id)
    parts.moved_bases.say_same(tenant, fhir_base, reason, actor())
    document = {"tenant": tenant_id, "fhir_base": fhir_base, "moved_to": tenant.fhir_base}
    report(document, [f"{fhir_base} is the same EHR as {tenant.fhir_base}."], as_json=as_json)


@click.group()
def switch() -> None:
    """Kill switches: filing, off or on."""


@switch.command()
@click.argument("tenant_id")
@workflow_option
@resource_option
@reason_option
@as_json
def off(tenant_id: str, workflow: str, resource: str, reason: str, *, as_json: bool) -> None:
    """Stop filing: what is signed from now on is copied by hand, what waits to be sent waits on."""
    parts = wired()
    parts.switches.turn_off(parts.tenants.require(tenant_id), workflow, resource, reason, actor())
    report(_document(tenant_id, workflow, resource, off=True), ["Off."], as_json=as_json)


@switch.command()
@click.argument("tenant_id")
@workflow_option
@resource_option
@reason_option
@as_json
def on(tenant_id: str, workflow: str, resource: str, reason: str, *, as_json: bool) -> None:
    """Let filing go on; what waited goes on by itself. Takes away exactly the switch that was turned off so."""
    parts = wired()
    was_off = parts.switches.turn_on(parts.tenants.require(tenant_id), workflow, resource, reason, actor())
    lines = ["On."] if was_off else ["It was not off. Look with: countersign tenant show"]
    report(_document(tenant_id, workflow, resource, off=False), lines, as_json=as_json, ok=was_off)


def _document(tenant_id: str, workflow: str, resource: str, *, off: bool) -> dict[str, object]:
    return {"tenant": tenant_id, "workflow": workflow, "resource": resource, "off": off}
