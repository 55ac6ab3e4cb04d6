"""How we prove to a token endpoint who we are (SMART App Launch 2.2; conformance A24, A54 to A58, A62)."""

import base64
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from authlib.oauth2.rfc7523 import private_key_jwt_sign

from launch.discovery import ServerMetadata
from launch.errors import ProofUnsupported
from launch.registration import ClientAuthentication, PrivateKeyJWT, PublicClient, Registration, SecretBasic

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Far below the five minutes allowed: to an EHR whose clock is slow, +300 s reads as "over five minutes".
ASSERTION_SECONDS = 90
# The two that every SMART server must offer one of; the smaller signature first.
ALGORITHMS: tuple[Literal["ES384", "RS384"], ...] = ("ES384", "RS384")
KNOWN_METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post", "client_secret_jwt", "none")


@dataclass(frozen=True)
class ClientProof:
    """What to add to one request. Made for every attempt anew: a second use of an assertion is a replay."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)


def prove_client(registration: Registration, token_endpoint: str, now: datetime) -> ClientProof:
    """Return the proof for one request to `token_endpoint`, by the method that the tenant registered."""
    match registration.authentication:
        case PublicClient():
            return ClientProof(form={"client_id": registration.client_id})
        case SecretBasic(secret=secret):
            return ClientProof(headers={"Authorization": _basic(registration.client_id, secret)})
        case PrivateKeyJWT() as signer:
            assertion = _assertion(registration.client_id, signer, signer.audience or token_endpoint, now)
            return ClientProof(form={"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion})


def method_of(authentication: ClientAuthentication) -> str:
    """The name that discovery documents have for this way of proving ourselves."""
    match authentication:
        case PublicClient():
            return "none"
        case SecretBasic():
            return "client_secret_basic"
        case PrivateKeyJWT():
            return "private_key_jwt"


def algorithm_for(listed: Collection[str] | None) -> Literal["ES384", "RS384"] | None:
    """The algorithm to register a key with, by `token_endpoint_auth_signing_alg_values_supported` (A56).

    None where the server lists neither; where it lists nothing at all, ours is as good a guess as any.
    """
    return next((ours for ours in ALGORITHMS if not listed or ours in listed), None)


def require_accepted(authentication: ClientAuthentication, metadata: ServerMetadata) -> None:
    """Raises `ProofUnsupported` when the server lists algorithms and ours is not among them (A56).

    Asked before the browser leaves: the EHR would only say `invalid_client`, after the user signed in.
    """
    listed = metadata.assertion_algorithms
    if not isinstance(authentication, PrivateKeyJWT) or listed is None or authentication.algorithm in listed:
        return
    takes = algorithm_for(listed)
    other = f"it takes {takes}" if takes else f"nor {' or '.join(set(ALGORITHMS) - {authentication.algorithm})}"
    raise ProofUnsupported(f"the EHR does not list {authentication.algorithm} for client assertions; {other}")


def refusal_hint(authentication: ClientAuthentication, metadata: ServerMetadata) -> str:
    """What the server's own list says about an `invalid_client`, for the administrator; empty if nothing.

    The list is consulted for this sentence only: several EHRs list less than they take.
    """
    listed, ours = metadata.authentication_methods, method_of(authentication)
    if listed is None or ours in listed:
        return ""
    known = ", ".join(method for method in KNOWN_METHODS if method in listed) or "other methods"
    return f"the registration uses {ours}, the EHR lists {known}"


def authentication_advice(authentication: ClientAuthentication, metadata: ServerMetadata) -> str:
    """What an administrator should improve, in one sentence; empty when nothing (A54)."""
    if isinstance(authentication, PublicClient):
        return "Register Countersign as a confidential client: it is a server and can keep a key."
    if isinstance(authentication, SecretBasic) and "client-confidential-asymmetric" in metadata.capabilities:
        return "The EHR takes signed assertions; prefer private_key_jwt to a shared secret."
    return ""


def _basic(client_id: str, secret: str) -> str:
    # RFC 6749 2.3.1: both parts are form-encoded before they are joined, so a colon in them stays
    # unambiguous.
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def _assertion(client_id: str, signer: PrivateKeyJWT, audience: str, now: datetime) -> str:
    # Everything that the library would default is said here: its lifetime is an hour, its header has no
    # kid, and it needs a key object because it cannot tell an EC key in PEM.
    issued_at = int(now.timestamp())
    signed = private_key_jwt_sign(
        signer.key,
        client_id=client_id,
        token_endpoint=audience,
        alg=signer.algorithm,
        issued_at=issued_at,
        expires_at=issued_at + ASSERTION_SECONDS,
        claims={"jti": secrets.token_urlsafe(32)},
        header={"kid": signer.key_id},
    )
    return str(signed)
