"""Commands on vendor profiles: what each EHR is documented to take, and who says so."""

from typing import Any

import click

from app.cli.reporting import as_json, report
from app.settings import Settings
from vendors.contract import Cited
from vendors.profile import NoteRules
from vendors.registry import load_adapters


@click.group()
def vendor() -> None:
    """EHR products."""


@vendor.command()
@as_json
def matrix(*, as_json: bool) -> None:
    """Every capability of every product, and how a filed note is changed there, with source and confidence."""
    adapters = load_adapters(Settings().smart_config / "vendors")
    document = {
        name: {
            kind: {interaction: cell.model_dump(mode="json") for interaction, cell in cells.items()}
            for kind, cells in adapter.profile.capabilities.items()
        }
        for name, adapter in adapters.items()
    }
    lines = [
        f"{name}  {kind}.{interaction}  {cell['support']}  {cell['confidence']}  {cell['source'] or '-'}"
        for name, kinds in document.items()
        for kind, cells in kinds.items()
        for interaction, cell in cells.items()
    ]
    changes = {name: _changes(adapter.profile.note) for name, adapter in adapters.items()}
    lines += [
        f"{name}  note.{rule}  {_in_words(said['value'])}  {said['confidence']}  {said['source'] or '-'}"
        for name, rules in changes.items()
        for rule, said in rules.items()
    ]
    report({"vendors": document, "changes": changes}, lines, as_json=as_json)


def _changes(rules: NoteRules) -> dict[str, dict[str, Any]]:
    named: dict[str, Cited] = {"amendment": rules.amendment, "retraction": rules.retraction}
    return {name: rule.model_dump(mode="json") for name, rule in named.items()}


def _in_words(value: str | list[str]) -> str:
    return ",".join(value) or "none" if isinstance(value, list) else value
