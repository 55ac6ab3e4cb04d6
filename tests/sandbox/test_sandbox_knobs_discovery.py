"""Each knob of the documents, the keys and the clock, as a plain HTTP client meets it."""

import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import ASSERTION_TYPE, TIMEOUT, App, KeyServer, get_json

REQUIRED = [
    "authorization_endpoint",
    "token_endpoint",
    "capabilities",
    "grant_types_supported",
    "code_challenge_methods_supported",
    "issuer",
    "jwks_uri",
]
ENDPOINTS = ["authorization_endpoint", "token_endpoint", "jwks_uri"]
SMART, OPENID = "fhir/.well-known/smart-configuration", "fhir/.well-known/openid-configuration"


def _get(sandbox: RunningSandbox, path: str) -> requests.Response:
    return requests.get(f"{sandbox.local}/reference/{path}", timeout=TIMEOUT, allow_redirects=False)


def _spoiled(sandbox: RunningSandbox, fault: str, path: str = SMART, **more: Any) -> Any:
    sandbox.arm("reference", fault=fault, interaction="openid" if path == OPENID else "discovery", **more)
    return _get(sandbox, path).json()


@pytest.mark.parametrize("name", REQUIRED)
def test_each_required_member_of_the_document_can_be_missing(sandbox: RunningSandbox, name: str) -> None:
    """B23, B12: for A04."""
    assert name not in _spoiled(sandbox, f"discovery_without_{name}")
    assert name in _get(sandbox, SMART).json(), "armed for one time only"


def test_the_document_can_lack_s256_post_and_v2(sandbox: RunningSandbox) -> None:
    """B23, B12: for A04, A13, A28."""
    assert _spoiled(sandbox, "discovery_without_s256")["code_challenge_methods_supported"] == ["plain"]
    assert "authorize-post" not in _spoiled(sandbox, "discovery_without_post")["capabilities"]
    assert "permission-v2" not in _spoiled(sandbox, "discovery_without_v2")["capabilities"]


@pytest.mark.parametrize(
    ("fault", "changed", "origin"),
    [
        ("discovery_relative", ENDPOINTS, ("", "")),
        ("discovery_http", ENDPOINTS, ("http", "insecure.example")),
        ("discovery_foreign_authorize", ["authorization_endpoint"], ("https", "elsewhere.example")),
        ("discovery_foreign_token", ["token_endpoint"], ("https", "elsewhere.example")),
        ("discovery_foreign_keys", ["jwks_uri"], ("https", "elsewhere.example")),
        ("discovery_other_issuer", ["issuer"], ("https", "elsewhere.example")),
    ],
)
@pytest.mark.parametrize("path", [SMART, OPENID])
def test_addresses_in_the_documents_can_be_elsewhere(
    sandbox: RunningSandbox, fault: str, changed: list[str], origin: tuple[str, str], path: str
) -> None:
    """B23, B12: for A03, A06."""
    good, bad = _get(sandbox, path).json(), _spoiled(sandbox, fault, path)
    for name in good:
        if name in changed:
            assert urlsplit(bad[name])[:2] == origin
        elif name not in ENDPOINTS and not name.endswith("_endpoint"):
            assert bad[name] == good[name]


def test_any_member_can_be_replaced_and_rfc_9207_promised(sandbox: RunningSandbox) -> None:
    """B23: for A05, A21."""
    assert _spoiled(sandbox, "discovery_changed", options={"scopes_supported": []})["scopes_supported"] == []
    sandbox.arm("epic", fault="discovery_iss_advertised")
    assert App(sandbox, "epic", "e1001").discovery()["authorization_response_iss_parameter_supported"] is True


def test_the_document_can_be_huge_or_somewhere_else_or_no_document(sandbox: RunningSandbox) -> None:
    """B23: for A07."""
    sandbox.arm("reference", fault="discovery_huge")
    assert len(_get(sandbox, SMART).content) > 1_000_000
    sandbox.arm("reference", fault="discovery_redirect")
    moved = _get(sandbox, SMART)
    assert (moved.status_code, moved.headers["Location"]) == (302, "https://elsewhere.example")
    for fault, status in (("answer_html_as_success", 200), ("answer_500", 500), ("answer_empty", 200)):
        sandbox.arm("reference", fault=fault, interaction="discovery")
        reply = _get(sandbox, SMART)
        assert reply.status_code == status
        assert "authorization_endpoint" not in reply.text


def test_the_capability_statement_can_name_foreign_endpoints(sandbox: RunningSandbox) -> None:
    """B23: for A02."""
    sandbox.arm("reference", fault="metadata_poisoned")
    security = _get(sandbox, "fhir/metadata").json()["rest"][0]["security"]
    uris = [extension["valueUri"] for extension in security["extension"][0]["extension"]]
    assert len(uris) == 2
    assert all(uri.startswith("https://elsewhere.example/") for uri in uris)


def test_the_signing_key_can_be_published_late(sandbox: RunningSandbox) -> None:
    """B23: for A42."""
    app = App(sandbox).launched()
    url = sandbox.reachable(app.discovery()["jwks_uri"])
    sandbox.arm("reference", fault="keys_without_ours")
    first, second = get_json(url), get_json(url)
    assert first["keys"][0]["kid"] != second["keys"][0]["kid"]
    jwt.decode(app.grant["id_token"], KeySet.import_key_set(second), algorithms=["RS256"])


def test_the_keys_can_be_down_none_or_odd(sandbox: RunningSandbox) -> None:
    """B23: for A42."""
    sandbox.arm("reference", fault="keys_down")
    assert _get(sandbox, "oauth2/keys").status_code == 503
    sandbox.arm("reference", fault="keys_none")
    assert _get(sandbox, "oauth2/keys").json() == {"keys": []}
    sandbox.arm("reference", fault="keys_doubled")
    keys = _get(sandbox, "oauth2/keys").json()["keys"]
    assert len({key["kid"] for key in keys}) < len(keys)


def _launch_with_key(sandbox: RunningSandbox, key_server: KeyServer, alg: str = "RS384", **claims: Any) -> int:
    app = App(sandbox, client_id="key-app")
    assertion = key_server.assertion(str(app.discovery()["token_endpoint"]), alg, **claims)
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return app.redeem(app.code(), **form).status_code


def test_a_stale_copy_of_the_apps_keys_knows_no_new_key_until_it_ends(
    sandbox: RunningSandbox, key_server: KeyServer
) -> None:
    """B23: for A60."""
    assert _launch_with_key(sandbox, key_server) == 200, "the EHR has read the app's keys now"
    old = key_server.keys["RS384"]
    sandbox.arm("reference", fault="stale_client_keys", seconds=600, times=None)
    key_server.keys["RS384"] = RSAKey.generate_key(2048, {"kid": "rsa-2"})
    try:
        assert _launch_with_key(sandbox, key_server) in (400, 401), "an unknown kid, and no second look"
        sandbox.arm("reference", fault="clock_offset", seconds=700, times=None)
        in_time = {"iat": int(time.time()) + 700, "exp": int(time.time()) + 760}
        assert _launch_with_key(sandbox, key_server, **in_time) == 200, "the copy has ended"
    finally:
        key_server.keys["RS384"] = old
        sandbox.clear_faults("reference")


def test_without_the_knob_an_unknown_key_is_looked_for_once(sandbox: RunningSandbox, key_server: KeyServer) -> None:
    """B23: for A60."""
    sandbox.register_client("reference", "key-app", auth=_auth(key_server))  # forgets its copy of the keys
    assert _launch_with_key(sandbox, key_server) == 200
    sandbox.forget_client("reference", "key-app")


def _auth(key_server: KeyServer) -> dict[str, str]:
    return {"method": "private_key_jwt", "jwks_uri": key_server.jwks_uri}


@pytest.mark.parametrize("seconds", [-90, 90])
def test_the_clock_can_be_wrong_in_everything_that_tells_the_time(sandbox: RunningSandbox, seconds: int) -> None:
    """B23: for A57."""
    sandbox.arm("reference", fault="clock_offset", seconds=seconds, times=None)
    app = App(sandbox).launched()
    keys = KeySet.import_key_set(get_json(sandbox.reachable(app.discovery()["jwks_uri"])))
    claims = jwt.decode(app.grant["id_token"], keys, algorithms=["RS256"]).claims
    shown = parsedate_to_datetime(_get(sandbox, "fhir/metadata").headers["Date"]).timestamp()
    for moment in (claims["iat"], shown, sandbox.qa("reference", "tokens")[-1]["issued_at"]):
        assert abs(moment - time.time() - seconds) < 45
    assert app.fhir("GET", "Patient/1001").status_code == 200, "its own tokens are good by its own clock"
    sandbox.clear_faults("reference")
    right = parsedate_to_datetime(_get(sandbox, "fhir/metadata").headers["Date"]).timestamp()
    assert abs(right - time.time()) < 45


@pytest.mark.parametrize(
    ("offset", "lives", "good"),
    [(-90, 300, False), (-90, 120, True), (90, 60, False), (90, 120, True)],
    ids=["slow-too-long", "slow-short", "fast-expired", "fast-long-enough"],
)
def test_an_assertion_is_judged_by_the_clock_of_the_ehr(
    sandbox: RunningSandbox, key_server: KeyServer, offset: int, lives: int, good: bool
) -> None:
    """B23: for A57."""
    sandbox.arm("reference", fault="clock_offset", seconds=offset, times=None)
    # iat is left out: an EHR that is behind would see an assertion of the future.
    status = _launch_with_key(sandbox, key_server, exp=int(time.time()) + lives, iat=int(time.time()) - 100)
    assert (status == 200) == good


def test_a_knob_says_when_its_seconds_or_its_interaction_make_no_sense(sandbox: RunningSandbox) -> None:
    """B23."""
    for wrong in ({"fault": "slow", "seconds": -1}, {"fault": "slow", "interaction": "dream"}):
        reply = requests.post(f"{sandbox.local}/qa/epic/faults", json=wrong, timeout=TIMEOUT)
        assert reply.status_code == 422
