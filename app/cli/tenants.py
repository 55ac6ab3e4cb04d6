"""Commands on tenants: who is registered, and with what; adding, changing and retiring them."""

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from app.cli.reporting import actor, as_json, report, wired
from app.cli.tenant_keys import key
from app.cli.tenant_switches import moved, phase, switch
from app.collaborators import Collaborators
from app.errors import Misconfigured
from app.ids import TenantId
from app.publication.retirement import retire_tenant
from app.settings import Settings
from app.tenants.registrations import Tenant, filled
from app.tenants.rollout import phases
from app.tenants.switches import turned_off


@click.group()
def tenant() -> None:
    """Registrations with EHRs."""


for command in (key, moved, phase, switch):
    tenant.add_command(command)


@tenant.command(name="list")
@as_json
def list_tenants(*, as_json: bool) -> None:
    """Every registration."""
    parts = wired()
    tenants = list(parts.tenants)
    lines = [
        f"{one.id}  {one.organization}  {one.vendor}  {one.environment}  {parts.tenants.origin(one.id)}"
        for one in tenants
    ]
    lines += [f"{one.id}  {one.organization}  retired" for one in parts.tenants.retired()]
    document = {
        "tenants": [{**_document(one), "origin": parts.tenants.origin(one.id)} for one in tenants],
        "retired": [one.id for one in parts.tenants.retired()],
    }
    report(document, lines, as_json=as_json)


@tenant.command()
@click.argument("tenant_id")
@as_json
def show(tenant_id: str, *, as_json: bool) -> None:
    """One registration, without its secrets: with its origin, phases, switches and the ages of its keys."""
    parts = wired()
    shown = {**_document(parts.tenants.require(tenant_id)), **_standing(parts, tenant_id)}
    report(shown, [f"{name}: {value}" for name, value in shown.items()], as_json=as_json)


@tenant.command()
@click.argument("file", type=click.File(encoding="utf-8"), required=False)
@click.option("--id", "tenant_id", help="Its id, when no file is given.")
@click.option("--organization", help="The organisation's name.")
@click.option("--vendor", help="The EHR product, such as epic.")
@click.option("--environment", help="sandbox, nonproduction or production.")
@click.option("--fhir-base", help="The FHIR base URL, letter for letter what the EHR sends as iss.")
@click.option("--client-id", help="The client id that the EHR gave.")
@click.option("--secret", help="A reference to the client secret; without it Countersign makes its own key.")
@click.option("--frame-origin", "frame_origins", multiple=True, help="An origin of the EHR's pages; repeatable.")
@as_json
def add(file: Any, tenant_id: str | None, secret: str | None, *, as_json: bool, **fields: Any) -> None:
    """Register a tenant from a YAML FILE (- reads standard input), or from the options for the common case."""
    parts = wired()
    document = _read(file) if file else _from_options(tenant_id, secret, fields)
    added = parts.registering.register(document, actor())
    lines = [
        f"Registered {added.id}.",
        f"Launch URL: {parts.settings.public_url}/launch/{added.id}",
        f"Redirect URI: {parts.settings.public_url}/callback/{added.id}",
        f"JWK Set URL: {parts.settings.public_url}/.well-known/jwks/{added.id}.json",
    ]
    report(_document(added), lines, as_json=as_json)


@tenant.command()
@click.argument("tenant_id")
@click.argument("file", type=click.File(encoding="utf-8"))
@as_json
def change(tenant_id: str, file: Any, *, as_json: bool) -> None:
    """Replace a registration by that in a YAML FILE (- reads standard input)."""
    changed = wired().registering.change(tenant_id, _read(file), actor())
    report(_document(changed), [f"Changed {changed.id}."], as_json=as_json)


@tenant.command()
@click.argument("tenant_id")
@as_json
def retire(tenant_id: str, *, as_json: bool) -> None:
    """End a registration: nothing is launched and nothing is sent any more. Its id stays taken."""
    parts = wired()
    ended = retire_tenant(parts.registering, parts.giving_back, TenantId(tenant_id), actor())
    counts = {"launches_ended": ended.launches, "grants_returned": ended.returned, "unfinished": ended.unfinished}
    lines = [
        f"Retired {tenant_id}: {ended.launches} open charts ended, {ended.returned} tokens given back.",
        f"{ended.unfinished} signed notes were on their way; they stay here, and /ops/ says where each stands.",
    ]
    report({"retired": tenant_id, **counts}, lines if ended.unfinished else lines[:1], as_json=as_json)


@tenant.group()
def secret() -> None:
    """Secrets that registrations refer to as sealed:NAME."""


@secret.command()
@click.argument("tenant_id")
@click.argument("name")
@as_json
def keep(tenant_id: str, name: str, *, as_json: bool) -> None:
    """Seal a secret, read from standard input, replacing what was there. Nothing shows it again."""
    parts = wired()
    value = getpass.getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.read().rstrip("\r\n")
    parts.secrets.keep(parts.tenants.require(tenant_id), name, value, actor())
    report({"tenant": tenant_id, "name": name}, [f"Kept. Refer to it as sealed:{name}"], as_json=as_json)


def _read(file: Any) -> Mapping[str, Any]:
    where = Path(file.name).name
    try:
        document = yaml.safe_load(file.read())
    except yaml.YAMLError as error:
        raise Misconfigured(f"{where} is not valid YAML.") from error
    if not isinstance(document, dict):
        raise Misconfigured(f"{where} does not hold the fields of a registration.")
    read: Mapping[str, Any] = filled(document, Settings().references(), where)
    return read


def _from_options(tenant_id: str | None, secret: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    method = {"method": "client_secret_basic", "secret": secret} if secret else {"method": "private_key_jwt"}
    given = {"id": tenant_id, **fields, "authentication": method}
    return {name: value for name, value in given.items() if value}


def _document(one: Tenant) -> dict[str, object]:
    return one.model_dump(mode="json")


def _standing(parts: Collaborators, tenant_id: str) -> dict[str, object]:
    one = parts.tenants.require(tenant_id)
    with parts.database.read() as tx:
        now_in_force, off = phases(tx, one), turned_off(tx, tenant_id)
    return {
        "origin": parts.tenants.origin(tenant_id),
        "retired": parts.tenants.is_retired(tenant_id),
        "phases": dict(now_in_force),
        "switched_off": [
            {"workflow": each.workflow, "resource": each.resource, "reason": each.reason, "by": each.turned_by}
            for each in off
        ],
        "keys": [
            {"kid": age.kid, "created_at": age.created_at.isoformat(), "signs": age.signs}
            for age in parts.client_keys.ages(one, parts.clock())
        ],
    }
