"""update, patch and delete (https://hl7.org/fhir/R4/http.html#update)."""

from typing import Any

import jsonpatch
from flask import Response, g, request

from sandbox.ehr import EHR
from sandbox.fhir.access import require_access
from sandbox.fhir.bodies import parsed_json, sent_resource, validate
from sandbox.fhir.keeping import keep_sent_provenance, keep_version, record_write
from sandbox.fhir.outcomes import CONTENT_TYPE, Refused
from sandbox.fhir.read import find_resource
from sandbox.fhir.replies import resource_response, versioned_location
from sandbox.fhir.store import VersionConflict

JSON_PATCH = "application/json-patch+json"


def update(ehr: EHR, resource_type: str, resource_id: str) -> Response:
    """A new version under If-Match; the body's id must be the URL's. Raises Refused."""
    access = require_access(ehr, resource_type, "u")
    resource = sent_resource(resource_type)
    if resource.get("id") != resource_id:
        raise Refused(400, "invalid", "The body's id is not the URL's.")
    access.require(resource)
    if ehr.store.read(resource_type, resource_id) is not None:
        access.require(find_resource(ehr, resource_type, resource_id))
    return _written(ehr, access, "update", resource)


def patch(ehr: EHR, resource_type: str, resource_id: str) -> Response:
    """JSON Patch (RFC 6902) under If-Match. Raises Refused."""
    access = require_access(ehr, resource_type, "u")
    if request.mimetype != JSON_PATCH:
        raise Refused(415, "not-supported", f"Only {JSON_PATCH} is supported.")
    current = find_resource(ehr, resource_type, resource_id)
    access.require(current)
    try:
        changed = jsonpatch.apply_patch(current, parsed_json())
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as error:
        raise Refused(422, "processing", f"The patch cannot be applied: {error}") from error
    if (changed.get("resourceType"), changed.get("id")) != (resource_type, resource_id):
        raise Refused(400, "invalid", "A patch may not change resourceType or id.")
    validate(changed)
    access.require(changed)
    expected = _if_match()
    # What was patched is the version that was read: nothing may have come in between, If-Match or not.
    return _written(ehr, access, "patch", changed, int(current["meta"]["versionId"]) if expected is None else expected)


def delete(ehr: EHR, resource_type: str, resource_id: str) -> Response:
    """End a resource; deleting what is gone is fine. Raises Refused."""
    access = require_access(ehr, resource_type, "d")
    current = ehr.store.read(resource_type, resource_id)
    if current is not None:
        access.require(current, ehr.store.patient_of(resource_type, resource_id))
        with ehr.database.transaction():
            ehr.store.delete(resource_type, resource_id)
            record_write(ehr, access, "delete", current)
    return Response("", 204)


def _written(
    ehr: EHR, access: Any, interaction: str, resource: dict[str, Any], expected: int | None = None
) -> Response:
    expected = expected if expected is not None else _if_match()
    existed = ehr.store.read(resource["resourceType"], resource["id"]) is not None
    try:
        with ehr.database.transaction():
            stored = keep_version(ehr, access, interaction, resource, expected)
            keep_sent_provenance(ehr, stored)
    except VersionConflict as error:
        raise Refused(412, "conflict", "The resource is at another version than If-Match says.") from error
    response = resource_response(ehr, stored, 200 if existed else 201)
    if "return=minimal" in request.headers.get("Prefer", ""):
        response = Response("", response.status_code, headers=response.headers, content_type=CONTENT_TYPE)
    response.headers["Location"] = versioned_location(ehr, stored)
    return response


def _if_match() -> int | None:
    header = None if g.get("ignore_if_match") else request.headers.get("If-Match")
    if header is None and g.get("version_required"):
        # https://hl7.org/fhir/R4/http.html#concurrency: 400 "when no If-Match header is found" (versioned-update).
        raise Refused(400, "required", "If-Match is required: this server takes versioned updates only.")
    if header is None:
        return None
    version = header.removeprefix("W/").strip('"')
    if not version.isdigit():
        raise Refused(412, "conflict", "If-Match is not a version of this resource.")
    return int(version)
