"""Commands on tenants: who is registered, and with what."""

import click

from app.cli.reporting import as_json, report, wired
from app.tenants.registrations import Tenant


@click.group()
def tenant() -> None:
    """Registrations with EHRs."""


@tenant.command(name="list")
@as_json
def list_tenants(*, as_json: bool) -> None:
    """Every registration."""
    tenants = list(wired().tenants)
    lines = [f"{one.id}  {one.organization}  {one.vendor}  {one.environment}" for one in tenants]
    report({"tenants": [_shown(one) for one in tenants]}, lines, as_json=as_json)


@tenant.command()
@click.argument("tenant_id")
@as_json
def show(tenant_id: str, *, as_json: bool) -> None:
    """One registration, without its secrets."""
    shown = _shown(wired().tenants.require(tenant_id))
    report(shown, [f"{name}: {value}" for name, value in shown.items()], as_json=as_json)


def _shown(one: Tenant) -> dict[str, object]:
    return one.model_dump(mode="json")
