"""Knobs of the documents that an app finds everything else by, and of keys and clock.

SMART App Launch conformance (`.well-known/smart-configuration`), OpenID Connect Discovery, RFC 9207.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Response, jsonify
from joserfc.jwk import RSAKey

from sandbox.qa.faults import Fault
from sandbox.qa.knob import Answer, Knob, Proceed, edited, setting

ON = ("discovery", "openid")
FOREIGN = "https://elsewhere.example"
# The documented members that an app cannot work without, each to be left out in turn (A04).
REQUIRED = (
    "authorization_endpoint",
    "token_endpoint",
    "capabilities",
    "grant_types_supported",
    "code_challenge_methods_supported",
    "issuer",
    "jwks_uri",
)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri")
HUGE_BYTES = 1_048_576
FOREIGN_KEY_BITS = 2048
Document = dict[str, Any]


def _document(change: Callable[[Document], Any]) -> Answer:
    return edited(lambda body, _fault: change(body))


def _lacking(name: str) -> Answer:
    return _document(lambda body: body.pop(name, None))


def _members(change: Callable[[str], str], *names: str) -> Answer:
    """Change the addresses under these names, where the document has them."""
    return _document(lambda body: body.update({name: change(body[name]) for name in names if name in body}))


def _foreign(url: str) -> str:
    return FOREIGN + urlsplit(url).path


def _insecure(url: str) -> str:
    # A name that is not this machine: on loopback plain http is allowed.
    return "http://insecure.example" + urlsplit(url).path


def _capability(change: Callable[[list[str]], list[str]]) -> Answer:
    return _document(lambda body: body.update(capabilities=change(body.get("capabilities", []))))


def _redirected(_proceed: Proceed, fault: Fault) -> Response:
    return Response("", 302, headers={"Location": str(fault.options.get("location", FOREIGN))})


def _poisoned(body: Document) -> None:
    for extension in body["rest"][0]["security"]["extension"][0]["extension"]:
        extension["valueUri"] = _foreign(extension["valueUri"])


def _keys_of_somebody_else(_proceed: Proceed, _fault: Fault) -> Response:
    key = RSAKey.generate_key(FOREIGN_KEY_BITS, auto_kid=True)
    return jsonify({"keys": [{**key.as_dict(private=False), "use": "sig", "alg": "RS256"}]})


def _keys_doubled(proceed: Proceed, _fault: Fault) -> Response:
    response = proceed()
    keys = response.get_json()["keys"]
    response.set_data(json.dumps({"keys": [*keys, {**keys[0], "use": "enc"}, {"kty": "unheard-of", "kid": "new"}]}))
    return response


DISCOVERY_KNOBS: dict[str, Knob] = {
    **{
        f"discovery_without_{name}": Knob(
            _lacking(name),
            f"The document lacks {name}",
            ON,
        )
        for name in REQUIRED
    },
    "discovery_without_s256": Knob(
        _document(lambda body: body.update(code_challenge_methods_supported=["plain"])),
        "The document offers plain PKCE only",
        ON,
    ),
    "discovery_relative": Knob(
        _members(lambda url: urlsplit(url).path, *ENDPOINTS), "Addresses are relative (still good)", ON
    ),
    "discovery_http": Knob(_members(_insecure, *ENDPOINTS), "Addresses are plain http, not on this machine", ON),
    "discovery_foreign_authorize": Knob(
        _members(_foreign, "authorization_endpoint"), "The sign-in is on a foreign host", ON
    ),
    "discovery_foreign_token": Knob(
        _members(_foreign, "token_endpoint"), "The token endpoint is on a foreign host", ON
    ),
    "discovery_foreign_keys": Knob(_members(_foreign, "jwks_uri"), "The keys are on a foreign host", ON),
    "discovery_other_issuer": Knob(
        _document(lambda body: body.update(issuer=f"{FOREIGN}/issuer")), "The issuer is another one", ON
    ),
    "discovery_iss_advertised": Knob(
        _document(lambda body: body.update(authorization_response_iss_parameter_supported=True)),
        "Promises iss in the answer (RFC 9207), whatever the sign-in does",
        ON,
    ),
    "discovery_without_post": Knob(
        _capability(lambda names: [name for name in names if name != "authorize-post"]),
        "Does not offer authorize by POST",
        ON,
    ),
    "discovery_without_v2": Knob(
        _capability(lambda names: [name for name in names if name != "permission-v2"]), "Offers v1 scopes only", ON
    ),
    "discovery_changed": Knob(
        edited(lambda body, fault: body.update(fault.options)), "The members in options replaced", ON
    ),
    "discovery_huge": Knob(_document(lambda body: body.update(padding="x" * HUGE_BYTES)), "The document is 1 MB", ON),
    "discovery_redirect": Knob(_redirected, "Redirects elsewhere with 302 (options: location)", ON),
    "metadata_poisoned": Knob(
        _document(_poisoned), "/metadata names sign-in and token addresses of a foreign host", ("metadata",)
    ),
    "keys_without_ours": Knob(
        _keys_of_somebody_else, "The signing key is not published yet: an unknown kid at first", ("jwks",)
    ),
    "keys_none": Knob(lambda _proceed, _fault: jsonify(keys=[]), "No key is published", ("jwks",)),
    "keys_doubled": Knob(_keys_doubled, "Two keys under one kid, and one of a type nobody knows", ("jwks",)),
    "keys_down": Knob(lambda _proceed, _fault: Response("", 503), "The keys cannot be fetched", ("jwks",)),
    "stale_client_keys": Knob(
        setting("client_keys_seconds", lambda fault: fault.seconds),
        "Keeps its copy of the app's keys for as many seconds, and asks for no unknown kid",
        ("token", "revoke", "introspect"),
        setting=True,
    ),
    "clock_offset": Knob(
        setting("clock_offset", lambda fault: fault.seconds),
        "The EHR's clock is as many seconds ahead (or, below zero, behind)",
        ("any",),
        setting=True,
        backwards=True,
    ),
}
