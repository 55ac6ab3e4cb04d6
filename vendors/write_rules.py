"""What must hold of a write before it may leave; an own check, so that no EHR is needed to refuse it.

Sources: FHIR R4 http.html#update and #patch; RFC 6902; conformance C10, C11, C13.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from vendors.contract import Write, WriteInteraction


def broken_rule(write: Write) -> str | None:
    """Return the code of the first rule of its interaction that the write breaks, None where it may leave."""
    try:
        body: object = json.loads(write.payload)
    except ValueError:
        return "not-json"
    return next(RULES[write.interaction](write, body), None)


def _create(write: Write, body: object) -> Iterator[str]:
    if _object(body).get("resourceType") != write.resource_type:
        yield "not-its-type"
    if not _object(body).get("identifier"):
        yield "identifier-missing"  # it could never be found again (C10, C20)
    if write.target_id or write.if_match:
        yield "target-not-empty"


def _update(write: Write, body: object) -> Iterator[str]:
    yield from _targeted(write)
    if _object(body).get("resourceType") != write.resource_type:
        yield "not-its-type"
    if _object(body).get("id") != write.target_id:
        yield "id-not-its-address"


def _patch(write: Write, body: object) -> Iterator[str]:
    yield from _targeted(write)
    operations = [_object(one).get("op") for one in body] if isinstance(body, list) else []
    if not operations or None in operations:
        yield "not-a-patch"
    if "test" not in operations:
        yield "patch-without-test"


def _targeted(write: Write) -> Iterator[str]:
    if not write.target_id:
        yield "target-missing"
    if not write.if_match:
        yield "if-match-missing"


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


RULES: dict[WriteInteraction, Callable[[Write, object], Iterator[str]]] = {
    "create": _create,
    "update": _update,
    "patch": _patch,
}
