"""Each knob of the authorize endpoint, as a plain HTTP client meets it."""

from typing import Any

import pytest

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import App, answer

ERRORS = [
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
]


@pytest.mark.parametrize("error", ERRORS)
def test_each_authorize_error_comes_back_with_the_state_and_a_script_in_its_description(
    sandbox: RunningSandbox, error: str
) -> None:
    """B23: for A65."""
    back = answer(App(sandbox, faults=[f"authorize_{error}"]).authorize())
    assert (back["error"], back["state"]) == (error, "a state with spaces & signs")
    assert "<script>" in back["error_description"]
    assert "code" not in back


@pytest.mark.parametrize(
    ("fault", "error"),
    [("authorize_invalid_client", "invalid_client"), ("authorize_invalid_redirect_uri", "invalid_request")],
)
def test_an_unknown_client_or_redirect_uri_can_be_pretended(sandbox: RunningSandbox, fault: str, error: str) -> None:
    """B17, B23."""
    reply = App(sandbox, faults=[fault]).authorize()
    assert reply.status_code in (400, 401)
    assert "Location" not in reply.headers
    assert reply.json()["error"] == error


def test_the_reference_ehr_advertises_the_issuer_in_its_answers_and_sends_it(sandbox: RunningSandbox) -> None:
    """B23: for A21."""
    app = App(sandbox)
    document = app.discovery()
    assert document["authorization_response_iss_parameter_supported"] is True
    assert answer(app.authorize())["iss"] == document["issuer"]
    assert answer(App(sandbox).authorize(scope="openid"))["iss"] == document["issuer"], "errors carry it too"


def test_an_ehr_that_advertises_no_issuer_sends_none(sandbox: RunningSandbox) -> None:
    """B23: for A21."""
    app = App(sandbox, "epic", "e1001")
    assert "authorization_response_iss_parameter_supported" not in app.discovery()
    assert "iss" not in answer(app.authorize())


@pytest.mark.parametrize(
    ("ehr", "patient", "fault", "iss"),
    [
        ("reference", "1001", "iss_missing", None),
        ("reference", "1001", "iss_wrong", "https://other-issuer.example"),
        ("epic", "e1001", "iss_sent", "ORIGIN/epic/oauth2"),
        ("epic", "e1001", "iss_fhir_base", "ORIGIN/epic/api/FHIR/R4"),
    ],
)
def test_the_issuer_in_the_answer_can_be_missing_or_another(
    sandbox: RunningSandbox, ehr: str, patient: str, fault: str, iss: str | None
) -> None:
    """B23: for A21."""
    back = answer(App(sandbox, ehr, patient, faults=[fault]).authorize())
    assert back.get("iss") == (iss.replace("ORIGIN", sandbox.origin) if iss else None)
    assert back["code"]


@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [
        ("state_wrong", "state", "not-your-state"),
        ("state_missing", "state", None),
        ("code_missing", "code", None),
        ("code_wrong", "code", "not-a-code"),
    ],
)
def test_state_and_code_can_come_back_wrong_or_not_at_all(
    sandbox: RunningSandbox, fault: str, name: str, value: str | None
) -> None:
    """B23: for A17."""
    assert answer(App(sandbox, faults=[fault]).authorize()).get(name) == value


@pytest.mark.parametrize("destination", ["iframe", "frame"])
def test_a_framed_sign_in_that_refuses_frames_gives_a_page_and_no_code(
    sandbox: RunningSandbox, destination: str
) -> None:
    """B23."""
    app = App(sandbox, faults=["frame_refused"])
    framed = app.authorize(headers={"Sec-Fetch-Dest": destination})
    assert framed.status_code == 200
    assert framed.headers["X-Frame-Options"] == "DENY"
    assert framed.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    alone = app.authorize(headers={"Sec-Fetch-Dest": "document"})
    assert answer(alone)["code"], "in a window of its own the launch goes on"


def test_ecw_refuses_frames_without_any_knob(sandbox: RunningSandbox) -> None:
    """B23."""
    app = App(sandbox, "ecw", "w1001", scope="launch openid fhirUser user/Patient.rs")
    assert app.authorize(headers={"Sec-Fetch-Dest": "iframe"}).headers["X-Frame-Options"] == "DENY"
    app.launched()
    assert app.fhir("GET", "Patient/w1001").status_code == 200
    assert app.fhir("POST", "DocumentReference", app.note()).status_code in (403, 405)


def _scopes(sandbox: RunningSandbox, scope: str, *faults: str | dict[str, Any]) -> list[str]:
    return str(App(sandbox, scope=scope, faults=list(faults)).launched().grant.get("scope", "")).split()


def test_named_scopes_can_be_dropped_by_name_and_by_pattern(sandbox: RunningSandbox) -> None:
    """B23, B21: for A26, A27."""
    asked = "launch openid fhirUser user/Patient.rs user/DocumentReference.crs user/Provenance.crs"
    drop = {"fault": "scopes_dropped", "options": {"scopes": ["fhirUser", "*/Prov*"]}}
    assert _scopes(sandbox, asked, drop) == ["launch", "openid", "user/Patient.rs", "user/DocumentReference.crs"]


def test_all_writes_can_be_dropped_and_the_ehr_then_refuses_them(sandbox: RunningSandbox) -> None:
    """B23, B21: for A27."""
    asked = "launch user/Patient.rs user/DocumentReference.crs user/Provenance.c"
    app = App(sandbox, scope=asked, faults=["scopes_without_writes"]).launched()
    assert app.grant["scope"].split() == ["launch", "user/Patient.rs", "user/DocumentReference.rs"]
    assert app.fhir("POST", "DocumentReference", app.note()).status_code == 403


@pytest.mark.parametrize(
    ("fault", "granted"),
    [
        ("scopes_widened", ["launch", "user/Patient.rs", "user/DocumentReference.crs", "user/*.cruds"]),
        ("scopes_v1", ["launch", "user/Patient.read", "user/DocumentReference.read", "user/DocumentReference.write"]),
        ("scopes_v2", ["launch", "user/Patient.rs", "user/DocumentReference.crs"]),
        ("scopes_mixed_case", ["launch", "user/Patient.Rs", "user/DocumentReference.Crs"]),
        ("scopes_none", []),
    ],
)
def test_what_is_granted_can_be_more_or_spelled_otherwise(
    sandbox: RunningSandbox, fault: str, granted: list[str]
) -> None:
    """B23, B21: for A26, A28."""
    assert _scopes(sandbox, "launch user/Patient.rs user/DocumentReference.crs", fault) == granted


def test_a_refresh_can_grant_less_than_the_launch_did(sandbox: RunningSandbox) -> None:
    """B23, B18: for A52."""
    less = {"fault": "scopes_without_writes", "interaction": "refresh"}
    app = App(sandbox, scope="launch offline_access user/DocumentReference.crs", faults=[less]).launched()
    assert "user/DocumentReference.crs" in app.grant["scope"].split()
    refreshed = app.refresh(app.grant["refresh_token"]).json()
    assert refreshed["scope"].split() == ["launch", "offline_access", "user/DocumentReference.rs"]


def test_pkce_can_be_demanded_taken_if_sent_or_never_looked_at(sandbox: RunningSandbox) -> None:
    """B23, B17."""
    none: dict[str, None] = {"code_challenge": None, "code_challenge_method": None}
    assert answer(App(sandbox).authorize(**none))["error"] == "invalid_request"
    auto = App(sandbox, faults=["pkce_auto"])
    assert auto.redeem(auto.code(**none), code_verifier=None).status_code == 200
    auto = App(sandbox, faults=["pkce_auto"])
    assert auto.redeem(auto.code(), code_verifier="x" * 64).status_code == 400
    never = App(sandbox, faults=["pkce_none"])
    assert never.redeem(never.code(), code_verifier="x" * 64).status_code == 200


def test_authorize_can_be_slow_or_down(sandbox: RunningSandbox) -> None:
    """B23."""
    assert App(sandbox, faults=["answer_500@authorize"]).authorize().status_code == 500
    late = App(sandbox, faults=[{"fault": "slow", "interaction": "authorize", "seconds": 0.01}])
    assert answer(late.authorize())["code"]
