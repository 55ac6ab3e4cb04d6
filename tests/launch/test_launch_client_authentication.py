"""How we prove ourselves: what the server lists decides what is said, and a registration decides everything else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from launch_harness import Harness, registration_for
from small_ehr import KEY, SmallEHR, as_json

from launch.client_authentication import algorithm_for, authentication_advice, prove_client
from launch.discovery import read_metadata
from launch.registration import ClientAuthentication, PrivateKeyJWT, PublicClient, SecretBasic

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
P384 = ECKey.generate_key("P-384")
ES384 = PrivateKeyJWT("ec-1", P384, "ES384")
RS384 = PrivateKeyJWT("rsa-1", KEY, "RS384")
LISTED = "token_endpoint_auth_signing_alg_values_supported"


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        (["RS384", "ES384"], "ES384"),
        (["RS384"], "RS384"),
        (["ES384"], "ES384"),
        (["RS256", "PS384"], None),
        ([], "ES384"),
        (None, "ES384"),
    ],
)
def test_the_algorithm_is_picked_from_what_the_server_lists(listed: list[str] | None, chosen: str | None) -> None:
    """A56."""
    assert algorithm_for(listed) == chosen


@pytest.mark.parametrize(
    ("signer", "listed", "detail"),
    [
        (ES384, ["RS384"], "does not list ES384 for client assertions; it takes RS384"),
        (RS384, ["ES384"], "does not list RS384 for client assertions; it takes ES384"),
        (ES384, ["RS256"], "does not list ES384 for client assertions; nor RS384"),
    ],
)
def test_a_signature_that_the_server_does_not_take_is_refused_before_anybody_signs_in(
    harness: Harness, ehr: SmallEHR, signer: PrivateKeyJWT, listed: list[str], detail: str
) -> None:
    """A56: with what to change, instead of `invalid_client` after the sign-in."""
    ehr.configuration_changes = {LISTED: listed}
    harness.registrations.all = [registration_for(ehr, authentication=signer)]

    answer = harness.launch(harness.browser(), ehr)

    assert (answer.status_code, answer.json["code"]) == (502, "proof_unsupported")
    assert detail in answer.json["detail"]
    assert not harness.transactions.waiting


@pytest.mark.parametrize("listed", [["ES384"], ["RS384", "ES384"], None, [], "ES384", [7], {"a": 1}])
@pytest.mark.parametrize("way", [ES384, SecretBasic("secret"), PublicClient()])
def test_what_is_listed_odd_or_not_at_all_stops_no_launch(
    harness: Harness, ehr: SmallEHR, listed: object, way: ClientAuthentication
) -> None:
    """A56: only a readable list that leaves ours out does."""
    ehr.configuration_changes = {LISTED: listed}
    harness.registrations.all = [registration_for(ehr, authentication=way)]

    assert harness.launch(harness.browser(), ehr).status_code == 303


def test_a_refused_proof_says_what_the_server_lists(harness: Harness, ehr: SmallEHR) -> None:
    """A54, A66: consulted for the sentence only; names that nobody knows are not repeated."""
    methods = ["private_key_jwt", "none", "SECRET-FROM-SERVER"]
    ehr.configuration_changes = {"token_endpoint_auth_methods_supported": methods}
    ehr.answers["/oauth2/token"] = lambda _: as_json({"error": "invalid_client"}, 401)
    harness.registrations.all = [registration_for(ehr, authentication=SecretBasic("secret"))]

    answer = harness.complete(harness.browser(), ehr)

    assert "uses client_secret_basic, the EHR lists private_key_jwt, none" in answer.json["detail"]
    assert "SECRET" not in answer.text
    assert (harness.facts[-1].ehr_status, harness.facts[-1].oauth_error) == (401, "invalid_client")


def test_a_method_that_is_not_listed_is_used_all_the_same(harness: Harness, ehr: SmallEHR) -> None:
    """A54: several servers list less than they take."""
    ehr.configuration_changes = {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}
    harness.registrations.all = [registration_for(ehr, authentication=SecretBasic("secret"))]

    assert harness.complete(harness.browser(), ehr).status_code == 303


@pytest.mark.parametrize(
    ("way", "capabilities", "advice"),
    [
        (SecretBasic("s"), ["client-confidential-asymmetric"], "private_key_jwt"),
        (SecretBasic("s"), ["client-confidential-symmetric"], ""),
        (ES384, ["client-confidential-asymmetric"], ""),
        (PublicClient(), [], "confidential"),
    ],
)
def test_signing_is_advised_where_the_server_takes_it(
    ehr: SmallEHR, way: ClientAuthentication, capabilities: list[str], advice: str
) -> None:
    """A54: a secret where a key would do, and a server-side app registered as public."""
    metadata = read_metadata({**ehr.configuration(), "capabilities": capabilities}, registration_for(ehr))
    said = authentication_advice(way, metadata)

    assert (advice in said) if advice else (said == "")


def test_an_assertion_for_one_tenant_never_names_another(ehr: SmallEHR) -> None:
    """A58: the audience is the tenant's own endpoint, or what its own registration says."""
    for signer in (ES384, replace(ES384, audience="https://a.example/issuer")):
        for endpoint in ("https://a.example/token", "https://b.example/token"):
            proof = prove_client(registration_for(ehr, authentication=signer), endpoint, NOW)
            claims = jwt.decode(proof.form["client_assertion"], P384, algorithms=["ES384"]).claims
            assert claims["aud"] == (signer.audience or endpoint)
