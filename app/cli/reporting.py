"""Commands that report: people read lines, scripts read one JSON object; the exit code is 0 only when all is well."""

import getpass
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from app.collaborators import EXTENSION, Collaborators
from app.settings import Settings
from app.wiring import create_app

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")


def wired() -> Collaborators:
    """The parts of the app under the settings in force."""
    parts: Collaborators = create_app(Settings()).extensions[EXTENSION]
    return parts


def actor() -> str:
    """Who runs this command, as events name them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # in a container the user may have a number only
        return f"cli:{os.getuid()}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun, as people say it: "1 write", "2 writes"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def report(document: Mapping[str, Any], lines: list[str], *, as_json: bool, ok: bool = True) -> None:
    """Print the document or the lines, and end with the exit code that says whether all is well."""
    click.echo(json.dumps(document) if as_json else "\n".join(lines))
    sys.exit(0 if ok else 1)
