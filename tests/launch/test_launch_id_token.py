"""The id_token: genuine, from this EHR, for us, now, and an answer to this very launch; or no launch."""

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from launch_harness import Harness, registration_for
from small_ehr import BASE_PATH, CLIENT_ID, KEY, SmallEHR, as_json
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

OTHER_KEY = RSAKey.generate_key(2048, parameters={"kid": "ehr-1"})
KEYS = "/oauth2/keys"
FAR_AHEAD = 4_102_444_800  # in 2100


def launched(harness: Harness, ehr: SmallEHR) -> TestResponse:
    return harness.complete(harness.browser(), ehr)


def launched_with(harness: Harness, ehr: SmallEHR, make_token: Any) -> TestResponse:
    """A launch whose id_token is made by the test, after the nonce is known."""
    ehr.answers["/oauth2/token"] = lambda _: as_json({**ehr.token_response(), "id_token": make_token()})
    return launched(harness, ehr)


def refused(answer: TestResponse, detail: str = "") -> None:
    assert (answer.status_code, answer.json["code"]) == (403, "identity_unverified"), answer.json
    assert detail in answer.json["detail"]


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join((*parts, signature))


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"iss": ["{issuer}"]}, "iss"),
        ({"aud": "someone-else"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": [CLIENT_ID, "someone-else"]}, "azp"),
        ({"aud": [CLIENT_ID, "someone-else"], "azp": "someone-else"}, "azp"),
        ({"azp": "someone-else"}, "azp"),
        ({"aud": "someone-else", "azp": CLIENT_ID}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": int(time.time()) - 120}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"iat": None}, "iat"),
        ({"iat": FAR_AHEAD}, "iat"),
        ({"nbf": FAR_AHEAD}, "nbf"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": 7}, "nonce"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": 7}, "sub"),
        ({"fhirUser": None}, "fhirUser"),
    ],
)
def test_a_wrong_claim_ends_the_launch(harness: Harness, ehr: SmallEHR, change: dict[str, Any], detail: str) -> None:
    """A40, A41: issuer and audience are essential; azp is checked and never stands in for aud."""
    ehr.claim_changes = change

    refused(launched(harness, ehr), detail)
    assert not harness.completed


@pytest.mark.parametrize(
    "change",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "someone-else"], "azp": CLIENT_ID},
        {"azp": CLIENT_ID},
        {"exp": -20},
        {"iat": 40},
    ],
)
def test_a_right_claim_in_another_form_passes(harness: Harness, ehr: SmallEHR, change: dict[str, Any]) -> None:
    """A40, A41: clocks may differ by up to a minute, not more; the figures are seconds from now."""
    now = int(time.time())
    ehr.claim_changes = {name: now + value if isinstance(value, int) else value for name, value in change.items()}

    assert launched(harness, ehr).status_code == 303


@pytest.mark.parametrize("token", [None, "", "abc", "a.b.c", "a.b.c.d.e", 7, {"a": 1}, "é.é.é", "." * 5000])
def test_a_missing_or_garbled_token_ends_the_launch(harness: Harness, ehr: SmallEHR, token: object) -> None:
    """A41: an identity that was not verified is none."""
    ehr.token_changes = {"id_token": token}

    refused(launched(harness, ehr), "id_token")


def test_an_unsigned_token_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A40: alg none."""
    for header in ({"alg": "none"}, {"alg": "none", "kid": "ehr-1"}, {"alg": "NONE"}, {"kid": "ehr-1"}):
        refused(launched_with(harness, ehr, lambda header=header: unsigned(header, ehr.claims())))


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A40: HS256 over the published key, in two spellings."""
    for secret in (KEY.as_pem(private=False), KEY.as_dict(private=False)["n"]):
        key = OctKey.import_key(base64.urlsafe_b64encode(secret if isinstance(secret, bytes) else str(secret).encode()))

        def make(key: OctKey = key) -> str:
            return jwt.encode({"alg": "HS256", "kid": "ehr-1"}, ehr.claims(), key, algorithms=["HS256"])

        refused(launched_with(harness, ehr, make))


def test_a_token_signed_with_another_key_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A40."""
    refused(
        launched_with(harness, ehr, lambda: jwt.encode({"alg": "RS256", "kid": "ehr-1"}, ehr.claims(), OTHER_KEY)),
        "signature",
    )


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "EdDSA", "made-up"])
def test_only_listed_algorithms_pass(harness: Harness, ehr: SmallEHR, algorithm: str) -> None:
    """A40: an explicit list."""

    def make() -> str:
        if algorithm in ("RS512", "PS256"):
            return jwt.encode({"alg": algorithm, "kid": "ehr-1"}, ehr.claims(), KEY, algorithms=[algorithm])
        return unsigned({"alg": algorithm, "kid": "ehr-1"}, ehr.claims(), "AAAA")

    refused(launched_with(harness, ehr, make))


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
def test_a_key_brought_by_the_token_is_never_used(harness: Harness, ehr: SmallEHR, member: str) -> None:
    """E17: forged tokens that name their own key; nothing is fetched for them either."""
    ehr.answers["/attacker/keys"] = lambda _: as_json({"keys": [OTHER_KEY.as_dict()]})
    value = {
        "jwk": OTHER_KEY.as_dict(private=False),
        "jku": f"{ehr.origin}/attacker/keys",
        "x5u": f"{ehr.origin}/attacker/keys",
        "x5c": ["AAAA"],
    }[member]

    def make() -> str:
        header = {"alg": "RS256", "kid": "ehr-1", member: value}
        registry = jws.JWSRegistry(algorithms=["RS256"])
        registry.max_header_length = 2048
        return jwt.encode(header, ehr.claims(), OTHER_KEY, registry=registry)

    refused(launched_with(harness, ehr, make))
    assert not ehr.requests_to("/attacker/keys")


def test_a_token_marked_critical_for_something_unknown_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A40: RFC 7515 4.1.11."""
    header = {"alg": "RS256", "kid": "ehr-1", "crit": ["exp"], "exp": 1}

    refused(launched_with(harness, ehr, lambda: unsigned(header, ehr.claims(), "AAAA")))


def test_an_elliptic_curve_key_of_the_ehr_is_accepted(harness: Harness, ehr: SmallEHR) -> None:
    """A40."""
    key = ECKey.generate_key("P-384", parameters={"kid": "ec"})
    ehr.published_keys = [KEY, key]

    answer = launched_with(
        harness,
        ehr,
        lambda: jwt.encode({"alg": "ES384", "kid": "ec"}, ehr.claims(), key, algorithms=["ES384"]),
    )

    assert answer.status_code == 303


def test_a_key_published_late_is_found_by_asking_once_more(harness: Harness, ehr: SmallEHR) -> None:
    """A42."""
    ehr.published_keys = [RSAKey.import_key(OTHER_KEY.as_dict(private=False), {"kid": "older"})]
    refused(launched(harness, ehr), "does not publish")

    ehr.published_keys.append(KEY)
    refused(launched(harness, ehr), "does not publish")
    assert len(ehr.requests_to(KEYS)) == 1

    harness.clock.ahead = timedelta(seconds=61)
    ehr.claim_changes = {"iat": int(time.time()) + 61, "exp": int(time.time()) + 400}
    assert launched(harness, ehr).status_code == 303
    assert len(ehr.requests_to(KEYS)) == 2


def test_keys_are_cached_but_not_for_ever(harness: Harness, ehr: SmallEHR) -> None:
    """A42: a key that the EHR withdrew stops working within the hour."""
    for _ in range(3):
        launched(harness, ehr)
    assert len(ehr.requests_to(KEYS)) == 1

    harness.clock.ahead = timedelta(hours=2)
    ehr.claim_changes = {"iat": int(time.time()) + 7200, "exp": int(time.time()) + 7400}
    ehr.published_keys = [RSAKey.import_key(OTHER_KEY.as_dict(private=False), {"kid": "newer"})]
    refused(launched(harness, ehr), "does not publish")


def outlast(harness: Harness, ehr: SmallEHR, **time_passed: float) -> None:
    """Move our clock on, and the EHR's with it."""
    harness.clock.ahead += timedelta(**time_passed)
    now = int(harness.clock().timestamp())
    ehr.claim_changes = {"iat": now, "exp": now + 300}


@pytest.mark.parametrize("openid", [False, True], ids=["from the SMART configuration", "from openid-configuration"])
def test_known_keys_carry_us_through_an_outage_and_not_for_ever(harness: Harness, ehr: SmallEHR, openid: bool) -> None:
    """A40, A42: for a day; and while it lasts, the EHR is asked once a minute at most."""
    where = KEYS
    if openid:
        ehr.configuration_changes = {"issuer": None, "jwks_uri": None, "capabilities": ["launch-ehr"]}
        where = f"{BASE_PATH}/.well-known/openid-configuration"
    assert launched(harness, ehr).status_code == 303

    ehr.answers[where] = lambda _: Response("down", 503)
    outlast(harness, ehr, hours=2)
    assert [launched(harness, ehr).status_code for _ in range(3)] == [303] * 3
    assert len(ehr.requests_to(where)) == 2
    outlast(harness, ehr, seconds=61)
    assert launched(harness, ehr).status_code == 303
    assert len(ehr.requests_to(where)) == 3

    outlast(harness, ehr, hours=22)
    refused(launched(harness, ehr), "status 503")


def test_an_outage_lets_no_unknown_key_in(harness: Harness, ehr: SmallEHR) -> None:
    """A42: what is kept is kept, nothing is added to it."""
    assert launched(harness, ehr).status_code == 303
    ehr.answers[KEYS] = lambda _: Response("down", 503)
    outlast(harness, ehr, hours=2)

    forged = RSAKey.import_key(OTHER_KEY.as_dict(private=True), {"kid": "new"})
    refused(
        launched_with(harness, ehr, lambda: jwt.encode({"alg": "RS256", "kid": "new"}, ehr.claims(), forged)),
        "does not publish",
    )


def test_a_token_without_kid_needs_a_single_key(harness: Harness, ehr: SmallEHR) -> None:
    """A40: OIDC Core 10.1."""
    make = lambda: jwt.encode({"alg": "RS256"}, ehr.claims(), KEY)  # noqa: E731 - one line says it
    assert launched_with(harness, ehr, make).status_code == 303

    ehr.published_keys = [KEY, ECKey.generate_key("P-256", parameters={"kid": "second"})]
    harness.clock.ahead = timedelta(hours=2)
    ehr.claim_changes = {"iat": int(time.time()) + 7200, "exp": int(time.time()) + 7400}
    refused(launched_with(harness, ehr, make))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": {}},
        {"keys": [7, {}, {"kty": "RSA"}, {"kty": "oct", "k": "AAAA", "kid": "ehr-1"}]},
        {"keys": [{**KEY.as_dict(private=False), "use": "enc"}]},
        {"keys": [{"kty": "RSA", "kid": "ehr-1", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{"kty": "EC", "kid": "ehr-1", "crv": "P-384", "x": "AA", "y": "AA"}]},
    ],
)
def test_a_key_set_without_a_usable_key_ends_the_launch(
    harness: Harness, ehr: SmallEHR, document: dict[str, Any]
) -> None:
    """A40: odd, symmetric, weak and encryption keys are left out and harm nothing else."""
    ehr.answers[KEYS] = lambda _: as_json(document)

    refused(launched(harness, ehr), "does not publish")


def test_one_odd_key_does_not_take_the_others_with_it(harness: Harness, ehr: SmallEHR) -> None:
    """A40."""
    ehr.answers[KEYS] = lambda _: as_json({"keys": [{"kty": "RSA", "n": 5}, KEY.as_dict(private=False)]})

    assert launched(harness, ehr).status_code == 303


def test_a_nonce_that_is_not_echoed_can_be_excused_but_a_wrong_one_cannot(harness: Harness, ehr: SmallEHR) -> None:
    """A43: a tenant flag."""
    harness.registrations.all = [registration_for(ehr, nonce_may_be_missing=True)]
    ehr.claim_changes = {"nonce": None}
    assert launched(harness, ehr).status_code == 303

    ehr.claim_changes = {"nonce": "wrong"}
    refused(launched(harness, ehr), "nonce")


def test_without_openid_in_the_configuration_the_bases_own_document_is_used(harness: Harness, ehr: SmallEHR) -> None:
    """A40: {iss}/.well-known/openid-configuration."""
    ehr.configuration_changes = {"issuer": None, "jwks_uri": None, "capabilities": ["launch-ehr"]}

    assert launched(harness, ehr).status_code == 303
    assert launched(harness, ehr).status_code == 303
    assert len(ehr.requests_to(f"{BASE_PATH}/.well-known/openid-configuration")) == 1


def test_keys_named_by_a_document_must_be_on_a_pinned_host(harness: Harness, ehr: SmallEHR) -> None:
    """E15."""
    ehr.configuration_changes = {"issuer": None, "jwks_uri": None, "capabilities": ["launch-ehr"]}
    ehr.answers[f"{BASE_PATH}/.well-known/openid-configuration"] = lambda _: as_json(
        {"issuer": ehr.issuer, "jwks_uri": "https://evil.example/keys"}
    )

    refused(launched(harness, ehr), "jwks_uri")
