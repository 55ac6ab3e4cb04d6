"""Commands on vendor profiles: what each EHR is documented to take, and who says so."""

import click

from app.cli.reporting import as_json, report
from app.settings import Settings
from vendors.registry import load_adapters


@click.group()
def vendor() -> None:
    """EHR products."""


@vendor.command()
@as_json
def matrix(*, as_json: bool) -> None:
    """Every capability of every product, with source and confidence."""
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
    report({"vendors": document}, lines, as_json=as_json)
