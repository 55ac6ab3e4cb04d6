"""Whether a resource matches search parameters (https://hl7.org/fhir/R4/search.html)."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.fhir.search_parameters import Parameter, find_parameter


class BadValue(Exception):
    """A search value that cannot be understood."""


def matches(resource: dict[str, Any], parameters: Iterable[tuple[str, str]]) -> bool:
    """True if every parameter matches; within one parameter, commas mean or. Raises BadValue."""
    return all(_one_matches(resource, name, value) for name, value in parameters)


def values_at(element: Any, path: str) -> list[Any]:
    """Everything at a dotted path, through lists."""
    found = [element]
    for name in path.split("."):
        found = [value for parent in found for value in _children(parent, name)]
    return found


def _children(parent: Any, name: str) -> list[Any]:
    value = parent.get(name) if isinstance(parent, dict) else None
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _one_matches(resource: dict[str, Any], name: str, value: str) -> bool:
    parameter = find_parameter(resource["resourceType"], name.partition(":")[0])
    if parameter is None:
        return True
    found = [candidate for path in parameter.paths for candidate in values_at(resource, path)]
    wanted = [part for part in value.split(",") if part]
    return any(_value_matches(parameter, candidate, part) for part in wanted for candidate in found)


def _value_matches(parameter: Parameter, candidate: Any, wanted: str) -> bool:
    if parameter.kind == "token":
        return any(_token_matches(system, code, wanted) for system, code in _codings(candidate))
    if parameter.kind == "reference":
        return _reference_matches(candidate.get("reference", ""), wanted)
    if parameter.kind == "string":
        return str(candidate).casefold().startswith(wanted.casefold())
    return _date_matches(candidate, wanted)


def _codings(candidate: Any) -> Iterator[tuple[str | None, str]]:
    if not isinstance(candidate, dict):
        yield None, str(candidate)
        return
    for coding in candidate.get("coding", [candidate]):
        yield coding.get("system"), str(coding.get("code", coding.get("value", "")))


def _token_matches(system: str | None, code: str, wanted: str) -> bool:
    wanted_system, bar, wanted_code = wanted.partition("|")
    if not bar:
        return code == wanted
    return (system or "") == wanted_system and wanted_code in ("", code)


def _reference_matches(reference: str, wanted: str) -> bool:
    # `1002`, `Patient/1002`, an absolute URL, or a version-specific one: compare from the right.
    mine, theirs = (
        reference.partition("/_history/")[0].split("/"),
        wanted.partition("/_history/")[0].split("/"),
    )
    compared = min(2, len(theirs))
    return mine[-compared:] == theirs[-compared:]


def _date_matches(candidate: Any, wanted: str) -> bool:
    prefix, text = (wanted[:2], wanted[2:]) if wanted[:2].isalpha() else ("eq", wanted)
    try:
        low, high = _span(text)
        start, end = _span_of(candidate)
    except ValueError as error:
        raise BadValue(wanted) from error
    tests = {
        "eq": low <= start and end <= high,
        "ne": not (low <= start and end <= high),
        "gt": end > high,
        "ge": end > high or (low <= start < high),
        "lt": start < low,
        "le": start < low or (low < end <= high),
        "sa": start >= high,
        "eb": end <= low,
        "ap": start < high and low < end,
    }
    if prefix not in tests:
        raise BadValue(wanted)
    return tests[prefix]


def _span_of(candidate: Any) -> tuple[datetime, datetime]:
    if isinstance(candidate, dict):
        start = _span(candidate["start"])[0] if "start" in candidate else datetime.min.replace(tzinfo=UTC)
        end = _span(candidate["end"])[1] if "end" in candidate else datetime.max.replace(tzinfo=UTC)
        return start, end
    return _span(str(candidate))


def _span(text: str) -> tuple[datetime, datetime]:
    """The instants that a partial date covers: a year, a month, a day, or one second."""
    if len(text) == 4:
        return _utc(f"{text}-01-01"), _utc(f"{int(text) + 1:04}-01-01")
    if len(text) == 7:
        year, month = int(text[:4]), int(text[5:])
        following = f"{year + month // 12:04}-{month % 12 + 1:02}-01"
        return _utc(f"{text}-01"), _utc(following)
    start = _utc(text)
    return start, start + (timedelta(days=1) if len(text) == 10 else timedelta(milliseconds=1))


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
