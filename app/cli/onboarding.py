"""Commands that put a tenant into service: what to type into the vendor's console, and why a launch fails."""

import click

from app.cli.reporting import as_json, report, wired
from app.onboarding.sheet_text import sheet_lines


@click.command()
@click.argument("tenant_id")
@click.option("--text", "as_text", is_flag=True, help="Print it for paper or mail; this is also the default.")
@as_json
def sheet(tenant_id: str, *, as_text: bool, as_json: bool) -> None:
    """What to type into the vendor's console so that it launches Countersign."""
    made = wired().sheets.of(tenant_id)
    report(made.document(), sheet_lines(made), as_json=as_json and not as_text)


@click.command()
@click.argument("tenant_id")
@click.option("--text", "as_text", is_flag=True, help="Print a text that can be sent to the vendor's support.")
@as_json
def doctor(tenant_id: str, *, as_text: bool, as_json: bool) -> None:
    """Why a launch fails, what to change and where; ends with 1 while anything has to be changed."""
    diagnosis = wired().doctor.diagnosis(tenant_id)
    if as_text:
        click.echo(diagnosis.text())
        raise SystemExit(0 if diagnosis.ok else 1)
    report(diagnosis.document(), diagnosis.lines(), as_json=as_json, ok=diagnosis.ok)
