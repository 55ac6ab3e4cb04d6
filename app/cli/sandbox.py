"""The simulated EHRs: running them, and telling those that run what shall go wrong. They are reached over HTTP only."""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import requests

from app.cli.reporting import as_json, report
from app.demo.registration import SECRET_NAME, sandbox_clients
from app.settings import ROOT, Settings

TIMEOUT_SECONDS = 30
of_ehr = click.option("--ehr", default="reference", show_default=True, help="Which of the simulated EHRs.")
at_url = click.option("--at", help="Where they run; default: COUNTERSIGN_SANDBOX_URL.")


@click.group(invoke_without_command=True)
@click.option("--port", default=8411, show_default=True, help="Port to listen on.")
@click.option("--home", type=click.Path(path_type=Path), help="Directory that keeps the EHRs' state.")
@click.option("--clients", type=click.Path(path_type=Path, exists=True), help="Registered apps, as JSON.")
@click.option("--transcripts", type=click.Path(path_type=Path, exists=True), help="More visits, as ACI-BENCH JSON.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.pass_context
def sandbox(
    context: click.Context, port: int, home: Path | None, clients: Path | None, transcripts: Path | None, bind: str
) -> None:
    """Run the simulated EHRs alone; without --clients they know the app at COUNTERSIGN_PUBLIC_URL."""
    if context.invoked_subcommand is not None:
        return
    settings = Settings()
    home = home or settings.home / "sandbox"
    # A process of its own: the sandbox knows nothing of the app, and the app nothing of the sandbox.
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--home", str(home.resolve()), "--bind", bind]
    command += ["--clients", str((clients or _registered(home, settings)).resolve())]
    command += ["--transcripts", str(transcripts.resolve())] if transcripts else []
    os.chdir(ROOT)
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter; signals then reach the EHRs themselves


def _registered(home: Path, settings: Settings) -> Path:
    secret = settings.references().get(SECRET_NAME)
    if secret is None:
        secret = secrets.token_urlsafe(24)
        click.echo(f"The athenaOne client's secret is new. Start the app with {SECRET_NAME}={secret}", err=True)
    home.mkdir(parents=True, exist_ok=True)
    path = home / "clients.json"
    path.write_text(json.dumps(sandbox_clients(settings.public_url, secret)))
    return path


@sandbox.group()
def faults() -> None:
    """What goes wrong at an EHR that runs: knobs switched on and off."""


@faults.command("list")
@of_ehr
@at_url
@as_json
def list_faults(ehr: str, at: str | None, *, as_json: bool) -> None:
    """What is switched on, what there is to switch on, and how often each has struck."""
    document = _asked("GET", at, f"{ehr}/faults")
    armed = [f"on: {_armed_words(fault)}" for fault in document["armed"]]
    struck = [f"struck: {name} {count} times" for name, count in sorted(document["struck"].items())]
    knobs = [f"{name:30} {words}" for name, words in document["knobs"].items()]
    report(document, [*(armed or ["Nothing is on."]), *struck, "", *knobs], as_json=as_json)


@faults.command("on")
@click.argument("knob")
@of_ehr
@at_url
@click.option("--on", "interaction", default="", help="create, update, write, search, callback, ...; default: its own.")
@click.option("--type", "resource_type", help="Only for this resource type.")
@click.option("--seconds", type=float, help="For knobs that take a time.")
@click.option("--times", type=int, default=1, show_default=True, help="How often; 0: until it is switched off.")
@click.option("--from-request", type=int, default=1, show_default=True, help="3: not before the third such request.")
@click.option("--probability", type=float, help="0.2: at every fifth of them, by chance.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed, the same faults.")
@click.option("--options", default="{}", help='The knob\'s own, as JSON; for random: {"knobs": [...]}.')
def switch_on(knob: str, ehr: str, at: str | None, options: str, times: int, **how: Any) -> None:
    """Switch a fault on; `random` draws one of several."""
    said = {name: value for name, value in how.items() if value is not None}
    try:
        fault = {**said, "fault": knob, "times": times or None, "options": json.loads(options)}
    except ValueError as error:
        raise click.BadParameter("must be JSON", param_hint="--options") from error
    click.echo(f"on: {_armed_words(_asked('POST', at, f'{ehr}/faults', fault))}")


@faults.command("off")
@click.argument("knob", required=False)
@of_ehr
@at_url
def switch_off(knob: str | None, ehr: str, at: str | None) -> None:
    """Switch every fault off, or those of one knob."""
    _asked("DELETE", at, f"{ehr}/faults" + (f"?fault={knob}" if knob else ""))
    click.echo(f"off: {knob or 'all'}")


@sandbox.command("edit")
@click.argument("action")
@click.argument("resource", default="")
@of_ehr
@at_url
@click.option("--by", default="", help="The clinician who does it.")
@click.option("--text", help="The new text.")
@click.option("--into", default="", help="merge_patient: the id of the patient that stays.")
@click.option("--old-id", default="kept", show_default=True, help="merge_patient: kept, gone or redirected.")
@click.option("--version", type=int, help="restore: which version; default: the one before.")
@click.option("--mark", type=int, help="restore_backup: what the backup answered.")
def edit(action: str, resource: str, ehr: str, at: str | None, **how: Any) -> None:
    """Do what a person at the EHR does: edit_text, sign, amend, invalidate, delete, merge_patient, close_encounter."""
    said = {name: value for name, value in how.items() if value is not None}
    changed = _asked("POST", at, f"{ehr}/edits", {**said, "action": action, "resource": resource})["changed"]
    click.echo("\n".join(f"changed: {place}" for place in changed) or "done")


@sandbox.command("backup")
@of_ehr
@at_url
def backup(ehr: str, at: str | None) -> None:
    """Mark the present state of an EHR, to restore it by `edit restore_backup --mark`."""
    click.echo(_asked("POST", at, f"{ehr}/backups")["mark"])


@sandbox.command("callbacks")
@click.argument("url", required=False)
@of_ehr
@at_url
def callbacks(url: str | None, ehr: str, at: str | None) -> None:
    """Post a signed notice of each changed note to URL, with a secret from standard input; without URL, no more."""
    if url is None:
        _asked("DELETE", at, f"{ehr}/callbacks")
        click.echo("Nobody is told of changes.")
        return
    secret = sys.stdin.readline().strip()
    _asked("PUT", at, f"{ehr}/callbacks", {"url": url, "secret": secret})
    click.echo(f"Changes are posted to {url}")


def _asked(method: str, at: str | None, path: str, body: Any = None) -> Any:
    base = urlsplit(at or Settings().sandbox_url)
    # The C library may not know names under localhost; they are this machine (RFC 6761).
    host = "127.0.0.1" if (base.hostname or "").endswith(".localhost") else base.hostname
    place = f"{base.scheme}://{host}:{base.port or 80}/qa/{path}"
    try:
        reply = requests.request(method, place, json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise click.ClickException(
            f"no simulated EHR answers at {base.geturl()}; start: countersign sandbox"
        ) from error
    if not reply.ok:
        raise click.ClickException(f"the simulated EHR answered {reply.status_code}: {_reason(reply)}")
    return reply.json() if reply.content else {}


def _reason(reply: requests.Response) -> str:
    try:
        return str(reply.json()["error"])
    except (ValueError, KeyError, TypeError):
        return reply.reason


def _armed_words(fault: dict[str, Any]) -> str:
    where = " ".join(filter(None, (fault["interaction"], fault["resource_type"])))
    often = f"{fault['times']} more" if fault["times"] else "until it is off"
    chance = f", probability {fault['probability']} by seed {fault['seed']}" if fault["probability"] is not None else ""
    return f"{fault['fault']} on {where}, from request {fault['from_request']}, {often}{chance}, met {fault['met']}"
