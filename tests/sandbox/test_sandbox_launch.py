from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import SECRET, TIMEOUT, App, answer, challenge


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_b15_a_launch_gets_a_code_and_its_exact_state_back(sandbox: RunningSandbox, method: str) -> None:
    """B15."""
    app = App(sandbox)
    assert app.opened["iss"] == f"{sandbox.origin}/reference/fhir"
    assert len(app.opened["launch"]) > 20
    back = answer(app.authorize(method))
    assert back["state"] == "a state with spaces & signs"
    assert back["code"]


def test_a_clinician_who_was_hired_while_the_ehr_runs_opens_charts(sandbox: RunningSandbox) -> None:
    hired = sandbox.hire("reference", "Dr. Ada King Lovelace")
    assert hired["name"] == [
        {"text": "Dr. Ada King Lovelace", "prefix": ["Dr."], "given": ["Ada", "King"], "family": "Lovelace"}
    ]
    app = App(sandbox, choice={"user": hired["id"]})
    app.redeem(app.code())
    assert sandbox.qa("reference", "tokens")[-1]["fhir_user"] == f"Practitioner/{hired['id']}"


@pytest.mark.parametrize(
    "spoiled",
    [
        {"aud": "http://ehr.localhost/other/fhir"},
        {"aud": None},
        {"launch": "not-a-launch"},
        {"launch": None},
        {"state": None},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"response_type": "token"},
        {"scope": "openid fhirUser"},
    ],
    ids=lambda spoiled: "-".join(f"{name}={value}" for name, value in spoiled.items()),
)
def test_b17_a_bad_authorize_request_gets_an_error_and_no_code(
    sandbox: RunningSandbox, spoiled: dict[str, str | None]
) -> None:
    """B17."""
    back = answer(App(sandbox).authorize(**spoiled))
    assert back["error"]
    assert "code" not in back


@pytest.mark.parametrize("spoiled", [{"client_id": "nobody"}, {"redirect_uri": "http://evil.example/"}])
def test_b17_an_unknown_client_or_redirect_is_never_redirected_to(
    sandbox: RunningSandbox, spoiled: dict[str, str]
) -> None:
    """B17."""
    reply = App(sandbox).authorize(**spoiled)
    assert reply.status_code in (400, 401)
    assert "Location" not in reply.headers


def test_a_launch_token_opens_the_chart_once(sandbox: RunningSandbox) -> None:
    """B15."""
    app = App(sandbox)
    assert "code" in answer(app.authorize())
    assert answer(app.authorize())["error"] == "invalid_request"


@pytest.mark.parametrize(
    "verifier",
    [None, "too-short", "x" * 64, challenge("x" * 64)],
    ids=["missing", "short", "another", "challenge-itself"],
)
def test_b17_a_bad_verifier_gets_no_token(sandbox: RunningSandbox, verifier: str | None) -> None:
    """B17."""
    app = App(sandbox)
    reply = app.redeem(app.code(), code_verifier=verifier)
    assert reply.status_code in (400, 401)
    assert "access_token" not in reply.json()


@pytest.mark.parametrize("spoiled", [{"code": "not-a-code"}, {"redirect_uri": "http://app.localhost:1/other"}])
def test_b17_a_wrong_code_or_redirect_gets_no_token(sandbox: RunningSandbox, spoiled: dict[str, str]) -> None:
    """B17."""
    app = App(sandbox)
    changes = dict(spoiled)
    code = changes.pop("code", None) or app.code()
    assert app.redeem(code, **changes).status_code in (400, 401)


def test_b17_another_client_cannot_redeem_a_code(sandbox: RunningSandbox) -> None:
    """B17."""
    app = App(sandbox)
    code = app.code()
    app.client_id = "public-app"
    assert app.redeem(code).status_code in (400, 401)


def test_b17_a_wrong_secret_gets_401(sandbox: RunningSandbox) -> None:
    """B17."""
    app = App(sandbox)
    form = {"grant_type": "authorization_code", "code": app.code(), "code_verifier": app.verifier}
    reply = requests.post(app.endpoint("token"), data=form, auth=("secret-app", SECRET + "x"), timeout=TIMEOUT)
    assert reply.status_code == 401


def test_a_code_used_twice_ends_the_tokens_of_its_first_use(sandbox: RunningSandbox) -> None:
    """B23."""
    app = App(sandbox)
    code = app.code()
    app.grant = app.redeem(code).json()
    assert app.fhir("GET", "Patient/1001").status_code == 200
    assert app.redeem(code).json()["error"] == "invalid_grant"
    assert app.fhir("GET", "Patient/1001").status_code == 401


def test_of_ten_simultaneous_redemptions_one_succeeds(sandbox: RunningSandbox) -> None:
    """B23."""
    app = App(sandbox)
    code = app.code()
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: app.redeem(code).status_code, range(10)))
    assert statuses.count(200) == 1


def test_the_chosen_user_and_visit_are_what_the_token_says(sandbox: RunningSandbox) -> None:
    app = App(sandbox, patient="1003", choice={"user": "dr-2", "encounter": "1003-v2"}).launched()
    assert (app.grant["patient"], app.grant["encounter"]) == ("1003", "1003-v2")
    newest = sandbox.qa("reference", "tokens")[-1]
    assert newest["fhir_user"] == "Practitioner/dr-2"
    assert newest["encounter"] == "1003-v2"


def test_a_chart_without_an_open_visit_launches_without_encounter(sandbox: RunningSandbox) -> None:
    app = App(sandbox, patient="1006").launched()
    assert app.grant["patient"] == "1006"
    assert "encounter" not in app.grant
