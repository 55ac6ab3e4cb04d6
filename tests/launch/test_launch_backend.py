"""A backend's token for reading: what is asked, and that one which could write is never taken."""

from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey
from launch_harness import Clock, registration_for, session_for
from small_ehr import SmallEHR, as_json
from werkzeug.wrappers import Response

from launch.backend import NotNow, NotReading, reading_grant, reading_scopes
from launch.discovery import read_metadata
from launch.grant import Grant
from launch.registration import PrivateKeyJWT, SecretBasic

TOKEN = "/oauth2/token"
SIGNER = PrivateKeyJWT("ec-1", ECKey.generate_key("P-384"), "ES384")
READS = "system/DocumentReference.rs system/Patient.rs"


def asked(ehr: SmallEHR, answer: Response | None = None, authentication: Any = SIGNER, **members: Any) -> Grant:
    body = {"access_token": "reads", "token_type": "Bearer", "expires_in": 300, "scope": READS, **members}
    ehr.answers[TOKEN] = lambda _: answer or as_json({name: one for name, one in body.items() if one is not None})
    registration = registration_for(ehr, authentication=authentication)
    metadata = read_metadata(ehr.configuration(), registration)
    return reading_grant(
        session_for(registration),
        registration=registration,
        client_id="the-reader",
        metadata=replace(metadata, capabilities=frozenset({"permission-v2"})),
        resource_types=("Patient", "DocumentReference", "Patient"),
        now=Clock()(),
    )


def test_it_is_asked_for_by_an_assertion_and_for_reading_only(ehr: SmallEHR) -> None:
    """SMART Backend Services: client_credentials, no person, no refresh token."""
    grant = asked(ehr)
    assert (grant.access_token, grant.refresh_token) == ("reads", None)
    ((_, form),) = ehr.requests_to(TOKEN)
    assert (form["grant_type"], form["scope"]) == ("client_credentials", READS)
    assert {"client_assertion_type", "client_assertion", "grant_type", "scope"} == form.keys()
    assert reading_scopes(("Task", "Task")) == ("system/Task.rs",)


@pytest.mark.parametrize(
    "scope",
    [
        "system/DocumentReference.crs",
        "system/DocumentReference.write",
        "system/*.*",
        "system/*.cruds",
        "user/DocumentReference.rs",
        "system/Patient.rs openid",
        "system/Patient.rs offline_access",
        "system/Patient.xyz",
        "",
    ],
)
def test_a_token_that_could_do_more_than_read_is_not_taken(ehr: SmallEHR, scope: str) -> None:
    """I6, A63: nothing that could ever write is held for anybody."""
    with pytest.raises((NotReading, NotNow)):
        asked(ehr, scope=scope)


@pytest.mark.parametrize("scope", ["system/*.rs", "system/DocumentReference.read", "system/Patient.r system/Task.s"])
def test_any_spelling_of_reading_is_taken(ehr: SmallEHR, scope: str) -> None:
    assert asked(ehr, scope=scope).scopes.text == scope


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, '{"error": "invalid_scope"}', NotReading),
        (401, '{"error": "invalid_client"}', NotReading),
        (403, "<html>", NotReading),
        (503, "", NotNow),
        (200, "no JSON", NotNow),
        (200, "{}", NotNow),
    ],
)
def test_what_is_no_token_is_told_apart(ehr: SmallEHR, status: int, body: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        asked(ehr, Response(body, status, content_type="application/json"))


def test_a_shared_secret_is_no_proof_of_a_backend(ehr: SmallEHR) -> None:
    with pytest.raises(NotReading):
        asked(ehr, authentication=SecretBasic("secret"))
