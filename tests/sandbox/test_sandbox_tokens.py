import hashlib
import time
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import ASSERTION_TYPE, TIMEOUT, App, KeyServer, get_json


def test_b16_the_token_response_is_as_the_specification_says(sandbox: RunningSandbox) -> None:
    """B16."""
    app = App(sandbox)
    reply = app.redeem(app.code())
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Pragma"] == "no-cache"
    body = reply.json()
    assert body["token_type"] == "Bearer"
    assert type(body["expires_in"]) is int
    for name in ("access_token", "refresh_token", "scope", "patient", "encounter", "intent", "id_token"):
        assert isinstance(body[name], str)
    assert body["need_patient_banner"] is True


def test_b16_epic_says_the_banner_wish_as_a_string_and_adds_keys_of_its_own(sandbox: RunningSandbox) -> None:
    """B16."""
    grant = App(sandbox, "epic", "e1001").launched().grant
    assert grant["need_patient_banner"] == "false"
    assert "__epic.dstu2.patient" in grant


def test_b18_a_refresh_gives_a_new_pair_and_repeats_scope_and_context(sandbox: RunningSandbox) -> None:
    """B18."""
    app = App(sandbox).launched()
    refreshed = app.refresh(app.grant["refresh_token"]).json()
    assert type(refreshed["expires_in"]) is int
    assert refreshed["scope"] == app.grant["scope"]
    assert refreshed["refresh_token"] != app.grant["refresh_token"]
    assert (refreshed["patient"], refreshed["encounter"]) == (app.grant["patient"], app.grant["encounter"])


def test_b18_a_refresh_can_ask_for_less_and_not_for_more(sandbox: RunningSandbox) -> None:
    """B18."""
    app = App(sandbox, scope="launch offline_access user/Patient.rs user/Observation.rs").launched()
    less = app.refresh(app.grant["refresh_token"], scope="user/Patient.rs").json()
    assert less["scope"] == "user/Patient.rs"
    more = app.refresh(less["refresh_token"], scope="user/*.cruds")
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")


def test_b18_an_unknown_refresh_token_is_refused(sandbox: RunningSandbox) -> None:
    """B18."""
    assert App(sandbox).refresh("not-a-token").status_code in (400, 401)


def test_a_reused_refresh_token_ends_the_whole_family(sandbox: RunningSandbox) -> None:
    """B23."""
    app = App(sandbox).launched()
    first = app.grant["refresh_token"]
    second = app.refresh(first).json()
    assert app.refresh(first).json()["error"] == "invalid_grant"
    assert app.refresh(second["refresh_token"]).status_code == 400
    app.grant = second
    assert app.fhir("GET", "Patient/1001").status_code == 401


def test_epic_refreshes_without_rotation_and_without_context(sandbox: RunningSandbox) -> None:
    """B18."""
    app = App(sandbox, "epic", "e1001").launched()
    for _ in range(2):
        refreshed = app.refresh(app.grant["refresh_token"]).json()
        assert "refresh_token" not in refreshed
        assert "patient" not in refreshed


def test_without_offline_access_there_is_no_refresh_token(sandbox: RunningSandbox) -> None:
    assert "refresh_token" not in App(sandbox, scope="launch openid user/Patient.rs").launched().grant


@pytest.mark.parametrize(("ehr", "patient"), [("epic", "e1001"), ("reference", "1001")])
def test_b19_the_id_token_is_signed_and_names_the_user(sandbox: RunningSandbox, ehr: str, patient: str) -> None:
    """B19."""
    app = App(sandbox, ehr, patient).launched()
    smart = app.discovery()
    keys = KeySet.import_key_set(get_json(sandbox.reachable(smart["jwks_uri"])))
    token = jwt.decode(app.grant["id_token"], keys, algorithms=["RS256"])
    claims = token.claims
    assert token.header["kid"]
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (smart["issuer"], "secret-app", "nonce-1")
    assert claims["iat"] <= time.time() < claims["exp"]
    assert len(claims["sub"]) < 256
    user = requests.get(
        sandbox.reachable(claims["fhirUser"]),
        headers={"Authorization": f"Bearer {app.grant['access_token']}"},
        timeout=TIMEOUT,
    )
    assert user.json()["resourceType"] == "Practitioner"


def test_b20_introspection_tells_active_from_inactive(sandbox: RunningSandbox) -> None:
    """B20."""
    app = App(sandbox).launched()
    active = app.token_request({"token": app.grant["access_token"]}, "introspection").json()
    assert active["active"] is True
    assert (active["client_id"], active["scope"]) == ("secret-app", app.grant["scope"])
    assert type(active["exp"]) is int
    assert (active["patient"], active["encounter"]) == (app.grant["patient"], app.grant["encounter"])
    assert app.token_request({"token": "unknown"}, "introspection").json() == {"active": False}


def test_b20_a_bad_grant_type_is_refused(sandbox: RunningSandbox) -> None:
    """B20."""
    reply = App(sandbox).token_request({"grant_type": "password", "scope": "system/*.rs"})
    assert (reply.status_code, reply.json()["error"]) == (400, "unsupported_grant_type")


def test_b21_asked_for_scopes_are_granted_within_what_the_app_may_have(sandbox: RunningSandbox) -> None:
    """B21."""
    app = App(sandbox, client_id="limited-app", scope="launch user/Patient.rs user/Condition.rs").launched()
    assert app.grant["scope"].split() == ["launch", "user/Patient.rs"]
    assert app.fhir("GET", "Patient/1001").status_code == 200
    assert app.fhir("GET", "Condition?patient=1001").status_code == 403


def test_b21_a_granular_scope_reaches_only_what_it_names(sandbox: RunningSandbox) -> None:
    """B21."""
    vitals_only = "launch user/Observation.rs?category=vital-signs"
    app = App(sandbox, scope=vitals_only).launched()
    found = app.fhir("GET", "Observation?patient=1001&_count=100").json()["entry"]
    categories = {entry["resource"]["category"][0]["coding"][0]["code"] for entry in found}
    assert categories == {"vital-signs"}
    assert app.fhir("GET", "Observation/1001-lab-1").status_code == 403


def test_b21_v1_scopes_are_understood_and_each_vendor_spells_in_its_way(sandbox: RunningSandbox) -> None:
    """B21."""
    asked = "launch user/Patient.read user/DocumentReference.write"
    assert App(sandbox, scope=asked).launched().grant["scope"].split() == [
        "launch",
        "user/Patient.rs",
        "user/DocumentReference.cud",
    ]
    epic = App(sandbox, "epic", "e1001", scope="launch openid fhirUser user/Patient.rs").launched()
    assert {"user/DocumentReference.write", "user/DocumentReference.Read"} <= set(epic.grant["scope"].split())
    assert not any(scope.endswith(".rs") for scope in epic.grant["scope"].split())


def test_b21_a_patient_scope_stays_in_the_launched_chart(sandbox: RunningSandbox) -> None:
    """B21."""
    app = App(sandbox, scope="launch patient/*.cruds").launched()
    assert app.fhir("GET", "Patient/1001").status_code == 200
    assert app.fhir("GET", "Patient/1002").status_code == 403
    assert app.fhir("GET", "Condition?patient=1002").json()["total"] == 0
    foreign = app.note(subject={"reference": "Patient/1002"})
    assert app.fhir("POST", "DocumentReference", foreign).status_code == 403


def test_b21_a_public_app_launches_with_pkce_alone(sandbox: RunningSandbox) -> None:
    """B21."""
    app = App(sandbox, client_id="public-app").launched()
    assert app.fhir("GET", "Patient/1001").status_code == 200


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_b21_an_asymmetric_app_launches_with_a_signed_assertion(
    sandbox: RunningSandbox, key_server: KeyServer, alg: str
) -> None:
    """B21."""
    app = App(sandbox, client_id="key-app")
    audience = str(app.discovery()["token_endpoint"])
    reply = app.redeem(app.code(), **_assertion(key_server.assertion(audience, alg)))
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    "spoiled",
    [
        {"aud": "https://elsewhere.example/token"},
        {"iss": "another-app"},
        {"exp": int(time.time()) - 120},
        {"exp": int(time.time()) + 3600},
        {"jti": None},
    ],
    ids=["aud", "iss", "expired", "lives-too-long", "no-jti"],
)
def test_b20_a_bad_assertion_is_refused(
    sandbox: RunningSandbox, key_server: KeyServer, spoiled: dict[str, Any]
) -> None:
    """B20."""
    app = App(sandbox, client_id="key-app")
    claims = {"aud": str(app.discovery()["token_endpoint"])} | spoiled
    audience = str(claims.pop("aud"))
    reply = app.redeem(app.code(), **_assertion(key_server.assertion(audience, **claims)))
    assert reply.status_code in (400, 401)
    assert reply.json()["error"] == "invalid_client"


@pytest.mark.parametrize("form", [{"client_assertion_type": "urn:wrong"}, {"client_assertion": "not.a.jwt"}])
def test_b20_a_bad_assertion_type_or_jwt_is_refused(
    sandbox: RunningSandbox, key_server: KeyServer, form: dict[str, str]
) -> None:
    """B20."""
    app = App(sandbox, client_id="key-app")
    good = _assertion(key_server.assertion(str(app.discovery()["token_endpoint"])))
    reply = app.redeem(app.code(), **{**good, **form})
    assert reply.status_code in (400, 401)


def test_a_replayed_assertion_is_refused(sandbox: RunningSandbox, key_server: KeyServer) -> None:
    """B20."""
    app = App(sandbox, client_id="key-app")
    again = _assertion(key_server.assertion(str(app.discovery()["token_endpoint"])))
    assert app.redeem(app.code(), **again).status_code == 200
    second = App(sandbox, client_id="key-app")
    assert second.redeem(second.code(), **again).json()["error"] == "invalid_client"


def test_b21_revocation_ends_access_and_refresh(sandbox: RunningSandbox) -> None:
    """B21."""
    app = App(sandbox).launched()
    assert app.token_request({"token": app.grant["refresh_token"]}, "revocation").status_code == 200
    assert app.fhir("GET", "Patient/1001").status_code == 401
    assert app.refresh(app.grant["refresh_token"]).status_code in (400, 401)
    assert app.token_request({"token": app.grant["access_token"]}, "introspection").json() == {"active": False}


def test_token_parameters_in_the_query_are_refused(sandbox: RunningSandbox) -> None:
    """B17."""
    app = App(sandbox)
    reply = requests.post(app.endpoint("token"), params={"grant_type": "refresh_token"}, timeout=TIMEOUT)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


def test_the_qa_api_shows_tokens_by_fingerprint_only(sandbox: RunningSandbox) -> None:
    app = App(sandbox).launched()
    newest = sandbox.qa("reference", "tokens")[-1]
    assert newest["token_sha256"] == hashlib.sha256(app.grant["access_token"].encode()).hexdigest()
    assert app.grant["access_token"] not in str(newest)


def _assertion(assertion: str) -> dict[str, str]:
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
