"""How this EHR spells a successful answer."""

import json
from datetime import datetime
from typing import Any

from flask import Response

from sandbox.ehr import EHR
from sandbox.fhir.outcomes import CONTENT_TYPE


def resource_response(
    ehr: EHR, resource: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A resource, with ETag and Last-Modified where this vendor has versions."""
    response = Response(json.dumps(resource), status, headers=headers, content_type=CONTENT_TYPE)
    meta = resource.get("meta", {})
    if ehr.personality.fhir.versioning and "versionId" in meta:
        response.headers["ETag"] = f'W/"{meta["versionId"]}"'
        response.last_modified = datetime.fromisoformat(meta["lastUpdated"])
    return response


def versioned_location(ehr: EHR, resource: dict[str, Any]) -> str:
    """`[base]/[type]/[id]/_history/[vid]` (https://hl7.org/fhir/R4/http.html#create)."""
    place = f"{resource['resourceType']}/{resource['id']}"
    return f"{ehr.fhir_base}/{place}/_history/{resource['meta']['versionId']}"
