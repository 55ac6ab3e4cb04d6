"""read, vread and history (https://hl7.org/fhir/R4/http.html#read)."""

import base64
from typing import Any

from flask import Response, request

from sandbox.ehr import EHR
from sandbox.fhir.access import require_access
from sandbox.fhir.outcomes import Refused
from sandbox.fhir.replies import resource_response
from sandbox.fhir.store import Version


def read(ehr: EHR, resource_type: str, resource_id: str) -> Response:
    """The current version of a resource. Raises Refused 404 or 410."""
    access = require_access(ehr, resource_type, "r")
    resource = find_resource(ehr, resource_type, resource_id)
    access.require(resource, ehr.store.patient_of(resource_type, resource_id))
    if resource_type == "Binary" and "json" not in request.headers.get("Accept", ""):
        return _native(resource)
    return resource_response(ehr, resource)


def vread(ehr: EHR, resource_type: str, resource_id: str, version_id: str) -> Response:
    """One version of a resource. Raises Refused 404 or 410."""
    access = require_access(ehr, resource_type, "r")
    version = ehr.store.version(resource_type, resource_id, int(version_id)) if version_id.isdigit() else None
    if version is None:
        raise Refused(404, "not-found", f"No version {version_id} of {resource_type}/{resource_id}.")
    access.require(version.resource, ehr.store.patient_of(resource_type, resource_id))
    if version.method == "DELETE":
        raise Refused(410, "deleted", f"{resource_type}/{resource_id} was deleted in this version.")
    return resource_response(ehr, version.resource)


def history(ehr: EHR, resource_type: str, resource_id: str) -> Response:
    """Every version, newest first, as a history Bundle. Raises Refused 404."""
    access = require_access(ehr, resource_type, "r")
    versions = ehr.store.history(resource_type, resource_id)
    if not versions:
        raise Refused(404, "not-found", f"No {resource_type}/{resource_id}.")
    access.require(versions[0].resource, ehr.store.patient_of(resource_type, resource_id))
    url = f"{ehr.fhir_base}/{resource_type}/{resource_id}"
    entries = [_history_entry(version, url) for version in versions]
    bundle = {"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries}
    return resource_response(ehr, bundle)


def find_resource(ehr: EHR, resource_type: str, resource_id: str) -> dict[str, Any]:
    """The stored resource. Raises Refused 404 or 410, or 301 where a merge moved it."""
    resource = ehr.store.read(resource_type, resource_id)
    if resource is not None:
        return resource
    moved = ehr.database.row("SELECT to_id FROM moved WHERE type = ? AND id = ?", resource_type, resource_id)
    if moved is not None:
        place = f"{ehr.fhir_base}/{resource_type}/{moved['to_id']}"
        raise Refused(301, "informational", f"Now at {place}", headers={"Location": place})
    if ehr.store.was_deleted(resource_type, resource_id):
        raise Refused(410, "deleted", f"{resource_type}/{resource_id} was deleted.")
    raise Refused(404, "not-found", f"No {resource_type}/{resource_id}.")


def _native(binary: dict[str, Any]) -> Response:
    # https://hl7.org/fhir/R4/binary.html#rest: the content itself, unless FHIR JSON is asked for.
    return Response(base64.b64decode(binary.get("data", "")), content_type=binary["contentType"])


def _history_entry(version: Version, url: str) -> dict[str, Any]:
    answer = {"status": "201" if version.method == "POST" else "200", "etag": f'W/"{version.version}"'}
    entry: dict[str, Any] = {
        "fullUrl": url,
        "request": {"method": version.method, "url": url},
        "response": {**answer, "lastModified": version.last_updated},
    }
    if version.method != "DELETE":
        entry["resource"] = version.resource
    return entry
