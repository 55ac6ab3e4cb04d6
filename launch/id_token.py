"""Verification of the id_token (OpenID Connect Core 3.1.3.7 and 12.2; conformance A40 to A43, E17)."""

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from launch.discovery import ServerMetadata
from launch.errors import IdentityUnverified
from launch.registration import Registration
from launch.signing_keys import SigningKeys, VerificationKey

# Asymmetric only: with HS256 a published key would do as the secret.
ALGORITHMS = ("RS256", "RS384", "ES256", "ES384")
HEADER_KEYS = frozenset({"jku", "jwk", "x5u", "x5c"})
LEEWAY_SECONDS = 60
# Providers may add members of their own to the header; those marked critical are still refused.
REGISTRY = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class IDTokens:
    """Verifies id_tokens against the keys that their EHR publishes."""

    def __init__(self, keys: SigningKeys, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now

    def verify(
        self, token: object, registration: Registration, metadata: ServerMetadata, nonce: str | None
    ) -> Mapping[str, Any]:
        """Return the claims of a token that is genuine, current, meant for us and answers this very launch.

        A renewal has no nonce to answer: None (OIDC Core 12.2).
        Raises `IdentityUnverified` for every other token, also when there is none.
        """
        if not isinstance(token, str) or not token.isascii():
            raise IdentityUnverified("the token response has no id_token; is the openid scope granted?")
        provider = self._keys.provider(registration, metadata)
        key = self._keys.find(registration, provider, _key_id(token))
        claims = _verified_claims(token, key)
        self._check_claims(claims, provider.issuer, registration.client_id)
        _check_authorized_party(claims, registration.client_id)
        if nonce is not None:
            _check_nonce(claims, nonce, may_be_missing=registration.nonce_may_be_missing)
        return claims

    def _check_claims(self, claims: dict[str, Any], issuer: str, client_id: str) -> None:
        expected = jwt.JWTClaimsRegistry(
            now=int(self._now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        try:
            expected.validate(claims)
        except JoseError as error:
            # The library names the claim; its value stays out.
            raise IdentityUnverified(f"the id_token was refused: {error.error} {_claim(error)}") from error


def _key_id(token: str) -> object:
    try:
        header = jws.extract_compact(token.encode("ascii"), registry=REGISTRY).headers()
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise IdentityUnverified("the id_token is not a signed JWT") from error
    if not isinstance(header, dict) or HEADER_KEYS & header.keys():
        raise IdentityUnverified("the id_token brings its own key")
    return header.get("kid")


def _verified_claims(token: str, key: VerificationKey) -> dict[str, Any]:
    try:
        return jwt.decode(token, key, algorithms=ALGORITHMS, registry=REGISTRY).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise IdentityUnverified("the id_token's signature or algorithm was not accepted") from error


def _check_authorized_party(claims: Mapping[str, Any], client_id: str) -> None:
    # aud may name several parties, ours among them; then azp must say that the token was issued to us.
    audience = claims["aud"]
    shared = isinstance(audience, list) and len(audience) > 1
    if (shared or "azp" in claims) and claims.get("azp") != client_id:
        raise IdentityUnverified("the id_token was issued to another client (azp)")


def _check_nonce(claims: Mapping[str, Any], nonce: str, *, may_be_missing: bool) -> None:
    echoed = claims.get("nonce")
    if echoed is None and may_be_missing:
        return
    if not isinstance(echoed, str) or not hmac.compare_digest(echoed.encode(errors="replace"), nonce.encode()):
        raise IdentityUnverified("the id_token does not answer this launch (nonce)")


def _claim(error: JoseError) -> str:
    return str(getattr(error, "claim", ""))
