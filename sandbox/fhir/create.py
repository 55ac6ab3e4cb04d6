"""create (https://hl7.org/fhir/R4/http.html#create)."""

from typing import Any
from urllib.parse import parse_qsl

from flask import Response, g, request

from sandbox.ehr import EHR
from sandbox.fhir.access import Access, require_access
from sandbox.fhir.bodies import sent_resource
from sandbox.fhir.create_rules import RULES
from sandbox.fhir.keeping import keep_new, keep_sent_provenance
from sandbox.fhir.outcomes import CONTENT_TYPE, Refused, operation_outcome
from sandbox.fhir.replies import resource_response, versioned_location
from sandbox.fhir.search import find


def create(ehr: EHR, resource_type: str) -> Response:
    """Store what was sent, by this vendor's rules, and answer in this vendor's way. Raises Refused."""
    access = require_access(ehr, resource_type, "c")
    resource = _as_the_vendor_takes_it(ehr, access, sent_resource(resource_type))
    access.require(resource)
    _let_another_in_between(ehr, access, resource_type)
    with ehr.database.transaction():
        existing = _conditional_match(ehr, access, resource_type)
        if existing is not None:
            return resource_response(ehr, existing, 200, {"Location": versioned_location(ehr, existing)})
        if "file_later" in g:
            return _accepted(ehr, access, resource)
        stored = keep_new(ehr, access, resource, g.get("alter_stored"))
        keep_sent_provenance(ehr, stored)
    return _reply(ehr, stored)


def _accepted(ehr: EHR, access: Access, resource: dict[str, Any]) -> Response:
    """The `accept_then_file` knob: 202, no Location; the note appears when the knob says so."""
    seconds, requests = g.file_later
    alter = g.get("alter_stored")
    ehr.later.add(ehr.clock.now() + seconds, requests, lambda: keep_new(ehr, access, resource, alter))
    return Response("", 202, content_type=CONTENT_TYPE)


def _as_the_vendor_takes_it(ehr: EHR, access: Access, resource: dict[str, Any]) -> dict[str, Any]:
    # R4: the server ignores the id, versionId and lastUpdated that a client sends with a create.
    resource.pop("id", None)
    meta = {k: v for k, v in resource.pop("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    if meta:
        resource["meta"] = meta
    for rule in ehr.personality.fhir.create_rules.get(resource["resourceType"], ()):
        resource = RULES[rule](ehr.store, access.token.launch, resource)
    return resource


def _let_another_in_between(ehr: EHR, access: Access, resource_type: str) -> None:
    """The `condition_racy` knob: nothing was found, time passes, and the resource is stored without another look."""
    seconds = g.get("condition_race_seconds")
    if seconds is not None and _conditional_match(ehr, access, resource_type) is None:
        ehr.clock.sleep(seconds)
        g.ignore_condition = True


def _conditional_match(ehr: EHR, access: Access, resource_type: str) -> dict[str, Any] | None:
    """https://hl7.org/fhir/R4/http.html#ccreate; where the vendor does not know the header, it is ignored."""
    condition = request.headers.get("If-None-Exist")
    if condition is None or g.get("ignore_condition") or not ehr.personality.fhir.conditional_create:
        return None
    found = find(ehr, access, resource_type, parse_qsl(condition))
    if len(found) > 1:
        raise Refused(412, "multiple-matches", "If-None-Exist matches more than one resource.")
    return found[0] if found else None


def _reply(ehr: EHR, stored: dict[str, Any]) -> Response:
    rules, prefer = ehr.personality.fhir.create_reply, request.headers.get("Prefer", "")
    relative = f"{stored['resourceType']}/{stored['id']}"
    location = relative if rules.location == "relative" else versioned_location(ehr, stored)
    if "return=OperationOutcome" in prefer and rules.body == "unless_minimal":
        response = resource_response(ehr, operation_outcome("information", "informational", "Created."), 201)
    elif _wants_body(rules.body, prefer):
        response = resource_response(ehr, stored, 201)
    else:
        response = Response("", 201, content_type=CONTENT_TYPE)
    response.autocorrect_location_header = False
    response.headers["Location"] = location
    if rules.etag:
        response.headers["ETag"] = f'W/"{stored["meta"]["versionId"]}"'
    return response


def _wants_body(body: str, prefer: str) -> bool:
    if body == "when_preferred":
        return "return=representation" in prefer
    return "return=minimal" not in prefer
