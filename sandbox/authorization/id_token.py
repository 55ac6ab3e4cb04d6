"""The id_token: RS256, nonce echoed, fhirUser absolute (https://openid.net/specs/openid-connect-core-1_0.html)."""

from typing import Any

from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from typing_extensions import override

from sandbox.authorization.clients import Client
from sandbox.authorization.launches import Launch
from sandbox.clock import now
from sandbox.ehr import current_ehr


class IdToken(OpenIDCode):
    """Adds an id_token when `openid` was granted."""

    @override
    def exists_nonce(self, nonce: str, request: Any) -> bool:
        # The code is used once, and so is the nonce that it carries.
        return False

    @override
    def resolve_client_private_key(self, client: Client) -> Any:
        return current_ehr().signing_key.key

    @override
    def get_encode_header(self, client: Client) -> dict[str, str]:
        return {"alg": "RS256", "typ": "JWT", "kid": current_ehr().signing_key.kid}

    @override
    def get_client_claims(self, client: Client) -> dict[str, Any]:
        ehr = current_ehr()
        issued_at = int(now())
        lifetime = ehr.personality.authorization.id_token_seconds
        return {"iss": ehr.issuer, "aud": client.client_id, "iat": issued_at, "exp": issued_at + lifetime}

    @override
    def generate_user_info(self, user: Launch, scope: str) -> UserInfo:
        ehr = current_ehr()
        claims = UserInfo(sub=user.practitioner)
        if "fhirUser" in scope.split():
            claims["fhirUser"] = f"{ehr.fhir_base}/Practitioner/{user.practitioner}"
        if "profile" in scope.split():
            claims["profile"] = f"{ehr.fhir_base}/Practitioner/{user.practitioner}"
            claims["preferred_username"] = user.practitioner
        return claims
