"""Is a structured resource in the EHR what was signed? Pure; notes have a comparison of their own (`compare.py`).

Whatever was sent must be there; what the EHR adds is its own business. Another display text or narrative is harmless, a
lost identifier or label weakens later reconciliation only, and everything else that differs a human decides.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from app.reconciliation.compare import Comparison

# Set by every server in its own way, and never signed.
SERVERS_OWN = frozenset({"id", "meta", "text", "resourceType"})
HARMLESS = frozenset({"identifier", "display", "label"})
RETRACTED = "entered-in-error"
# Where a resource says that it was entered in error; `status` for all others.
STATUS_FIELDS = {"Condition": "verificationStatus", "AllergyIntolerance": "verificationStatus"}


def compare_entry(payload: bytes, stored: Mapping[str, Any]) -> Comparison:
    """Compare a resource that was sent whole, by create or update, with the one that is stored."""
    return _sorted(_differences(json.loads(payload), stored))


def compare_patched(payload: bytes, stored: Mapping[str, Any]) -> Comparison:
    """Compare what a JSON Patch set with what stands there: each `add` or `replace` left its value (RFC 6902)."""
    wrong = []
    for operation in json.loads(payload):
        if operation["op"] not in ("add", "replace"):
            continue
        if not any(_holds(operation["value"], one) for one in _at(operation["path"], stored)):
            wrong.append(operation["path"].strip("/").partition("/")[0])
    return _sorted(iter(dict.fromkeys(wrong)))


def compare_retracted(payload: bytes, stored: Mapping[str, Any]) -> Comparison:
    """Compare a resource that was marked as entered in error with the one that is stored: its content must survive.

    A server may write the content anew for a resource in error; what differs there is named and harmless, unless it
    is gone (C38).
    """
    if not is_retracted(stored):
        return Comparison((), ("status",))
    sent = json.loads(payload)
    if isinstance(sent, list):
        return Comparison((), ())
    gone = tuple(name for name in sent if name not in SERVERS_OWN | HARMLESS and not stored.get(name))
    changed = tuple(name for name in _differences(sent, stored) if name not in gone)
    return Comparison(changed, gone)


def is_retracted(stored: Mapping[str, Any]) -> bool:
    """Whether the EHR says of a resource that it was entered in error."""
    held = stored.get(STATUS_FIELDS.get(str(stored.get("resourceType")), "status"))
    codings = held.get("coding", ()) if isinstance(held, dict) else ()
    return held == RETRACTED or any(one.get("code") == RETRACTED for one in codings)


def _sorted(names: Iterator[str]) -> Comparison:
    found = list(names)
    harmless = tuple(name for name in found if name in HARMLESS)
    return Comparison(harmless, tuple(name for name in found if name not in HARMLESS))


def _differences(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> Iterator[str]:
    """The names of the fields that differ; `label` for a security label that was lost."""
    for name, value in sent.items():
        if name not in SERVERS_OWN and not _holds(value, stored.get(name)):
            yield "display" if _holds(_without_words(value), stored.get(name)) else name
    labels = sent.get("meta", {}).get("security", [])
    if not _holds(labels, stored.get("meta", {}).get("security", [])):
        yield "label"


def _holds(sent: object, stored: object) -> bool:
    """Whether everything that was sent is in what is stored; lists in any order."""
    match sent:
        case dict():
            return isinstance(stored, dict) and all(_holds(value, stored.get(name)) for name, value in sent.items())
        case list():
            return isinstance(stored, list) and all(any(_holds(one, other) for other in stored) for one in sent)
        case bool():
            return sent is stored
        case str():
            return isinstance(stored, str) and _same_text(sent, stored)
        case _:
            return sent == stored


def _same_text(sent: str, stored: str) -> bool:
    """Equal, or the same moment in another zone, or the same reference with the server's address before it."""
    if sent == stored or ("/" in sent and stored.endswith(f"/{sent}")):
        return True
    try:
        moments = datetime.fromisoformat(sent), datetime.fromisoformat(stored)
    except ValueError:
        return False
    # A date without a time is no moment: 2026-11-22 says another thing than midnight.
    return all(moment.tzinfo for moment in moments) and moments[0] == moments[1]


def _without_words(value: Any) -> Any:
    """The value without the texts for people that stand beside codes and references."""
    match value:
        case dict() if value.keys() & {"code", "coding", "reference"}:
            return {name: _without_words(one) for name, one in value.items() if name not in ("display", "text")}
        case dict():
            return {name: _without_words(one) for name, one in value.items()}
        case list():
            return [_without_words(one) for one in value]
        case _:
            return value


def _at(path: str, resource: object) -> list[object]:
    """What stands at a JSON Pointer: one value, every item for `-` or a number, none where the path leads nowhere."""
    found = [resource]
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = [after for before in found for after in _step(name, before)]
    return found


def _step(name: str, value: object) -> list[object]:
    if isinstance(value, dict):
        return [value[name]] if name in value else []
    # The server may have put the item elsewhere in the list meanwhile.
    return list(value) if isinstance(value, list) and (name == "-" or name.isdigit()) else []
