"""private_key_jwt (https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html)."""

from typing import Any

import requests
from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import request as http
from joserfc import jwt
from joserfc.errors import JoseError
from typing_extensions import override

from sandbox.authorization.client_keys import ClientKeys
from sandbox.authorization.clients import Client
from sandbox.clock import now
from sandbox.ehr import current_ehr

CLOCK_SKEW_SECONDS = 5


class ClientAssertion(JWTBearerClientAssertion):
    """Authenticates a client by a signed assertion: key by id, short life, one use."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self) -> None:
        super().__init__(leeway=CLOCK_SKEW_SECONDS)

    @override
    def get_audiences(self) -> list[str]:
        ehr = current_ehr()
        return [f"{ehr.oauth_base}/token", ehr.origin + http.script_root + http.path]

    @override
    def resolve_client_public_key(self, client: Client) -> ClientKeys:
        if client.keys is None:
            raise InvalidClientError(description="This client did not register keys.")
        return client.keys

    @override
    def process_assertion_claims(self, assertion: str, resolve_key: ClientKeys) -> dict[str, Any]:
        header, _ = self.extract_assertion(assertion)
        if header.get("typ") != "JWT" or "kid" not in header:
            raise InvalidClientError(description="The assertion needs typ JWT and a kid.")
        try:
            key = resolve_key.find(header["kid"])
        except (requests.RequestException, JoseError) as error:
            raise InvalidClientError(description="The client's JWKS URL cannot be read.") from error
        if key is None:
            raise InvalidClientError(description="No published key has this kid.")
        return self._verified(assertion, key)

    @override
    def verify_claims(self, claims: dict[str, Any]) -> None:
        # As Authlib does it, but by this EHR's own clock.
        needed: dict[str, Any] = {name: {"essential": True} for name in ("iss", "sub", "exp", "jti")}
        needed["aud"] = {"essential": True, "values": self.get_audiences()}
        try:
            jwt.JWTClaimsRegistry(now=int(now()), leeway=CLOCK_SKEW_SECONDS, **needed).validate(claims)
        except JoseError as error:
            raise InvalidClientError(description=error.description) from error
        if claims["sub"] != claims["iss"]:
            raise InvalidClientError(description="Issuer and subject of the assertion differ.")
        longest = current_ehr().personality.authorization.assertion_max_seconds
        if claims["exp"] > now() + longest + CLOCK_SKEW_SECONDS:
            raise InvalidClientError(description="The assertion lives too long.")
        if not self.validate_jti(claims, claims["jti"]):
            raise InvalidClientError(description="The jti of the assertion was used before.")

    @override
    def validate_jti(self, claims: dict[str, Any], jti: str) -> bool:
        # The insert is the claim: of two requests with one assertion, one gets the row.
        inserted = current_ehr().database.change(
            "INSERT OR IGNORE INTO assertions (client_id, jti, seen_at) VALUES (?, ?, ?)",
            claims["sub"],
            str(jti),
            now(),
        )
        return inserted == 1

    def _verified(self, assertion: str, key: Any) -> dict[str, Any]:
        algorithms = list(current_ehr().personality.authorization.assertion_algorithms)
        try:
            token = jwt.decode(assertion, key, algorithms=algorithms)
        except (JoseError, ValueError) as error:
            raise InvalidClientError(description="The assertion's signature is not valid.") from error
        self.verify_claims(token.claims)
        return token.claims
