"""Commands on the keys that we sign with for a tenant."""

from datetime import timedelta

import click

from app.cli.reporting import actor, as_json, report, wired
from app.tenants.client_keys import KeyAge


@click.group()
def key() -> None:
    """Our own keys for a tenant."""


@key.command(name="list")
@click.argument("tenant_id")
@as_json
def list_keys(tenant_id: str, *, as_json: bool) -> None:
    """The keys, newest first: which one signs, and until when each is published."""
    parts = wired()
    ages = parts.client_keys.ages(parts.tenants.require(tenant_id), parts.clock())
    report({"keys": [_shown(age) for age in ages]}, [_line(age) for age in ages], as_json=as_json)


@key.command()
@click.argument("tenant_id")
@click.option("--hours", type=float, default=0.0, help="Let the EHR have so long to fetch the new key.")
@as_json
def rotate(tenant_id: str, hours: float, *, as_json: bool) -> None:
    """Publish a new key now, and sign with it when every EHR has had the time to fetch it."""
    parts = wired()
    tenant = parts.tenants.require(tenant_id)
    made = parts.client_keys.rotate(tenant, parts.clock(), actor(), timedelta(hours=hours))
    report(
        _shown(made), [f"{made.kid} is published and signs from {made.signs_from:%Y-%m-%d %H:%M} UTC."], as_json=as_json
    )


@key.command()
@click.argument("tenant_id")
@click.argument("kid")
@as_json
def retire(tenant_id: str, kid: str, *, as_json: bool) -> None:
    """Drop a key at once, because it may have leaked; another one signs from now on."""
    parts = wired()
    parts.client_keys.retire_key(parts.tenants.require(tenant_id), kid, parts.clock(), actor())
    report(
        {"retired": kid}, [f"{kid} is gone. Launches may fail until the EHR fetches our keys again."], as_json=as_json
    )


def _shown(age: KeyAge) -> dict[str, object]:
    until = age.published_until.isoformat() if age.published_until else None
    return {
        "kid": age.kid,
        "algorithm": age.algorithm,
        "created_at": age.created_at.isoformat(),
        "signs_from": age.signs_from.isoformat(),
        "published_until": until,
        "signs": age.signs,
    }


def _line(age: KeyAge) -> str:
    until = f"published until {age.published_until:%Y-%m-%d %H:%M} UTC" if age.published_until else "published"
    signs = "signs" if age.signs else f"signs from {age.signs_from:%Y-%m-%d %H:%M} UTC"
    return f"{age.kid}  {age.algorithm}  made {age.created_at:%Y-%m-%d}  {signs}  {until}"
