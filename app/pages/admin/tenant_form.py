"""The form of a registration: filled from a document, and the document that a sent form means.

What the form does not ask for stays as it was.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from app.pages.admin.screens import Field, Group, Problem
from app.pages.admin.tenant_entries import ENTRIES, OPTIONAL, PARTS, WORKFLOW, Control, Entry, Part
from app.tenants.registering import Problem as Found
from app.tenants.registrations import DEFAULT_QUEUE, Tenant

WORKFLOWS = "workflows"
WORKFLOWS_WORDS = (
    "Partitions inside the organisation, each with its own queue and phase. Notes belong to them for ever, so a "
    "workflow stays once it was registered."
)
# So many more than there are can be added at once.
BLANK_ROWS = 1
MOST_WORKFLOWS = 50


def new_document() -> dict[str, Any]:
    """What an empty form begins with: a registration's defaults, and the safest choices."""
    fields = Tenant.model_fields
    defaults = {name: field.get_default() for name, field in fields.items() if not field.is_required()}
    begun = {
        **defaults,
        "note": defaults["note"].model_dump(),
        "workflows": [{"id": "primary-care", "title": "Primary care"}],
        "environment": "production",
        "authentication": {"method": "private_key_jwt"},
    }
    copied: dict[str, Any] = json.loads(json.dumps(begun, default=list))
    return copied


def groups(
    document: Mapping[str, Any], vendors: tuple[str, ...], found: tuple[Found, ...], *, is_new: bool
) -> tuple[Group, ...]:
    """The form, filled with `document`, each problem beside its field."""
    problems = {_shown_at(one.field): Problem(one.wrong, one.write) for one in reversed(found)}
    shown = [_group(part, document, vendors, problems, is_new=is_new) for part in PARTS]
    # After who the organisation is and how we reach it, before what is seldom needed.
    shown.insert(3, _workflows(document, problems.get(WORKFLOWS)))
    return tuple(shown)


def summary(found: tuple[Found, ...]) -> tuple[tuple[str, str, str], ...]:
    """Every problem with a link to its field, for the top of the page."""
    return tuple((f"#{_id(_shown_at(one.field))}", _label(_shown_at(one.field)), one.wrong) for one in found)


def document_of(form: Mapping[str, str], begun: Mapping[str, Any]) -> dict[str, Any]:
    """The document that a sent form means, over the one that it began with."""
    document: dict[str, Any] = json.loads(json.dumps(begun))
    for entry in ENTRIES.values():
        if entry.name == "id" and "id" not in form:
            continue  # a tenant's id never changes, so the form of a change does not ask for it
        outer, _, inner = entry.name.partition(".")
        value = _entered(entry, form.get(entry.name, ""))
        if outer in OPTIONAL:
            document[outer] = {inner: value} if value else None
        elif inner:
            document.setdefault(outer, {})[inner] = value
        else:
            document[outer] = value
    document[WORKFLOWS] = _entered_workflows(form, begun.get(WORKFLOWS) or [])
    return document


def _group(
    part: Part, document: Mapping[str, Any], vendors: tuple[str, ...], problems: Mapping[str, Problem], *, is_new: bool
) -> Group:
    fields = [
        _field(entry, _of(document, entry.name), vendors, problems.get(entry.name))
        for entry in part.entries
        if is_new or entry.name != "id"
    ]
    return Group(part.title, part.words, tuple(fields), part.folded)


def _field(entry: Entry, value: Any, vendors: tuple[str, ...], problem: Problem | None) -> Field:
    choices = tuple((name, name) for name in vendors) if entry.name == "vendor" else entry.choices
    control = {"pairs": "lines", "number": "line"}.get(entry.control, entry.control)
    return Field(entry.name, control, entry.label, entry.words, _shown(value), choices, problem, entry.required)


def _workflows(document: Mapping[str, Any], problem: Problem | None) -> Group:
    known = document.get(WORKFLOWS) or []
    rows = [*known, *({} for _ in range(BLANK_ROWS))]
    return Group(
        "Workflows",
        WORKFLOWS_WORDS,
        (),
        folded=False,
        problem=problem,
        rows=tuple(
            (
                f"Workflow {number + 1}" if number < len(known) else "Another workflow",
                tuple(_workflow_field(number, entry, row) for entry in WORKFLOW),
            )
            for number, row in enumerate(rows)
        ),
    )


def _workflow_field(number: int, entry: Entry, row: Mapping[str, Any]) -> Field:
    value = row.get(entry.name)
    if entry.name == "matches":
        value = [_match_line(match) for match in value or []]
    if entry.name == "queue" and value == DEFAULT_QUEUE:
        value = ""
    return Field(f"{WORKFLOWS}.{number}.{entry.name}", entry.control, entry.label, entry.words, _shown(value))


def _match_line(match: Mapping[str, str]) -> str:
    return " ".join(f"{name}={coding}" for name, coding in match.items() if coding)


def _of(document: Mapping[str, Any], name: str) -> Any:
    outer, _, inner = name.partition(".")
    value = document.get(outer)
    return (value or {}).get(inner) if inner else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "\n".join(f"{name}={held}" for name, held in value.items())
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _entered(entry: Entry, text: str) -> Any:
    readers: dict[Control, Callable[[], Any]] = {
        # An empty line is no issuer at all; everywhere else it is an empty text, which the model judges.
        "line": lambda: text.strip() or (None if entry.name == "oauth_issuer" else ""),
        # A choice of nothing is left to somebody else, where the form offers it.
        "choice": lambda: text.strip() or (None if "" in dict(entry.choices) else ""),
        "tick": lambda: text == "true",
        # What is no number is kept as it was typed, for the model to judge; nothing is the default.
        "number": lambda: text.strip() or Tenant.model_fields[entry.name].default,
        "lines": lambda: _lines(text),
        "pairs": lambda: dict(_pair(line) for line in _lines(text)),
    }
    return readers[entry.control]()


def _entered_workflows(form: Mapping[str, str], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {one["id"]: one for one in before}
    rows = (
        {entry.name: form.get(f"{WORKFLOWS}.{n}.{entry.name}", "") for entry in WORKFLOW} for n in range(MOST_WORKFLOWS)
    )
    return [_entered_workflow(row, known) for row in rows if any(value.strip() for value in row.values())]


def _entered_workflow(row: Mapping[str, str], known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    workflow_id = row["id"].strip()
    workflow = {**known.get(workflow_id, {}), "id": workflow_id, "title": row["title"].strip()}
    workflow["queue"] = row["queue"].strip() or DEFAULT_QUEUE
    workflow["matches"] = [dict(_pair(coding) for coding in line.split()) for line in _lines(row["matches"])]
    return workflow


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _shown_at(field: str) -> str:
    """Which field of the form a problem of the document is shown at."""
    outer = field.partition(".")[0]
    return field if field in ENTRIES else outer if outer in ENTRIES or outer == WORKFLOWS else "authentication.method"


def _id(name: str) -> str:
    return "field-" + name.replace(".", "-")


def _label(name: str) -> str:
    return "Workflows" if name == WORKFLOWS else ENTRIES[name].label
