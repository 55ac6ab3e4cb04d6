"""What was sent: parsed, of the right type, and valid R4."""

import importlib
import json
from typing import Any

from flask import request
from pydantic import ValidationError

from sandbox.fhir.outcomes import Refused

JSON_TYPES = ("application/fhir+json", "application/json")


def sent_resource(resource_type: str) -> dict[str, Any]:
    """The resource in the request's body. Raises Refused 400, 415 or 422."""
    if request.mimetype not in JSON_TYPES:
        raise Refused(415, "not-supported", f"Content-Type {request.mimetype or 'missing'} is not supported.")
    resource = parsed_json()
    if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
        raise Refused(400, "invalid", f"The body is not a {resource_type}.")
    validate(resource)
    return resource


def parsed_json() -> Any:
    """The body as JSON. Raises Refused 400."""
    try:
        return json.loads(request.get_data())
    except ValueError as error:
        raise Refused(400, "structure", "The body is not JSON.") from error


def validate(resource: dict[str, Any]) -> None:
    """Raise Refused 422 unless the resource is valid FHIR R4."""
    resource_type = resource["resourceType"]
    try:
        module = importlib.import_module(f"fhir.resources.R4B.{resource_type.lower()}")
        getattr(module, resource_type).model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join([resource_type, *(str(part) for part in first["loc"])])
        raise Refused(422, "invalid", f"{place}: {first['msg']}", expression=place) from error
