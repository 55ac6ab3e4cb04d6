"""The tables in the documents that are drawn from the code. A failing test prints what to paste."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

from app.event_log.event import Event
from app.settings import Settings

ROOT = Path(__file__).parents[2]
NOT_YET = "(new)"
STAYS = "(same)"
Transitions = Mapping[type[Event], tuple[frozenset[StrEnum | None], StrEnum | None]]


def between(document: str, name: str) -> str:
    """What stands between `<!-- name -->` and `<!-- /name -->`."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def settings_table() -> str:
    """Every environment variable, its default and its meaning, as `app/settings.py` says."""
    rows = [
        (f"`COUNTERSIGN_{name.upper()}`", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("Variable", "Default", "Meaning"), rows)


def transitions_table(transitions: Transitions) -> str:
    """The drawing of a life: which event is possible at which stage, and where it leads."""
    rows = [
        (f"`{event.tag}`", ", ".join(sorted(map(_stage, allowed))), _stage(stage, STAYS))
        for event, (allowed, stage) in transitions.items()
    ]
    return table(("Event", "possible at", "leads to"), rows)


def _stage(stage: StrEnum | None, nothing: str = NOT_YET) -> str:
    return f"`{stage}`" if stage else nothing


def _default(value: object) -> str:
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT) if value.is_relative_to(ROOT) else value}`"
    return f"`{value}`" if value != "" else "(empty)"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
