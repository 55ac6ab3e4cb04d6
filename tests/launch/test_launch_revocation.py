"""Giving a token back: one request, and what counts as given back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from launch_harness import Harness, registration_for, session_for
from small_ehr import SmallEHR, as_json
from werkzeug.wrappers import Response

from launch.discovery import Discovery
from launch.errors import DiscoveryRefused
from launch.registration import PrivateKeyJWT, SecretBasic
from launch.revocation import RevocationFailed, revoke

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
REVOKE = "/oauth2/revoke"
SIGNER = PrivateKeyJWT("ec-1", ECKey.generate_key("P-384"), "ES384")


def revoked(ehr: SmallEHR, **changes: Any) -> None:
    registration = registration_for(ehr, **changes)
    revoke(
        session_for(registration),
        registration=registration,
        token_endpoint=f"{ehr.origin}/oauth2/token",
        revocation_endpoint=ehr.origin + REVOKE,
        token="the-refresh-token",
        hint="refresh_token",
        now=NOW,
    )


def test_the_token_goes_in_the_body_with_its_kind_and_our_proof(ehr: SmallEHR) -> None:
    """A53, A62: RFC 7009 2.1."""
    ehr.answers[REVOKE] = lambda _: Response("", 200)
    revoked(ehr, authentication=SecretBasic("secret"))

    [(headers, form)] = ehr.requests_to(REVOKE)
    assert form == {"token": "the-refresh-token", "token_type_hint": "refresh_token"}
    assert headers["Authorization"].startswith("Basic ")


def test_every_attempt_has_an_assertion_of_its_own_for_the_token_endpoint(ehr: SmallEHR) -> None:
    """A53, A55, A58: the audience is the token endpoint here too."""
    ehr.answers[REVOKE] = lambda _: Response("", 503)
    for _ in range(3):
        with pytest.raises(RevocationFailed):
            revoked(ehr, authentication=SIGNER)

    claims = [
        jwt.decode(form["client_assertion"], SIGNER.key, algorithms=["ES384"]).claims
        for _, form in ehr.requests_to(REVOKE)
    ]
    assert len({claim["jti"] for claim in claims}) == 3
    assert {claim["aud"] for claim in claims} == {f"{ehr.origin}/oauth2/token"}


@pytest.mark.parametrize(
    "answer",
    [lambda _: Response("", 200), lambda _: as_json({"error": "unsupported_token_type"}, 400)],
    ids=["done", "never revokes these"],
)
def test_a_token_that_the_server_ends_or_never_ends_is_given_back(
    ehr: SmallEHR, answer: Callable[[Any], Response]
) -> None:
    """A53."""
    ehr.answers[REVOKE] = answer
    revoked(ehr)


@pytest.mark.parametrize(
    ("answer", "said", "ours"),
    [
        (lambda _: as_json({"error": "invalid_client"}, 401), "invalid_client", True),
        (lambda _: as_json({"error": "invalid_request"}, 400), "invalid_request", False),
        (lambda _: Response("<h1>Away</h1>", 503), "503", False),
        (lambda _: Response("", 307, {"Location": "https://elsewhere.example"}), "307", False),
    ],
)
def test_every_other_answer_is_a_failure(
    ehr: SmallEHR, answer: Callable[[Any], Response], said: str, ours: bool
) -> None:
    """A53, A66."""
    ehr.answers[REVOKE] = answer
    with pytest.raises(RevocationFailed, match=said) as failure:
        revoked(ehr)
    assert failure.value.client_refused is ours
    assert "the-refresh-token" not in str(failure.value)


@pytest.mark.parametrize("member", ["revocation_endpoint", "introspection_endpoint"])
def test_the_endpoint_is_found_by_discovery_pinned_and_optional(harness: Harness, ehr: SmallEHR, member: str) -> None:
    """A03, A53, A64."""
    registration = registration_for(ehr)

    def found() -> str | None:
        return getattr(Discovery(session_for, harness.clock).metadata(registration), member)

    assert found() is None
    ehr.configuration_changes = {member: f"{ehr.origin}{REVOKE}"}
    assert found() == f"{ehr.origin}{REVOKE}"
    ehr.configuration_changes = {member: "https://elsewhere.example/revoke"}
    with pytest.raises(DiscoveryRefused, match=member):
        found()
