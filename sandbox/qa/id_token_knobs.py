"""Every bad id_token of OpenID Connect Core 3.1.3.7, and some good ones that are spelled unusually."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

from flask import Response
from joserfc import jwt
from joserfc.jwk import RSAKey

from sandbox.clock import now
from sandbox.ehr import current_ehr
from sandbox.qa.faults import Fault
from sandbox.qa.knob import Answer, Knob, Proceed, edited

ON = ("code", "token")
FOREIGN_KEY_BITS = 2048
LONG_AGO_SECONDS = 7200
Claims = dict[str, Any]


def _read(token: str) -> tuple[Claims, Claims]:
    header, claims = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2])
    return header, claims


def _claims(change: Callable[[Claims, Fault], Claims]) -> Answer:
    """Sign other claims with the right key; a claim of None is left out."""

    def edit(body: dict[str, Any], fault: Fault) -> None:
        header, claims = _read(body["id_token"])
        kept = {name: value for name, value in (claims | change(claims, fault)).items() if value is not None}
        body["id_token"] = jwt.encode(header, kept, current_ehr().signing_key.key, algorithms=["RS256"])

    return edited(edit)


def _header(change: Callable[[Claims], Claims], *, foreign: bool = False) -> Answer:
    """Sign the same claims under another header, with the right key or a foreign one."""

    def edit(body: dict[str, Any], _fault: Fault) -> None:
        header, claims = _read(body["id_token"])
        key = RSAKey.generate_key(FOREIGN_KEY_BITS) if foreign else current_ehr().signing_key.key
        added = {
            name: key.as_dict(private=False) if value == "THE KEY" else value
            for name, value in (header | change(header)).items()
            if value is not None
        }
        body["id_token"] = jwt.encode(added, claims, key, algorithms=["RS256"])

    return edited(edit)


def _unsigned(token: str) -> str:
    header = _encoded(b'{"alg":"none","typ":"JWT"}')
    return f"{header}.{token.split('.')[1]}."


def _by_the_public_key(token: str) -> str:
    # The classic confusion: the public key as an HMAC secret. Libraries refuse to do this, so it is done by hand.
    header, _ = _read(token)
    signed = f"{_encoded(json.dumps({**header, 'alg': 'HS256'}).encode())}.{token.split('.')[1]}"
    secret = current_ehr().signing_key.key.as_pem(private=False)
    return f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _token(change: Callable[[str], str]) -> Answer:
    return edited(lambda body, _fault: body.update(id_token=change(body["id_token"])))


def _said(proceed: Proceed, fault: Fault) -> Response:
    return _claims(lambda _claims_now, _fault: fault.options)(proceed, fault)


def _user(path: str) -> Answer:
    return _claims(lambda _claims_now, _fault: {"fhirUser": path.replace("BASE", current_ehr().fhir_base)})


ID_TOKEN_KNOBS: dict[str, Knob] = {
    "id_token_changed": Knob(_said, "id_token with the claims in options (null: left out)", ON),
    "id_token_unsigned": Knob(_token(_unsigned), "id_token with alg none", ON),
    "id_token_hs256": Knob(_token(_by_the_public_key), "id_token HS256, with the public key as secret", ON),
    "id_token_garbled": Knob(_token(lambda token: token[:-8] + "AAAAAAAA"), "id_token with a broken signature", ON),
    "id_token_not_a_jwt": Knob(_token(lambda _token_now: "not-a-jwt"), "id_token that is no JWT", ON),
    "id_token_by_another_key": Knob(_header(lambda _h: {}, foreign=True), "id_token signed by a key not published", ON),
    "id_token_unknown_kid": Knob(
        _header(lambda _h: {"kid": "nobody-published-this"}, foreign=True), "id_token with an unknown kid", ON
    ),
    "id_token_without_kid": Knob(_header(lambda _h: {"kid": None}), "id_token without kid (one key: still good)", ON),
    "id_token_jku": Knob(
        _header(lambda _h: {"jku": "https://elsewhere.example/keys", "kid": "theirs"}, foreign=True),
        "id_token that says where to fetch its key (jku)",
        ON,
    ),
    "id_token_jwk": Knob(
        _header(lambda _h: {"jwk": "THE KEY"}, foreign=True), "id_token that brings its own key (jwk)", ON
    ),
    "id_token_x5u": Knob(
        _header(lambda _h: {"x5u": "https://elsewhere.example/certificate", "kid": "theirs"}, foreign=True),
        "id_token that says where its certificate is (x5u)",
        ON,
    ),
    "id_token_wrong_iss": Knob(
        _claims(lambda _c, _f: {"iss": "https://other-issuer.example"}), "id_token with another iss", ON
    ),
    "id_token_wrong_aud": Knob(_claims(lambda _c, _f: {"aud": "another-app"}), "id_token for another app (aud)", ON),
    "id_token_wrong_azp": Knob(
        _claims(lambda c, _f: {"aud": [c["aud"], "another-app"], "azp": "another-app"}),
        "id_token for two apps, issued to the other (azp)",
        ON,
    ),
    "id_token_wrong_nonce": Knob(
        _claims(lambda _c, _f: {"nonce": "not-your-nonce"}), "id_token with another nonce", ON
    ),
    "id_token_without_nonce": Knob(_claims(lambda _c, _f: {"nonce": None}), "id_token without nonce", ON),
    "id_token_expired": Knob(
        _claims(lambda _c, _f: {"iat": int(now()) - LONG_AGO_SECONDS, "exp": int(now()) - LONG_AGO_SECONDS // 2}),
        "id_token that has expired",
        ON,
    ),
    "id_token_of_the_future": Knob(
        _claims(lambda c, _f: {"iat": c["iat"] + LONG_AGO_SECONDS, "exp": c["exp"] + LONG_AGO_SECONDS}),
        "id_token issued two hours from now",
        ON,
    ),
    "id_token_without_exp": Knob(_claims(lambda _c, _f: {"exp": None}), "id_token without exp", ON),
    "id_token_without_sub": Knob(_claims(lambda _c, _f: {"sub": None}), "id_token without sub", ON),
    "id_token_without_user": Knob(_claims(lambda _c, _f: {"fhirUser": None}), "id_token without fhirUser", ON),
    "id_token_patient_user": Knob(_user("BASE/Patient/none"), "fhirUser is a Patient", ON),
    "id_token_foreign_user": Knob(
        _user("https://elsewhere.example/fhir/Practitioner/1"), "fhirUser of another server", ON
    ),
    "id_token_relative_user": Knob(
        _claims(lambda c, _f: {"fhirUser": "/".join(c["fhirUser"].split("/")[-2:])}),
        "fhirUser relative to the FHIR base (still good)",
        ON,
    ),
}
