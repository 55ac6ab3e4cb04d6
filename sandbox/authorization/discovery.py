"""The documents that an app finds everything else by.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.authorization.scopes import LASTING_SCOPES, LAUNCH_SCOPES
from sandbox.ehr import EHR
from sandbox.qa.injection import with_faults


def discovery_routes(ehr: EHR) -> Blueprint:
    """smart-configuration under the FHIR base; openid-configuration where the vendor has it."""
    routes = Blueprint("discovery", __name__)
    rules, fhir_path = ehr.personality.authorization, ehr.personality.fhir.path

    @routes.get(f"{fhir_path}/.well-known/smart-configuration")
    def smart() -> Response:
        return with_faults("discovery", None, lambda: jsonify(smart_configuration(ehr)))

    def openid() -> Response:
        return with_faults("openid", None, lambda: jsonify(openid_configuration(ehr)))

    places = {rules.issuer_path} | ({fhir_path} if rules.openid_configuration_at_fhir_base else set())
    for number, place in enumerate(sorted(places)):
        routes.add_url_rule(f"{place}/.well-known/openid-configuration", f"openid_{number}", openid)
    return routes


def smart_configuration(ehr: EHR) -> dict[str, Any]:
    """What `.well-known/smart-configuration` answers."""
    rules = ehr.personality.authorization
    return {
        "issuer": ehr.issuer,
        "jwks_uri": f"{ehr.oauth_base}/keys",
        "authorization_endpoint": f"{ehr.oauth_base}/authorize",
        "token_endpoint": f"{ehr.oauth_base}/token",
        "introspection_endpoint": f"{ehr.oauth_base}/introspect",
        "revocation_endpoint": f"{ehr.oauth_base}/revoke",
        "token_endpoint_auth_methods_supported": list(rules.client_authentication),
        "token_endpoint_auth_signing_alg_values_supported": list(rules.assertion_algorithms),
        "grant_types_supported": grant_types(ehr),
        "response_types_supported": ["code"],
        "scopes_supported": scopes_supported(ehr),
        "code_challenge_methods_supported": ["S256"],
        "capabilities": list(rules.capabilities),
        **({"authorization_response_iss_parameter_supported": True} if rules.response_issuer else {}),
    }


def openid_configuration(ehr: EHR) -> dict[str, Any]:
    """What `.well-known/openid-configuration` answers (OpenID Connect Discovery 1.0, section 3)."""
    return {
        "issuer": ehr.issuer,
        "authorization_endpoint": f"{ehr.oauth_base}/authorize",
        "token_endpoint": f"{ehr.oauth_base}/token",
        "jwks_uri": f"{ehr.oauth_base}/keys",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": scopes_supported(ehr),
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "fhirUser"],
    }


def grant_types(ehr: EHR) -> list[str]:
    """How a token can be had here."""
    backend = ["client_credentials"] if ehr.personality.authorization.backend_scopes else []
    return ["authorization_code", "refresh_token", *backend]


def scopes_supported(ehr: EHR) -> list[str]:
    """What can be granted, apart from single resource scopes under a wildcard."""
    rules = ehr.personality.authorization
    lasting = [scope for scope, capability in LASTING_SCOPES.items() if capability in rules.capabilities]
    return [*sorted(LAUNCH_SCOPES), *lasting, *rules.app_record_scopes, *rules.backend_scopes]
