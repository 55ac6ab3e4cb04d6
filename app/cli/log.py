"""Commands on the event log."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from app.artifacts.verify import verify_everything
from app.cli.reporting import actor, as_json, counted, report, wired
from app.collaborators import Collaborators
from app.db import open_database
from app.errors import NotFound
from app.event_log.checkpoint import Verifiers
from app.event_log.checkpoints import file_of, read, signers, verify_checkpoints
from app.event_log.export import VERIFIER
from app.event_log.export import export as export_log
from app.event_log.proof import prove, write_proof
from app.event_log.verify import Problem
from app.ids import TenantId
from app.notes.mappings import ENTRIES, NOTES
from app.replay.canary import Canary
from app.replay.mapping import preview, regenerate
from app.replay.payloads import replay_payloads
from app.replay.projections import replay_projections
from app.sealing import load_keyring
from app.settings import Settings

PROVABLE = "Events are numbered from 1, as on the audit page, and are covered by the next checkpoint."


class NewDirectory(click.Path):
    """A directory that is not there yet: what is written is never mixed with anything."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Fails, in words, where something is there already."""
        if Path(value).exists():
            self.fail(f"{value} is there already; name a new directory.", param, ctx)
        return super().convert(value, param, ctx)


@click.group()
def log() -> None:
    """The event log."""


@log.command()
@click.option("--key", "keys", multiple=True, help="A verifier key that you kept elsewhere; default: our own.")
@as_json
def verify(*, keys: tuple[str, ...], as_json: bool) -> None:
    """Check every chain from its first event, every artifact that the events refer to, and every checkpoint."""
    settings = Settings()
    with open_database(settings).read() as tx:
        found = verify_everything(tx)
        checked, outside = _held_against_checkpoints(tx, settings, keys)
    problems = (*found.problems, *outside)
    document = {
        "ok": not problems,
        "events": found.events,
        "checkpoints": checked,
        "problems": [asdict(problem) for problem in problems],
    }
    lines = [f"{problem.tenant_id} event {problem.sequence}: {problem.what}" for problem in problems]
    summary = f"{found.events} events checked, {checked} checkpoints, {len(problems)} problems"
    report(document, [*lines, summary], as_json=as_json, ok=not problems)


def _held_against_checkpoints(
    tx: Connection, settings: Settings, keys: tuple[str, ...]
) -> tuple[int, tuple[Problem, ...]]:
    """Nothing is checked without a directory or a key: verifying must not make a key that signed nothing."""
    known = keys or _own_keys(settings)
    if settings.checkpoint_directory is None or not known:
        return 0, ()
    return verify_checkpoints(tx, settings.checkpoint_directory, Verifiers(known))


def _own_keys(settings: Settings) -> tuple[str, ...]:
    if not settings.sealing_keys and not (settings.home / "sealing.key").exists():
        return ()
    keyring = load_keyring(settings.sealing_keys, settings.home)
    return tuple(signer.verifier for signer in signers(keyring))


@log.command()
@as_json
def keys(*, as_json: bool) -> None:
    """Print the public keys that checkpoints are signed with, the one in use first: keep them somewhere else."""
    lines = list(_own_keys(Settings()))
    report({"keys": lines}, lines, as_json=as_json, ok=bool(lines))


@log.command()
@click.argument("tenant_id")
@click.argument("directory", type=NewDirectory())
@as_json
def export(tenant_id: str, directory: Path, *, as_json: bool) -> None:
    """Write one tenant's log into a new DIRECTORY, with a program that verifies it without Countersign."""
    settings = Settings()
    kept = read(file_of(settings.checkpoint_directory, tenant_id)) if settings.checkpoint_directory else ""
    with open_database(settings).read() as tx:
        written = export_log(tx, tenant_id, directory, kept, _own_keys(settings))
    lines = [f"{counted(written, 'event')} written. To verify: python3 {directory / VERIFIER}"]
    if not written:
        lines = [f"There is no event of {tenant_id}. The tenants are listed by: countersign tenant list"]
    report({"events": written, "directory": str(directory)}, lines, as_json=as_json, ok=written > 0)


@log.command()
@click.argument("tenant_id")
@click.argument("number", type=click.IntRange(min=1))
@click.argument("directory", type=NewDirectory())
@as_json
def proof(tenant_id: str, number: int, directory: Path, *, as_json: bool) -> None:
    """Write the proof that event NUMBER stands in a tenant's log into a new DIRECTORY, and nothing else of the log."""
    settings = Settings()
    kept = read(file_of(settings.checkpoint_directory, tenant_id)) if settings.checkpoint_directory else ""
    keys = _own_keys(settings)
    with open_database(settings).read() as tx:
        try:
            proven = prove(tx, tenant_id, number, kept, keys)
        except NotFound as missing:
            # What the error tells people on a page to do is of no use here.
            raise click.UsageError(f"{missing.what_happened} {PROVABLE}") from missing
    write_proof(proven, directory, keys)
    lines = [f"Event {number} is proven. To verify it: python3 {directory / VERIFIER}"]
    report({"event": number, "directory": str(directory)}, lines, as_json=as_json)


@log.command()
@click.option("--mapping", default="", help="Only show what this mapping would change in pending and past writes.")
@click.option(
    "--approve", default="", help="With --mapping, and the text that it printed: regenerate what was never sent."
)
@as_json
def replay(*, mapping: str, approve: str, as_json: bool) -> None:
    """Rebuild every read model from the log and every payload from what was signed, and compare them."""
    if approve and not mapping:
        raise click.UsageError("--approve goes with --mapping, and takes the text that --mapping alone printed.")
    parts = wired()
    if mapping:
        _show_mapping(parts, mapping, approve, as_json=as_json)
    replayed = replay_projections(parts.database)
    with parts.database.read() as tx:
        payloads = replay_payloads(tx, parts.artifacts, parts.ehrs)
    ok = replayed.ok and payloads.ok
    document = {
        "ok": ok,
        "events": replayed.events,
        "projections": {name: asdict(compared) for name, compared in replayed.read_models.items()},
        "payloads": asdict(payloads),
    }
    lines = [
        f"{replayed.events} events projected again",
        *(f"{name}: {one.rows} rows, {len(one.different)} different" for name, one in replayed.read_models.items()),
        f"payloads: {payloads.identical} identical, {len(payloads.different)} different",
        f"payloads that another version rendered, not compared: {payloads.other_version}",
    ]
    report(document, lines, as_json=as_json, ok=ok)


@log.command()
@click.argument("tenant_id")
@click.option(
    "--most", default=5, type=click.IntRange(min=1), show_default=True, help="How many notes to file once more."
)
@as_json
def canary(tenant_id: str, most: int, *, as_json: bool) -> None:
    """File a sandbox tenant's newest notes once more, under their signers' grants, and say what is other than then."""
    parts = wired()
    sung = Canary(parts.database, parts.artifacts, parts.tenants, parts.ehrs, parts.clock).sing(
        TenantId(tenant_id), most
    )
    ok = bool(sung) and all(one.outcome == "same" for one in sung)
    lines = [f"{one.stream}: {one.outcome} (then: {one.before}, now: {one.now})" for one in sung]
    document = {"ok": ok, "writes": [asdict(one) for one in sung]}
    report(document, lines or ["This tenant has no verified note to file once more."], as_json=as_json, ok=ok)


def _show_mapping(parts: Collaborators, mapping: str, approve: str, *, as_json: bool) -> None:
    """Report what a mapping would change, and regenerate what was approved; sends nothing."""
    known = sorted({*NOTES, *ENTRIES})
    if mapping not in known:
        raise click.BadParameter(f"there is no such mapping; there are {', '.join(known)}", param_hint="--mapping")
    with parts.database.read() as tx:
        shown = preview(tx, parts.artifacts, parts.ehrs, mapping)
    done = regenerate(parts.database, parts.writebacks, shown, approve, actor(), parts.clock) if approve else 0
    kinds = {"pending": shown.pending, "past": shown.past}
    document = {
        "mapping": mapping,
        **{kind: {vendor: asdict(one) for vendor, one in found.items()} for kind, found in kinds.items()},
        "not_compared": shown.not_compared,
        "approve": shown.fingerprint if shown.regenerations else "",
        "regenerated": done,
    }
    lines = [
        f"{kind}, {vendor}: {one.changed} of {one.writes} would change, {one.refused} be refused; "
        f"{', '.join(f'{path} in {count}' for path, count in sorted(one.fields.items())) or 'no field'}"
        for kind, found in kinds.items()
        for vendor, one in sorted(found.items())
    ]
    lines.append(f"not compared, rendered under another profile or by no such mapping: {shown.not_compared}")
    if approve:
        lines.append(f"{done} regenerated")
    elif shown.regenerations:
        lines.append(f"To regenerate the pending ones: --mapping {mapping} --approve {shown.fingerprint}")
    report(document, lines, as_json=as_json)
