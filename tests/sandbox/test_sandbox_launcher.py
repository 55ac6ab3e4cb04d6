"""The launcher: one address holds a whole launch, its faults too, and no other launch is touched by them."""

import pytest
import requests

from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import TIMEOUT, App, answer


def test_two_launches_at_once_each_meet_their_own_faults(sandbox: RunningSandbox) -> None:
    """B23."""
    spoiled = App(sandbox, faults=["token_without_encounter", "answer_500@read"])
    healthy = App(sandbox, faults=["answer_409@search"])
    plain = App(sandbox)
    for app in (plain, spoiled, healthy):
        app.launched()
    assert "encounter" not in spoiled.grant
    assert "encounter" in healthy.grant
    assert "encounter" in plain.grant
    expected = {"spoiled": (spoiled, 500, 200), "healthy": (healthy, 200, 409), "plain": (plain, 200, 200)}
    for app, read, search in expected.values():
        assert app.fhir("GET", "Patient/1001").status_code == read
        assert app.fhir("GET", "Condition?patient=1001").status_code == search
    assert sandbox.qa("reference", "faults")["armed"] == []


def test_a_launchs_fault_by_name_stays_on_and_one_as_a_mapping_counts_down(sandbox: RunningSandbox) -> None:
    """B23."""
    app = App(sandbox, faults=["answer_500@read"]).launched()
    assert [app.fhir("GET", "Patient/1001").status_code for _ in range(3)] == [500, 500, 500]
    twice = {"fault": "answer_500", "interaction": "read", "times": 2}
    app = App(sandbox, faults=[twice]).launched()
    assert [app.fhir("GET", "Patient/1001").status_code for _ in range(3)] == [500, 500, 200]


def test_a_launchs_fault_follows_its_refreshed_tokens(sandbox: RunningSandbox) -> None:
    """B23."""
    app = App(sandbox, faults=["answer_409@create"]).launched()
    app.grant |= app.refresh(app.grant["refresh_token"]).json()
    assert app.fhir("POST", "DocumentReference", app.note()).status_code == 409


def test_faults_that_are_settings_combine_with_others(sandbox: RunningSandbox) -> None:
    """B23."""
    sandbox.arm("reference", fault="scopes_without_writes")
    sandbox.arm("reference", fault="state_wrong")
    app = App(sandbox)
    back = answer(app.authorize())
    assert back["state"] == "not-your-state"
    assert ".cruds" not in app.redeem(back["code"]).json()["scope"]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"patient": "nobody"}, "No patient here has the id nobody"),
        ({"user": "nobody"}, "Nobody here has the id nobody"),
        ({"encounter": "never"}, "No visit here has the id never"),
        ({"client": "nothing"}, "No app nothing is registered here"),
        ({"type": "sideways"}, "type is one of ehr, standalone"),
        ({"fault": "catch_fire"}, "no such knob: catch_fire"),
        ({"fault": "{broken"}, "This is not a fault: {broken"),
        ({"fault": "discovery_huge"}, "no request says which launch it is for"),
    ],
)
def test_an_address_that_cannot_be_is_answered_in_words(
    sandbox: RunningSandbox, choice: dict[str, str], said: str
) -> None:
    """B23."""
    for method, path in (("GET", "launcher"), ("GET", "launcher/open"), ("POST", "launcher")):
        url = f"{sandbox.local}/reference/{path}"
        reply = requests.request(method, url, params=choice, timeout=TIMEOUT, allow_redirects=False)
        assert reply.status_code == 422
        assert said in reply.text


def test_the_address_opens_the_app_in_a_window_or_in_a_frame(sandbox: RunningSandbox) -> None:
    """B23, B15."""
    url = f"{sandbox.local}/reference/launcher/open"
    choice = {"patient": "1001", "client": "secret-app"}
    window = requests.get(url, params=choice, timeout=TIMEOUT, allow_redirects=False)
    assert window.status_code == 303
    assert window.headers["Location"].startswith("http://app.localhost:1/launch?iss=")
    framed = requests.get(url, params={**choice, "window": "frame"}, timeout=TIMEOUT)
    assert 'src="http://app.localhost:1/launch?iss=' in framed.text


def test_several_patients_are_chosen_from_at_the_sign_in(sandbox: RunningSandbox) -> None:
    """B15."""
    app = App(sandbox, opened=sandbox.launch_url("reference", ["1001", "1003"]))
    page = app.authorize()
    assert "Rivera, Ana" in page.text
    assert "Ortega, " not in page.text
    chosen = {"sign-in-patient": "1003", "sign-in-decision": "approve"}
    back = answer(app.authorize("POST", **chosen))
    assert back["state"] == "a state with spaces & signs"
    assert app.redeem(back["code"]).json()["patient"] == "1003"
    assert answer(app.authorize("POST", **chosen))["error"] == "invalid_request", "a launch opens a chart once"


def test_a_patient_that_was_not_offered_cannot_be_chosen(sandbox: RunningSandbox) -> None:
    """B15."""
    app = App(sandbox, opened=sandbox.launch_url("reference", ["1001", "1003"]))
    back = answer(app.authorize("POST", **{"sign-in-patient": "1002", "sign-in-decision": "approve"}))
    assert back["error"] == "invalid_request"


def test_login_and_approval_can_be_asked_and_denied(sandbox: RunningSandbox) -> None:
    """B15: for A65."""
    opened = sandbox.launch_url("reference", "1001", login="show", approval="show")
    app = App(sandbox, opened=opened)
    page = app.authorize().text
    assert "user/*.cruds" in page
    assert "sign-in-user" in page
    assert answer(app.authorize("POST", **{"sign-in-decision": "deny"}))["error"] == "access_denied"
    chosen = {"sign-in-user": "dr-2", "sign-in-decision": "approve"}
    app.grant = app.redeem(answer(app.authorize("POST", **chosen))["code"]).json()
    assert sandbox.qa("reference", "tokens")[-1]["subject"] == "dr-2"


@pytest.mark.parametrize(("wish", "found"), [("automatic", True), ("none", False), ("1003-v2", True)])
def test_the_visit_is_the_open_one_none_or_the_one_that_was_named(
    sandbox: RunningSandbox, wish: str, found: bool
) -> None:
    """B21."""
    app = App(sandbox, opened=sandbox.launch_url("reference", "1003", encounter=wish)).launched()
    assert ("encounter" in app.grant) == found
    if wish == "1003-v2":
        assert app.grant["encounter"] == wish


def test_faults_of_the_whole_ehr_are_switched_on_the_page_without_scripts(sandbox: RunningSandbox) -> None:
    """B23."""
    url = f"{sandbox.local}/reference/launcher"
    on = {"fault": "clock_offset", "seconds": "-90", "times": "always", "kept": "patient=1001"}
    back = requests.post(f"{url}/faults", data=on, timeout=TIMEOUT, allow_redirects=False)
    assert back.headers["Location"] == f"{sandbox.origin}/reference/launcher?patient=1001#faults"
    armed = sandbox.qa("reference", "faults")["armed"]
    assert [(fault["fault"], fault["interaction"], fault["times"]) for fault in armed] == [
        ("clock_offset", "any", None)
    ]
    assert "clock is as many seconds ahead" in requests.get(url, timeout=TIMEOUT).text
    requests.post(f"{url}/faults", data={"off": "clock_offset"}, timeout=TIMEOUT, allow_redirects=False)
    assert sandbox.qa("reference", "faults")["armed"] == []
    wrong = requests.post(f"{url}/faults", data={"fault": "catch_fire"}, timeout=TIMEOUT)
    assert wrong.status_code == 422
    assert "no such knob: catch_fire" in wrong.text


def test_a_fault_by_chance_and_a_persons_edit_are_set_on_the_page_without_scripts(sandbox: RunningSandbox) -> None:
    """B23: resource type, request number, probability and seed; then what a person does in the chart."""
    url = f"{sandbox.local}/reference/launcher"
    chance = {"probability": "0.25", "seed": "7", "from_request": "3", "resource_type": "Task", "times": "always"}
    on = {"fault": "random", "drawn": ["commit_then_500", "answer_429"], **chance}
    requests.post(f"{url}/faults", data=on, timeout=TIMEOUT, allow_redirects=False).raise_for_status()
    shown = requests.get(url, timeout=TIMEOUT).text
    assert "One of: commit_then_500, answer_429" in shown
    assert "probability 0.25 by seed 7" in shown
    sandbox.clear_faults("reference")
    app = App(sandbox).launched()
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    said = {"action": "amend", "resource": f"DocumentReference/{note['id']}", "by": "dr-2", "text": "", "into": ""}
    back = requests.post(f"{url}/edits", data=said, timeout=TIMEOUT, allow_redirects=False)
    assert back.headers["Location"] == f"{sandbox.origin}/reference/launcher#edits"
    assert f"DocumentReference/{note['id']}, version 2" in requests.get(url, timeout=TIMEOUT).text
    wrong = requests.post(f"{url}/edits", data={"action": "sign", "resource": "Task/none"}, timeout=TIMEOUT)
    assert wrong.status_code == 422
    assert "Nothing was changed" in wrong.text
