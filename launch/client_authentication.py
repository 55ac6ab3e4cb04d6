"""How we prove to a token endpoint who we are (SMART App Launch 2.2; conformance A24, A54 to A58, A62)."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from authlib.oauth2.rfc7523 import private_key_jwt_sign

from launch.registration import PrivateKeyJWT, PublicClient, Registration, SecretBasic

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Far below the five minutes allowed: to an EHR whose clock is slow, +300 s reads as "over five minutes".
ASSERTION_SECONDS = 90


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
