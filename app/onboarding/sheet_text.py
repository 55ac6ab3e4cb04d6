"""The registration sheet as plain text of 78 columns, for printing and for mail."""

import textwrap
from collections.abc import Iterator

from app.onboarding.sheet import Line, Sheet

WIDTH = 78


def sheet_lines(sheet: Sheet) -> list[str]:
    """The whole sheet. Values stand alone on their lines, so that they can be marked and copied."""
    return [
        *_head(sheet),
        *_part("What to type", _entries(sheet)),
        *_part("Pages that may frame Countersign", (f"    {origin}" for origin in sheet.frame_origins)),
        *_part("APIs to tick", _apis(sheet)),
        *_part("Scopes", _scopes(sheet)),
        *_part("Steps", _steps(sheet)),
        *_part("What Countersign needs back", _wanted(sheet)),
        *_part("Keys", _said(sheet.keys)),
        *_part("Test users", _said(sheet.test_users)),
        *_part("Sources", _sources(sheet)),
    ]


def _head(sheet: Sheet) -> list[str]:
    title = f"Registration sheet: {sheet.organization} ({sheet.tenant_id})"
    return [title, "=" * min(len(title), WIDTH), sheet.product, f"Environment: {sheet.environment}", "",
            *_wrapped(sheet.console.value)]  # fmt: skip


def _part(title: str, lines: Iterator[str]) -> list[str]:
    found = list(lines)
    return ["", title.upper(), "", *found] if found else []


def _entries(sheet: Sheet) -> Iterator[str]:
    for entry in sheet.entries:
        yield from _wrapped(entry.name)
        yield f"    {entry.value}"
        if entry.remark:
            yield from _wrapped(entry.remark, "    ")


def _apis(sheet: Sheet) -> Iterator[str]:
    for api in sheet.apis:
        number = f" [API {api.number}]" if api.number else ""
        yield f"[ ] {api.name}{number}{'' if api.required else ' (optional)'}"
        yield from _wrapped(api.reason, "    ")


def _scopes(sheet: Sheet) -> Iterator[str]:
    yield from _wrapped(sheet.scope_note)
    yield ""
    for scope in sheet.scopes:
        yield f"[ ] {scope.scope}{'' if scope.required else ' (optional)'}"
        yield from _wrapped(scope.reason, "    ")


def _steps(sheet: Sheet) -> Iterator[str]:
    for number, step in enumerate(sheet.steps, 1):
        yield f"{number}. {step.who}:"
        yield from _wrapped(step.says, "   ")
        if step.remark:
            yield from _wrapped(f"({step.remark})", "   ")


def _wanted(sheet: Sheet) -> Iterator[str]:
    for one in sheet.wanted_back:
        yield f"{one.name}: {one.value or '(not known yet)'}"
        yield from _wrapped(one.remark, "    ")


def _sources(sheet: Sheet) -> Iterator[str]:
    for one in sheet.sources:
        yield from _wrapped(f"[{one.key}] {one.title}")
        yield f"    {one.address}"


def _said(lines: tuple[Line, ...]) -> Iterator[str]:
    for line in lines:
        yield from _wrapped(f"{line.value}{f' ({line.remark})' if line.remark else ''}", "", "- ")


def _wrapped(text: str, indent: str = "", first: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first or indent, subsequent_indent=" " * len(first) or indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
