"""/metadata (https://hl7.org/fhir/R4/capabilitystatement.html)."""

from typing import Any

from sandbox.ehr import EHR
from sandbox.fhir.search_parameters import find_parameter

NAMES = {"search": "search-type", "history": "history-instance"}
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def capability_statement(ehr: EHR) -> dict[str, Any]:
    """What this server can do, told by the same data that it does it by."""
    resources = ehr.personality.fhir.resources
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-01",
        "kind": "instance",
        "software": {"name": ehr.personality.fhir.software, "version": "1"},
        "implementation": {"description": ehr.personality.chart.product, "url": ehr.fhir_base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        **({"patchFormat": ["application/json-patch+json"]} if ehr.personality.fhir.versioning else {}),
        "rest": [
            {
                "mode": "server",
                "security": _security(ehr),
                "resource": [_resource(ehr, resource_type) for resource_type in resources],
            }
        ],
    }


def _resource(ehr: EHR, resource_type: str) -> dict[str, Any]:
    fhir = ehr.personality.fhir
    return {
        "type": resource_type,
        "interaction": [{"code": NAMES.get(code, code)} for code in fhir.resources[resource_type]],
        "versioning": "versioned" if fhir.versioning else "no-version",
        "readHistory": fhir.versioning,
        "updateCreate": "update" in fhir.resources[resource_type],
        "conditionalCreate": fhir.conditional_create,
        "searchParam": [
            {"name": name, "type": _kind(resource_type, name)} for name in fhir.search.get(resource_type, ())
        ],
    }


def _kind(resource_type: str, name: str) -> str:
    parameter = find_parameter(resource_type, name)
    if parameter is None:
        raise LookupError(f"{resource_type}.{name} is offered but not implemented")
    return parameter.kind


def _security(ehr: EHR) -> dict[str, Any]:
    uris = [
        {"url": "authorize", "valueUri": f"{ehr.oauth_base}/authorize"},
        {"url": "token", "valueUri": f"{ehr.oauth_base}/token"},
    ]
    service = {
        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
        "code": "SMART-on-FHIR",
    }
    return {
        "cors": True,
        "service": [{"coding": [service]}],
        "extension": [{"url": OAUTH_URIS, "extension": uris}],
    }
