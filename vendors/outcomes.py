"""What an HTTP answer means for each FHIR interaction: one table that covers every status code.

Sources: conformance C11 to C17 and F09 to F17, FHIR R4 http.html and operationoutcome.html, RFC 9110.
A status that a write may have survived is OutcomeUnknown; only a status that says "not applied" is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from vendors import errors
from vendors.errors import VendorError

Leaf = type[VendorError]
ANY_STATUS = range(100, 1000)  # all that an HTTP/1.1 status line can carry
RETRY_AFTER_CAP_SECONDS = 3600.0
RETRY_AFTER_UNSAID_SECONDS = 60.0


class Interaction(StrEnum):
    """The FHIR REST interactions that the transport performs."""

    READ = "read"
    SEARCH = "search"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"

    @property
    def writes(self) -> bool:
        """Whether the EHR may hold something new after it: then silence is no failure (C15)."""
        return self not in (Interaction.READ, Interaction.SEARCH)


_REFUSED_UNAPPLIED = (402, 407, 411, 414, 416, 417, 421, 424, 425, 426, 428, 431, 451, 501)
_UNASSIGNED_4XX = (418, 419, 420, 427, 430, *range(432, 451), *range(452, 500))

Rows = tuple[tuple[Iterable[int], Leaf | None], ...]


def _writing(absent: Leaf, unfit: Leaf = errors.InvalidResource) -> Rows:
    return (
        (range(200, 300), None),
        ((301, 307, 308), errors.Rejected),  # by definition not applied here; the registered base is wrong
        ((400, 422), unfit),
        ((413, 415), errors.InvalidResource),
        ((401,), errors.TokenRefused),
        ((403,), errors.NotAuthorized),
        ((404, 410), absent),
        ((405, *_REFUSED_UNAPPLIED), errors.Rejected),
        ((409, 412), errors.VersionConflict),
        ((423, 429), errors.Throttled),
        # The request may have been applied before any of these was written.
        ((406, 408, *_UNASSIGNED_4XX), errors.OutcomeUnknown),
        ((*range(100, 200), 300, 302, 303, 304, 305, 306, *range(309, 400)), errors.OutcomeUnknown),
        ((500, *range(502, 1000)), errors.OutcomeUnknown),
    )


def _reading(absent: Leaf) -> Rows:
    refused = (400, 405, 406, 409, 411, 412, 413, 415, 422, *_REFUSED_UNAPPLIED, *_UNASSIGNED_4XX)
    return (
        ((200, 203), None),
        ((401,), errors.TokenRefused),
        ((403,), errors.NotAuthorized),
        ((404, 410), absent),
        (dict.fromkeys(refused), errors.Rejected),
        ((423, 429), errors.Throttled),
        ((408, *range(100, 200), 201, 202, *range(204, 400)), errors.Unavailable),
        ((500, *range(502, 1000)), errors.Unavailable),
    )


def _spread(rows: Rows) -> dict[int, Leaf | None]:
    """Return one entry per status; refuses, at import, a status with no row or with two."""
    table: dict[int, Leaf | None] = {}
    for statuses, leaf in rows:
        for status in statuses:
            if status in table:
                raise AssertionError(f"status {status} has two meanings")
            table[status] = leaf
    if set(table) != set(ANY_STATUS):
        raise AssertionError(f"without a meaning: {sorted(set(ANY_STATUS) - set(table))}")
    return table


STATUS_TABLE: Mapping[Interaction, Mapping[int, Leaf | None]] = {
    Interaction.READ: _spread(_reading(errors.NotFound)),
    Interaction.SEARCH: _spread(_reading(errors.Rejected)),
    Interaction.CREATE: _spread(_writing(errors.Rejected)),
    Interaction.UPDATE: _spread(_writing(errors.NotFound)),  # what was to be changed is not there
    # A `test` that fails is 400 or 422 at servers that try the patch before they look at If-Match.
    Interaction.PATCH: _spread(_writing(errors.NotFound, unfit=errors.VersionConflict)),
}

# FHIR issue codes that say more than a 4xx status does (C17). They never soften an OutcomeUnknown.
_STEERED_WRITES: Mapping[str, Leaf] = {
    "duplicate": errors.VersionConflict,
    "conflict": errors.VersionConflict,
    "multiple-matches": errors.VersionConflict,
    "throttled": errors.Throttled,
    "transient": errors.Throttled,
    "lock-error": errors.Throttled,
    "timeout": errors.OutcomeUnknown,
}
_STEERED_READS: Mapping[str, Leaf] = {
    "throttled": errors.Throttled,
    "lock-error": errors.Throttled,
    "transient": errors.Unavailable,
    "timeout": errors.Unavailable,
}


def meaning(interaction: Interaction, status: int, issue_codes: Iterable[str] = ()) -> Leaf | None:
    """Return the error that a status stands for, or None where it says that it was done."""
    leaf = STATUS_TABLE[interaction][status]
    if leaf not in (errors.Rejected, errors.InvalidResource):
        return leaf
    return steered(interaction, issue_codes) or leaf


def steered(interaction: Interaction, issue_codes: Iterable[str]) -> Leaf | None:
    """Return the error that the first telling issue code stands for, if there is one."""
    table = _STEERED_WRITES if interaction.writes else _STEERED_READS
    return next((table[code] for code in issue_codes if code in table), None)


# fmt: off
_ISSUE_TYPES = frozenset((
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired",
    "forbidden", "suppressed", "processing", "not-supported", "duplicate", "multiple-matches",
    "not-found", "deleted", "too-long", "code-invalid", "extension", "too-costly", "business-rule",
    "conflict", "transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled",
    "informational",
))
# fmt: on
_VENDOR_CODE = re.compile(r"[0-9]{4,5}\Z")  # Epic's own codes, such as 59189; diagnostics may hold PHI


def issue_codes(resource: object, severities: Iterable[str] = ("fatal", "error")) -> tuple[str, ...]:
    """Return the known codes of an OperationOutcome's issues of these severities, and nothing of its text."""
    found = [code for issue in _issues(resource, frozenset(severities)) for code in _codes(issue)]
    return tuple(dict.fromkeys(found))


def has_error(resource: object) -> bool:
    """Tell whether this is an OperationOutcome with an error or fatal issue."""
    return any(True for _ in _issues(resource, frozenset({"fatal", "error"})))


def _issues(resource: object, severities: frozenset[str]) -> Iterator[dict[str, Any]]:
    if not isinstance(resource, dict) or resource.get("resourceType") != "OperationOutcome":
        return
    listed = resource.get("issue")
    for issue in listed if isinstance(listed, list) else []:
        if isinstance(issue, dict) and issue.get("severity") in severities:
            yield issue


def _codes(issue: dict[str, Any]) -> Iterator[str]:
    if issue.get("code") in _ISSUE_TYPES:
        yield str(issue["code"])
    details = issue.get("details")
    codings = details.get("coding") if isinstance(details, dict) else None
    for coding in codings if isinstance(codings, list) else []:
        code = coding.get("code") if isinstance(coding, dict) else None
        if isinstance(code, str) and _VENDOR_CODE.match(code):
            yield code


def parsed_json(body: bytes) -> object:
    """Return the JSON value of a body, or None where it is none."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After (RFC 9110 10.2.3: seconds or a date), capped; None where absent or unreadable.

    A date is measured against the answer's own Date, so that a wrong clock on either side does no harm.
    """
    said = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+", said):
        return min(float(said[:12]), RETRY_AFTER_CAP_SECONDS)
    until = _http_date(said)
    if until is None:
        return None
    start = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max((until - start).total_seconds(), 0.0), RETRY_AFTER_CAP_SECONDS)


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
