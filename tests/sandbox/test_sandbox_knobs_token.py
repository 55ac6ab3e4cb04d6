"""Each knob of the token endpoint and of the id_token, as a plain HTTP client meets it."""

import base64
import json
import time
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import SECRET, TIMEOUT, App, get_json


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("token_invalid_client", 401, "invalid_client"),
        ("token_invalid_grant", 400, "invalid_grant"),
        ("token_expired_registration", 401, "invalid_client"),
        ("token_invalid_jti", 401, "invalid_client"),
        ("token_invalid_scope", 400, "invalid_scope"),
        ("token_unauthorized_client", 400, "unauthorized_client"),
    ],
)
def test_each_token_error_can_be_pretended(sandbox: RunningSandbox, fault: str, status: int, error: str) -> None:
    """B23: for A66."""
    app = App(sandbox, faults=[fault])
    reply = app.redeem(app.code())
    assert (reply.status_code, reply.json()["error"]) == (status, error)


def test_an_expired_refresh_token_is_met_at_the_refresh_only(sandbox: RunningSandbox) -> None:
    """B23, B18: for A51."""
    app = App(sandbox, faults=["token_expired_refresh"]).launched()
    reply = app.refresh(app.grant["refresh_token"])
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("token_outcome_401", 401, "application/fhir+json"),
        ("answer_html@token", 502, "text/html"),
        ("answer_empty@token", 200, ""),
        ("answer_429@token", 429, ""),
        ("token_redirect_307", 307, ""),
        ("answer_500@token", 500, ""),
    ],
)
def test_the_token_endpoint_can_answer_what_is_no_oauth_at_all(
    sandbox: RunningSandbox, fault: str, status: int, kind: str
) -> None:
    """B23: for A23, A66."""
    app = App(sandbox, faults=[fault])
    form = {"grant_type": "authorization_code", "code": app.code(), "code_verifier": app.verifier}
    url = app.endpoint("token")
    reply = requests.post(url, form, auth=("secret-app", SECRET), timeout=TIMEOUT, allow_redirects=False)
    assert reply.status_code == status
    assert reply.headers.get("Content-Type", "").startswith(kind)
    assert "access_token" not in reply.text


def test_the_token_endpoint_can_hang(sandbox: RunningSandbox) -> None:
    """B23."""
    app = App(sandbox, faults=[{"fault": "hang", "interaction": "token", "seconds": 0.2}])
    with pytest.raises(requests.ConnectionError):
        app.redeem(app.code())


@pytest.mark.parametrize("fault", ["token_unusable", "token_born_expired"])
def test_an_access_token_can_be_worthless_from_the_start(sandbox: RunningSandbox, fault: str) -> None:
    """B23: for A67."""
    app = App(sandbox, faults=[fault]).launched()
    assert app.grant["expires_in"] == 3600
    assert app.fhir("GET", "Patient/1001").status_code == 401


def test_access_tokens_can_be_short_lived(sandbox: RunningSandbox) -> None:
    """B23."""
    assert App(sandbox, faults=[{"fault": "token_short_lived", "seconds": 61}]).launched().grant["expires_in"] == 61


@pytest.mark.parametrize(("fault", "said"), [("token_expired", "has expired"), ("token_invalid", "not valid")])
def test_a_read_can_say_that_the_token_is_worthless(sandbox: RunningSandbox, fault: str, said: str) -> None:
    """B23: for A67."""
    app = App(sandbox, faults=[{"fault": fault}]).launched()
    reply = app.fhir("GET", "Patient/1001")
    assert reply.status_code == 401
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    assert said in reply.headers["WWW-Authenticate"]
    assert app.fhir("GET", "Patient/1001").status_code == 200, "armed for one time, as a mapping says by default"


@pytest.mark.parametrize(
    "name",
    ["patient", "encounter", "id_token", "scope", "expires_in", "token_type", "access_token", "refresh_token"],
)
def test_any_member_of_the_token_response_can_be_missing(sandbox: RunningSandbox, name: str) -> None:
    """B23: for A25, A33."""
    app = App(sandbox, faults=[f"token_without_{name}"])
    body = app.redeem(app.code()).json()
    assert name not in body
    assert len(body) > 5


@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [
        ("token_expires_in_text", "expires_in", "3600"),
        ("token_type_lower_case", "token_type", "bearer"),
        ("token_type_mac", "token_type", "mac"),
        ("token_tenant", "tenant", "another-practice"),
        ({"fault": "token_tenant", "options": {"tenant": "mine"}}, "tenant", "mine"),
        ("token_banner_needed", "need_patient_banner", True),
        ("token_banner_not_needed", "need_patient_banner", False),
        ("token_context_texts", "fhirContext", ["Encounter/1001-v2"]),
        ({"fault": "token_changed", "options": {"patient": "1002"}}, "patient", "1002"),
    ],
)
def test_a_member_of_the_token_response_can_be_unusual(
    sandbox: RunningSandbox, fault: str | dict[str, Any], name: str, value: object
) -> None:
    """B23: for A25, A35, A38."""
    grant = App(sandbox, faults=[fault], choice={"encounter": "1001-v2"}).launched().grant
    assert grant[name] == value


def test_junk_and_experiments_can_be_in_the_token_response(sandbox: RunningSandbox) -> None:
    """B23: for A35, A36, A37, A39."""
    faults: list[Any] = ["token_junk_intent", "token_extras", "token_context_objects"]
    grant = App(sandbox, faults=faults).launched().grant
    assert "<script>" in grant["intent"]
    assert {"authorization_details", "smart_style_url", "__vendor.extra"} <= set(grant)
    assert all(isinstance(context, dict) for context in grant["fhirContext"])


def test_a_refresh_can_name_another_patient(sandbox: RunningSandbox) -> None:
    """B23: for A52."""
    app = App(sandbox, faults=["token_other_patient"]).launched()
    assert app.grant["patient"] == "1001"
    assert app.refresh(app.grant["refresh_token"]).json()["patient"] not in ("1001", None)


def test_rotation_of_refresh_tokens_can_be_switched(sandbox: RunningSandbox) -> None:
    """B23: for A50."""
    stays = App(sandbox, faults=["refresh_stays"]).launched()
    assert "refresh_token" not in stays.refresh(stays.grant["refresh_token"]).json()
    assert stays.refresh(stays.grant["refresh_token"]).status_code == 200
    rotates = App(sandbox, "epic", "e1001", faults=["refresh_rotates"]).launched()
    second = rotates.refresh(rotates.grant["refresh_token"]).json()["refresh_token"]
    assert rotates.refresh(rotates.grant["refresh_token"]).json()["error"] == "invalid_grant"
    assert rotates.refresh(second).json()["error"] == "invalid_grant", "reuse ends the whole family"


def _id_token(sandbox: RunningSandbox, *faults: str) -> tuple[App, dict[str, Any], dict[str, Any]]:
    app = App(sandbox, faults=list(faults)).launched()
    parts = app.grant["id_token"].split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in parts[:2])
    return app, header, claims


def _is_signed(app: App) -> bool:
    keys = KeySet.import_key_set(get_json(app.sandbox.reachable(app.discovery()["jwks_uri"])))
    try:
        jwt.decode(app.grant["id_token"], keys, algorithms=["RS256"])
    except (JoseError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [
        ("id_token_wrong_iss", "iss", "https://other-issuer.example"),
        ("id_token_wrong_aud", "aud", "another-app"),
        ("id_token_wrong_azp", "azp", "another-app"),
        ("id_token_wrong_nonce", "nonce", "not-your-nonce"),
        ("id_token_without_nonce", "nonce", None),
        ("id_token_without_exp", "exp", None),
        ("id_token_without_sub", "sub", None),
        ("id_token_without_user", "fhirUser", None),
        ("id_token_patient_user", "fhirUser", "ORIGIN/reference/fhir/Patient/none"),
        ("id_token_foreign_user", "fhirUser", "https://elsewhere.example/fhir/Practitioner/1"),
        ("id_token_relative_user", "fhirUser", "Practitioner/dr-1"),
    ],
)
def test_a_well_signed_id_token_can_say_anything(
    sandbox: RunningSandbox, fault: str, name: str, value: str | None
) -> None:
    """B23, B19: for A40, A43, A44."""
    app, _, claims = _id_token(sandbox, fault)
    assert claims.get(name) == (value.replace("ORIGIN", sandbox.origin) if value else None)
    assert _is_signed(app)


def test_an_id_token_can_be_of_the_past_or_of_the_future(sandbox: RunningSandbox) -> None:
    """B23: for A40."""
    assert _id_token(sandbox, "id_token_expired")[2]["exp"] < time.time() - 600
    assert _id_token(sandbox, "id_token_of_the_future")[2]["iat"] > time.time() + 600


@pytest.mark.parametrize(
    ("fault", "header"),
    [
        ("id_token_unsigned", {"alg": "none"}),
        ("id_token_hs256", {"alg": "HS256"}),
        ("id_token_by_another_key", {"alg": "RS256"}),
        ("id_token_unknown_kid", {"kid": "nobody-published-this"}),
        ("id_token_jku", {"jku": "https://elsewhere.example/keys"}),
        ("id_token_x5u", {"x5u": "https://elsewhere.example/certificate"}),
        ("id_token_jwk", {"alg": "RS256"}),
        ("id_token_garbled", {"alg": "RS256"}),
    ],
)
def test_an_id_token_can_be_signed_badly_in_every_way(
    sandbox: RunningSandbox, fault: str, header: dict[str, str]
) -> None:
    """B23: for A40."""
    app, found, _ = _id_token(sandbox, fault)
    assert found | header == found
    assert ("jwk" in found) == (fault == "id_token_jwk")
    assert not _is_signed(app)


def test_an_id_token_can_be_no_jwt_or_name_no_key(sandbox: RunningSandbox) -> None:
    """B23: for A40."""
    assert App(sandbox, faults=["id_token_not_a_jwt"]).launched().grant["id_token"] == "not-a-jwt"
    app, header, _ = _id_token(sandbox, "id_token_without_kid")
    assert "kid" not in header
    assert _is_signed(app), "with one key published, it is good"
