"""search-type (https://hl7.org/fhir/R4/http.html#search)."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from sandbox.authorization.scopes import resource_scopes
from sandbox.ehr import EHR
from sandbox.fhir.access import Access, require_access
from sandbox.fhir.compartment import patient_of
from sandbox.fhir.outcomes import Refused, operation_outcome
from sandbox.fhir.replies import resource_response
from sandbox.fhir.search_match import BadValue, matches

RESULT_PARAMETERS = ("_count", "_sort", "_revinclude", "_format", "_total", "_summary", "ah-practice")
LARGEST_PAGE = 200
Parameters = list[tuple[str, str]]


def search(ehr: EHR, resource_type: str) -> Response:
    """A searchset Bundle page. Raises Refused."""
    access = require_access(ehr, resource_type, "s")
    parameters = list(request.args.items(multi=True)) + list(request.form.items(multi=True))
    known, ignored = _recognised(ehr, resource_type, parameters)
    _require_one_of(ehr, resource_type, known)
    _check_practice(ehr, dict(parameters))
    found = _sorted(find(ehr, access, resource_type, known), dict(parameters).get("_sort", ""))
    bundle = _bundle(ehr, resource_type, parameters, found)
    bundle["entry"] += _reverse_included(ehr, access, dict(parameters), bundle["entry"])
    bundle["entry"] += _warnings(ehr, found, ignored)
    if not bundle["entry"]:  # FHIR knows no empty arrays
        del bundle["entry"]
    return resource_response(ehr, bundle)


def find(ehr: EHR, access: Access, resource_type: str, known: Parameters) -> list[dict[str, Any]]:
    """Every resource that matches and that the token reaches. Raises Refused 400 for a bad value."""
    try:
        return [
            resource
            for resource in ehr.store.current(resource_type, _patient(ehr, known), _identifier(known))
            if matches(resource, _comparable(resource_type, known)) and access.reaches(resource)
        ]
    except BadValue as error:
        raise Refused(400, "value", f"Bad search value: {error}", vendor_code="59138") from error


def _patient(ehr: EHR, known: Parameters) -> str | None:
    """The chart to look in, when one is named: the store's index does the narrowing."""
    for name, value in known:
        if name.partition(":")[0] in ("patient", "subject") and "," not in value:
            return value.rsplit("/", 1)[-1]
        if name == "target" and "," not in value:
            place = value.partition("/_history/")[0].split("/")
            return ehr.store.patient_of(place[-2], place[-1]) if len(place) > 1 else None
    return None


def _identifier(known: Parameters) -> str | None:
    """The identifier to look for, when there is exactly one: likewise."""
    for name, value in known:
        if name == "identifier" and "," not in value:
            return value.rpartition("|")[2] or None
    return None


def _comparable(resource_type: str, known: Parameters) -> Parameters:
    # A Provenance is in its target's chart; that was resolved when it was stored.
    if resource_type == "Provenance":
        return [(name, value) for name, value in known if name != "patient"]
    return known


def _recognised(ehr: EHR, resource_type: str, parameters: Parameters) -> tuple[Parameters, list[str]]:
    fhir = ehr.personality.fhir
    supported = fhir.search.get(resource_type, ())
    known = [(name, value) for name, value in parameters if name.partition(":")[0] in supported]
    names = {name for name, _ in parameters} - {name for name, _ in known}
    unknown = sorted(names - {*RESULT_PARAMETERS, fhir.page_parameter})
    strict = "handling=strict" in request.headers.get("Prefer", "") or fhir.unknown_parameters == "refused"
    if unknown and strict:
        raise Refused(400, "not-supported", f"Unsupported parameter: {unknown[0]}", vendor_code="59102")
    return known, unknown


def _require_one_of(ehr: EHR, resource_type: str, known: Parameters) -> None:
    needed = ehr.personality.fhir.search_needs_one_of.get(resource_type, ())
    if needed and not {name.partition(":")[0] for name, _ in known} & set(needed):
        text = f"One of these parameters is required: {', '.join(needed)}"
        raise Refused(400, "required", text, vendor_code="59108", expression=needed[0])


def _check_practice(ehr: EHR, parameters: dict[str, str]) -> None:
    practice, sent = ehr.personality.fhir.practice, parameters.get("ah-practice")
    if practice and sent is not None and sent != f"Organization/{practice}":
        raise Refused(403, "forbidden", "ah-practice must be Organization/ and the practice's id.")


def _sorted(found: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    for part in reversed([part for part in order.split(",") if part]):
        name = part.removeprefix("-")
        found = sorted(found, key=partial(_sort_key, name=name), reverse=part.startswith("-"))
    return found


def _sort_key(resource: dict[str, Any], name: str) -> str:
    if name == "_lastUpdated":
        return str(resource["meta"]["lastUpdated"])
    period = resource.get("period", {}).get("start", "")
    return str(resource.get(name) or resource.get("effectiveDateTime") or period)


def _bundle(ehr: EHR, resource_type: str, parameters: Parameters, found: list[dict[str, Any]]) -> dict[str, Any]:
    given = dict(parameters)
    offset, count = _page(ehr, given)
    page = [] if given.get("_summary") == "count" else found[offset : offset + count]
    links = [{"relation": "self", "url": _url(ehr, resource_type, parameters)}]
    if page and offset + count < len(found):
        following = [*_without(ehr, parameters), (ehr.personality.fhir.page_parameter, str(offset + count))]
        links.append({"relation": "next", "url": _url(ehr, resource_type, following)})
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": links,
        "entry": [_entry(ehr, resource, "match") for resource in page],
    }


def _page(ehr: EHR, given: dict[str, str]) -> tuple[int, int]:
    fhir = ehr.personality.fhir
    try:
        offset, count = int(given.get(fhir.page_parameter, 0)), int(given.get("_count", fhir.page_size))
    except ValueError as error:
        raise Refused(400, "value", "Bad page or _count.", vendor_code="59138") from error
    return max(offset, 0), min(max(count, 1), LARGEST_PAGE)


def _reverse_included(
    ehr: EHR, access: Access, given: dict[str, str], page: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    readable = any(scope.covers("Provenance", "s") for scope in resource_scopes(access.token.scope))
    if given.get("_revinclude") != "Provenance:target" or not page or not readable:
        return []
    resources = [entry["resource"] for entry in page]
    targets = ",".join(f"{resource['resourceType']}/{resource['id']}" for resource in resources)
    everything = ehr.store.current("Provenance", patient_of(resources[0], ehr.store.patient_of))
    return [_entry(ehr, found, "include") for found in everything if matches(found, [("target", targets)])]


def _warnings(ehr: EHR, found: list[dict[str, Any]], ignored: list[str]) -> list[dict[str, Any]]:
    outcomes = []
    if ignored:
        text = f"Ignored unsupported parameters: {', '.join(ignored)}"
        outcomes.append(operation_outcome("warning", "not-supported", text, vendor_code="59102"))
    code = ehr.personality.fhir.nothing_found_warning
    if code and not found:
        text = "Resource request returns no results."
        outcomes.append(operation_outcome("warning", "processing", text, vendor_code=code))
    return [{"resource": outcome, "search": {"mode": "outcome"}} for outcome in outcomes]


def _entry(ehr: EHR, resource: dict[str, Any], mode: str) -> dict[str, Any]:
    url = f"{ehr.fhir_base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def _without(ehr: EHR, parameters: Parameters) -> Parameters:
    return [pair for pair in parameters if pair[0] != ehr.personality.fhir.page_parameter]


def _url(ehr: EHR, resource_type: str, parameters: Parameters) -> str:
    query = urlencode(parameters)
    return f"{ehr.fhir_base}/{resource_type}" + (f"?{query}" if query else "")
