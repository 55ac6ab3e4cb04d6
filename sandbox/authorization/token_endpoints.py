"""Revocation (RFC 7009) and introspection (RFC 7662, with SMART's context)."""

from typing import Any

from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from typing_extensions import override

from sandbox.authorization.clients import Client
from sandbox.authorization.tokens import IssuedToken, find_access_token, find_refresh_token, revoke_family
from sandbox.ehr import current_ehr


class Revocation(RevocationEndpoint):
    """Revoking any token of a launch ends the whole launch."""

    CLIENT_AUTH_METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post", "none")

    @override
    def query_token(self, token_string: str, token_type_hint: str | None) -> IssuedToken | None:
        return _find(token_string)

    @override
    def revoke_token(self, token: IssuedToken, request: Any) -> None:
        revoke_family(current_ehr().database, token.family)


class Introspection(IntrospectionEndpoint):
    """See https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html ."""

    CLIENT_AUTH_METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post", "none")

    @override
    def query_token(self, token_string: str, token_type_hint: str | None) -> IssuedToken | None:
        return _find(token_string)

    @override
    def check_permission(self, token: IssuedToken, client: Client, request: Any) -> bool:
        return token.check_client(client)

    @override
    def introspect_token(self, token: IssuedToken) -> dict[str, Any]:
        ehr = current_ehr()
        body: dict[str, Any] = {
            "active": True,
            "scope": token.scope,
            "client_id": token.client_id,
            "exp": token.expires_at,
            "iat": token.issued_at,
            "iss": ehr.issuer,
            "sub": token.launch.practitioner,
            "fhirUser": f"{ehr.fhir_base}/Practitioner/{token.launch.practitioner}",
        }
        if token.launch.patient:
            body["patient"] = token.launch.patient
        if token.launch.encounter:
            body["encounter"] = token.launch.encounter
        return body


def _find(token: str) -> IssuedToken | None:
    database = current_ehr().database
    return find_access_token(database, token) or find_refresh_token(database, token)
