"""Apps registered while the EHR runs, rightly and wrongly; apps that launch themselves; backends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.ehr import RunningSandbox, running_sandbox
from tests.sandbox.smart_app import ASSERTION_TYPE, REDIRECT_URI, SECRET, TIMEOUT, App, KeyServer, answer

ID = "later-app"
AUTH = {"method": "client_secret_basic", "secret": SECRET}
REGISTRATION: dict[str, Any] = {
    "redirect_uris": [REDIRECT_URI],
    "launch_url": "http://app.localhost:1/launch/later",
    "auth": AUTH,
}


@pytest.fixture
def later(sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    sandbox.register_client("reference", ID, **REGISTRATION)
    yield sandbox
    requests.delete(f"{sandbox.local}/qa/reference/clients/{ID}", timeout=TIMEOUT)


def _app(sandbox: RunningSandbox) -> App:
    return App(sandbox, client_id=ID, choice={"client": ID})


def _redeemed(app: App) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": app.code(), "redirect_uri": REDIRECT_URI}
    form["code_verifier"] = app.verifier
    return requests.post(app.endpoint("token"), form, auth=(ID, SECRET), timeout=TIMEOUT)


def test_an_app_registered_at_run_time_can_be_launched(later: RunningSandbox) -> None:
    """B15, B21."""
    app = _app(later)
    assert app.opened["url"].startswith("http://app.localhost:1/launch/later?iss=")
    assert _redeemed(app).status_code == 200


def test_what_is_registered_is_shown_without_its_secret(later: RunningSandbox) -> None:
    """B23."""
    shown = next(client for client in later.qa("reference", "clients") if client["client_id"] == ID)
    assert shown["redirect_uris"] == [REDIRECT_URI]
    assert SECRET not in str(shown)


def test_one_thing_can_be_changed_and_the_rest_stays_the_secret_too(later: RunningSandbox) -> None:
    """B23."""
    later.register_client("reference", ID, scopes=["user/Patient.rs"])
    grant = _redeemed(_app(later)).json()
    assert "user/Patient.rs" not in grant["scope"].split(), "the app asked for user/*.cruds"
    assert "openid" in grant["scope"].split()


@pytest.mark.parametrize("wrong", [REDIRECT_URI + "/", REDIRECT_URI.replace("callback", "CallBack")])
def test_a_redirect_uri_registered_with_a_slash_or_another_case_is_not_the_one_sent(
    later: RunningSandbox, wrong: str
) -> None:
    """B17, B23."""
    later.register_client("reference", ID, redirect_uris=[wrong])
    reply = _app(later).authorize()
    assert reply.status_code == 400
    assert "Location" not in reply.headers


def test_another_way_of_authentication_than_registered_is_refused(later: RunningSandbox, key_server: KeyServer) -> None:
    """B17, B23."""
    later.register_client("reference", ID, auth={"method": "private_key_jwt", "jwks_uri": key_server.jwks_uri})
    assert _redeemed(_app(later)).json()["error"] == "invalid_client"


def test_a_key_url_that_is_not_the_apps_is_refused(sandbox: RunningSandbox, key_server: KeyServer) -> None:
    """B20, B23."""
    wrong = {"method": "private_key_jwt", "jwks_uri": f"{sandbox.origin}/reference/oauth2/keys"}
    sandbox.register_client("reference", "key-app", auth=wrong)
    try:
        app = App(sandbox, client_id="key-app")
        assertion = key_server.assertion(str(app.discovery()["token_endpoint"]))
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        assert app.redeem(app.code(), **form).json()["error"] == "invalid_client"
    finally:
        sandbox.forget_client("reference", "key-app")


def test_a_disabled_app_is_unknown_and_an_expired_one_gets_no_token(later: RunningSandbox) -> None:
    """B17, B23."""
    later.register_client("reference", ID, status="expired")
    refused = _redeemed(_app(later))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert "expired" in refused.json()["error_description"]
    later.register_client("reference", ID, status="disabled")
    assert _app(later).authorize().json()["error"] == "invalid_client"


def test_a_registration_that_cannot_be_is_refused(sandbox: RunningSandbox) -> None:
    """B23."""
    url = f"{sandbox.local}/qa/reference/clients/{ID}"
    for wrong in ({**REGISTRATION, "auth": {"method": "private_key_jwt"}}, {"launch_url": "x"}):
        assert requests.put(url, json=wrong, timeout=TIMEOUT).status_code == 422
    assert requests.delete(url, timeout=TIMEOUT).status_code == 404


def test_what_was_registered_at_run_time_outlives_a_restart(tmp_path: Path) -> None:
    """B23."""
    with running_sandbox(tmp_path, {}) as first:
        first.register_client("reference", ID, **REGISTRATION)
    with running_sandbox(tmp_path, {}) as second:
        assert [client["client_id"] for client in second.qa("reference", "clients")] == [ID]


def _backend(sandbox: RunningSandbox, key_server: KeyServer, scope: str, ehr: str = "reference") -> requests.Response:
    url = f"{sandbox.origin}/{ehr}/oauth2/token"
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": key_server.assertion(url),
    }
    return requests.post(sandbox.reachable(url), form, timeout=TIMEOUT)


def test_a_backend_gets_a_short_token_that_reads_and_cannot_write(
    sandbox: RunningSandbox, key_server: KeyServer
) -> None:
    """B20, B21: for A63."""
    grant = _backend(sandbox, key_server, "system/Patient.rs system/Patient.c user/Patient.rs").json()
    assert (grant["scope"], grant["expires_in"]) == ("system/Patient.rs", 300)
    assert {"refresh_token", "patient", "id_token"} & set(grant) == set()
    app = App(sandbox)
    app.grant = grant
    assert app.fhir("GET", "Patient/1002").status_code == 200
    assert app.fhir("POST", "Patient", {"resourceType": "Patient"}).status_code == 403


def test_a_backend_without_a_signed_assertion_or_a_scope_gets_nothing(
    sandbox: RunningSandbox, key_server: KeyServer
) -> None:
    """B20."""
    app = App(sandbox)
    assert app.token_request({"grant_type": "client_credentials", "scope": "system/*.rs"}).status_code in (400, 401)
    assert _backend(sandbox, key_server, "").json()["error"] == "invalid_request"
    assert _backend(sandbox, key_server, "user/*.rs").json()["error"] == "invalid_scope"


def test_standalone_a_person_signs_in_and_chooses_the_chart(sandbox: RunningSandbox) -> None:
    """B15: for A12."""
    app = App(sandbox, scope="openid fhirUser launch/patient user/Patient.rs", opened={"iss": _iss(sandbox)})
    page = app.authorize()
    assert page.status_code == 200
    assert "Rivera, Ana" in page.text
    chosen = {"sign-in-user": "dr-2", "sign-in-patient": "1003", "sign-in-decision": "approve"}
    app.grant = app.redeem(answer(app.authorize("POST", **chosen))["code"]).json()
    assert app.grant["patient"] == "1003"
    assert "encounter" not in app.grant, "launch/encounter was not asked"


def test_standalone_without_a_patient_scope_there_is_no_patient(sandbox: RunningSandbox) -> None:
    """B15: for A12."""
    app = App(sandbox, scope="openid user/Patient.rs", opened={"iss": _iss(sandbox)})
    chosen = {"sign-in-user": "dr-1", "sign-in-decision": "approve"}
    grant = app.redeem(answer(app.authorize("POST", **chosen))["code"]).json()
    assert not {"patient", "encounter"} & set(grant)


def test_standalone_can_be_arranged_beforehand_with_a_patient_and_a_visit(sandbox: RunningSandbox) -> None:
    """B15: for A12."""
    opened = sandbox.launch_url("reference", "1003", type="standalone", client="secret-app", faults=["token_tenant"])
    assert "launch" not in opened
    app = App(sandbox, scope="openid launch/patient launch/encounter", opened=opened)
    grant = app.launched().grant
    assert (grant["patient"], grant["tenant"]) == ("1003", "another-practice")
    assert grant["encounter"]


def _iss(sandbox: RunningSandbox) -> str:
    return f"{sandbox.origin}/reference/fhir"
