"""Code for tokens: one form-encoded request, authenticated as registered; odd answers end in plain words."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from launch_harness import Harness, registration_for
from small_ehr import CLIENT_ID, KEY, SmallEHR, as_json
from werkzeug.wrappers import Response

from launch.client_authentication import ASSERTION_TYPE, prove_client
from launch.errors import TokenExchangeFailed
from launch.grant import read_grant
from launch.registration import PrivateKeyJWT, PublicClient, Registration, SecretBasic

TOKEN = "/oauth2/token"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
P384 = ECKey.generate_key("P-384")
SIGNERS = [PrivateKeyJWT("rsa-1", KEY, "RS384"), PrivateKeyJWT("ec-1", P384, "ES384")]


def registered(ehr: SmallEHR, harness: Harness, **changes: Any) -> None:
    harness.registrations.all = [registration_for(ehr, **changes)]


def token_request(ehr: SmallEHR) -> tuple[dict[str, str], dict[str, str]]:
    [request] = ehr.requests_to(TOKEN)
    return request


def test_the_token_request_is_form_encoded_with_the_same_redirect_uri(harness: Harness, ehr: SmallEHR) -> None:
    """A23, A24: golden request of a public client."""
    harness.complete(harness.browser(), ehr)

    headers, form = token_request(ehr)
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form.pop("code_verifier")
    assert form == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "redirect_uri": "http://app.localhost/callback/clinic",
        "client_id": CLIENT_ID,
    }
    assert "Authorization" not in headers


def test_the_verifier_sent_matches_the_challenge_asked(harness: Harness, ehr: SmallEHR) -> None:
    """A18, A23: kept server side from the launch until here."""
    browser = harness.browser()
    started = harness.launch(browser, ehr)
    [transaction] = harness.transactions.waiting.values()
    browser.get("/callback/clinic", query_string=ehr.authorize(started.location))

    assert token_request(ehr)[1]["code_verifier"] == transaction.code_verifier


def test_a_secret_client_uses_basic_and_sends_no_client_id(harness: Harness, ehr: SmallEHR) -> None:
    """A24, A62: form-encoded before base64, so that colons and percent signs survive."""
    registered(ehr, harness, authentication=SecretBasic("se:cr%et+ü"), client_id="client:1")
    ehr.claim_changes = {"aud": "client:1"}
    assert harness.complete(harness.browser(), ehr).status_code == 303

    headers, form = token_request(ehr)
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"client%3A1:se%3Acr%25et%2B%C3%BC"
    assert "client_id" not in form
    assert "client_secret" not in form


@pytest.mark.parametrize("signer", SIGNERS, ids=["RS384", "ES384"])
def test_a_signing_client_sends_an_assertion_and_no_client_id(
    harness: Harness, ehr: SmallEHR, signer: PrivateKeyJWT
) -> None:
    """A24, A55, A56, A58: header and claims, verified with the public half."""
    registered(ehr, harness, authentication=signer)
    harness.complete(harness.browser(), ehr)

    _, form = token_request(ehr)
    assertion = jwt.decode(form["client_assertion"], signer.key, algorithms=[signer.algorithm])
    assert form["client_assertion_type"] == ASSERTION_TYPE
    assert "client_id" not in form
    assert assertion.header == {"alg": signer.algorithm, "kid": signer.key_id, "typ": "JWT"}
    assert set(assertion.claims) == {"iss", "sub", "aud", "exp", "iat", "jti"}
    assert assertion.claims["iss"] == assertion.claims["sub"] == CLIENT_ID
    assert assertion.claims["aud"] == f"{ehr.origin}{TOKEN}"


@pytest.mark.parametrize("signer", SIGNERS, ids=["RS384", "ES384"])
def test_every_assertion_is_new_and_short_lived(ehr: SmallEHR, signer: PrivateKeyJWT) -> None:
    """A55, A57: every attempt its own jti; 90 seconds, which a clock 90 s slow still takes for under 300."""
    registration = registration_for(ehr, authentication=signer)
    proofs = [prove_client(registration, "https://ehr.example/token", NOW) for _ in range(20)]
    claims = [
        jwt.decode(proof.form["client_assertion"], signer.key, algorithms=[signer.algorithm]).claims for proof in proofs
    ]

    assert len({claim["jti"] for claim in claims}) == 20
    assert {claim["exp"] - int(NOW.timestamp()) for claim in claims} == {90}
    assert all("nbf" not in claim and len(claim["jti"]) <= 151 for claim in claims)


def test_a_tenant_may_have_its_issuer_as_the_assertion_audience(ehr: SmallEHR) -> None:
    """A58: one string, from the registration and from nowhere else."""
    signer = PrivateKeyJWT("ec-1", P384, "ES384", audience="https://issuer.example")
    proof = prove_client(registration_for(ehr, authentication=signer), "https://ehr.example/token", NOW)

    claims = jwt.decode(proof.form["client_assertion"], P384, algorithms=["ES384"]).claims
    assert claims["aud"] == "https://issuer.example"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_the_token_endpoint_is_not_followed(harness: Harness, ehr: SmallEHR, status: int) -> None:
    """A23: the code, the verifier and our proof would go along."""
    ehr.answers[TOKEN] = lambda _: Response(status=status, headers={"Location": f"{ehr.origin}/elsewhere"})

    answer = harness.complete(harness.browser(), ehr)

    assert answer.json["code"] == "token_exchange_failed"
    assert not ehr.requests_to("/elsewhere")


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "SECRET-FROM-SERVER"}]}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            as_json({"error": "invalid_grant", "error_description": "SECRET-FROM-SERVER"}, 400),
            "invalid_grant",
        ),
        (as_json({"error": "invalid_client"}, 401), "invalid_client"),
        (as_json({"error": "access_denied"}, 500), "access_denied"),
        (as_json({"error": "SECRET-FROM-SERVER"}, 400), "unrecognised"),
        (as_json({"error": {"SECRET-FROM-SERVER": 1}}, 200), "unrecognised"),
        (as_json({"error": "invalid_scope"}, 200), "invalid_scope"),
        (as_json(OUTCOME, 401), "status 401"),
        (as_json(OUTCOME, 200), "access_token"),
        (Response("<h1>SECRET-FROM-SERVER</h1>", 502, content_type="text/html"), "status 502"),
        (Response("<h1>SECRET-FROM-SERVER</h1>", 200, content_type="text/html"), "no JSON object"),
        (Response("", 200), "no JSON object"),
        (Response("", 204), "status 204"),
        (Response("", 429, headers={"Retry-After": "5"}), "429"),
        (as_json([], 200), "no JSON object"),
        (Response("x" * 300_000, 200), "larger"),
    ],
)
def test_each_strange_answer_ends_in_words_of_ours(
    harness: Harness, ehr: SmallEHR, answer: Response, said: str
) -> None:
    """A66."""
    ehr.answers[TOKEN] = lambda _: answer

    page = harness.complete(harness.browser(), ehr)

    assert (page.status_code, page.json["code"]) == (502, "token_exchange_failed")
    assert said in page.json["detail"]
    assert "SECRET-FROM-SERVER" not in page.text
    assert len(ehr.requests_to(TOKEN)) == 1


def test_a_token_endpoint_that_hangs_is_given_up_and_not_asked_again(
    harness: Harness, ehr: SmallEHR, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A23, A66: a code works once, so there is no second try."""
    monkeypatch.setattr("launch.token_exchange.EXCHANGE_SECONDS", 0.3)

    def trickle(_: object) -> Response:
        return Response((time.sleep(0.1) or b" " for _ in range(20)), headers={"Content-Length": "1000"})

    ehr.answers[TOKEN] = trickle

    assert "too long" in harness.complete(harness.browser(), ehr).json["detail"]
    assert len(ehr.requests_to(TOKEN)) == 1


def test_a_token_endpoint_that_is_gone_is_a_launch_error(harness: Harness, ehr: SmallEHR) -> None:
    """A66."""
    ehr.configuration_changes = {"token_endpoint": "http://127.0.0.1:9/token"}
    registered(ehr, harness, endpoint_origins=frozenset({"http://127.0.0.1:9"}))

    assert "no connection" in harness.complete(harness.browser(), ehr).json["detail"]


RESPONSE = {"access_token": "abc", "token_type": "Bearer", "scope": "openid"}


@pytest.mark.parametrize("token_type", ["bearer", "Bearer", "BEARER"])
def test_the_token_type_is_compared_without_case(token_type: str) -> None:
    """A25."""
    assert read_grant({**RESPONSE, "token_type": token_type}, NOW).access_token == "abc"


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (None, 300),
        ("", 300),
        ("soon", 300),
        (-1, 300),
        (0, 300),
        (True, 300),
        (1.5, 300),
        (float("inf"), 300),
        (10**12, 300),
        (999_999_999, 86_400),
        ([], 300),
    ],
)
def test_a_missing_or_odd_lifetime_is_taken_as_five_minutes(sent: object, seconds: int) -> None:
    """A25."""
    grant = read_grant({**RESPONSE, "expires_in": sent}, NOW)

    assert grant.expires_at == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": 7},
        {"token_type": None},
        {"token_type": "mac"},
        {"scope": None},
        {"scope": ["openid"]},
        {"scope": "open\x00id"},
    ],
)
def test_a_response_without_its_required_members_is_refused(change: dict[str, Any]) -> None:
    """A25; and a token that could break out of a header is none."""
    with pytest.raises(TokenExchangeFailed):
        read_grant({**RESPONSE, **change}, NOW)


def test_tokens_and_secrets_never_show_in_a_repr(ehr: SmallEHR) -> None:
    """E01."""
    grant = read_grant({**RESPONSE, "access_token": "hide-me", "refresh_token": "hide-me"}, NOW)
    registrations: list[Registration] = [
        registration_for(ehr, authentication=way) for way in (SecretBasic("hide-me"), SIGNERS[0], PublicClient())
    ]
    proof = prove_client(registrations[0], "https://ehr.example/token", NOW)
    private_exponent = KEY.as_dict(private=True)["d"]

    assert grant.refresh_token == "hide-me"
    assert "hide-me" not in repr([grant, registrations, proof])
    assert str(private_exponent) not in repr(registrations)


def test_a_key_that_does_not_fit_its_algorithm_is_refused_at_registration() -> None:
    """A56."""
    public_half = RSAKey.import_key(KEY.as_dict(private=False))
    for key, algorithm in (
        (P384, "RS384"),
        (KEY, "ES384"),
        (ECKey.generate_key("P-256"), "ES384"),
        (RSAKey.import_key(KEY.as_dict(private=True), {"alg": "RS256"}), "RS384"),
        (public_half, "RS384"),
    ):
        with pytest.raises(ValueError, match="key one"):
            PrivateKeyJWT("one", key, algorithm)
