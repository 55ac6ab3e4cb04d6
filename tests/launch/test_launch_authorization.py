"""The launch request and the authorization request that it leads to."""

import base64
import hashlib
import threading
from typing import Any
from urllib.parse import quote

import pytest
from launch_harness import SCOPES, Harness, ListedRegistrations, query_of, registration_for
from small_ehr import CLIENT_ID, SmallEHR

from launch.transaction import digest


@pytest.mark.parametrize(
    "query",
    [
        "",
        "iss={base}",
        "launch=x",
        "iss=&launch=x",
        "iss={base}&launch=",
        "iss={base}&iss={base}&launch=x",
        "iss={base}&iss=https://evil.example&launch=x",
        "iss={base}&launch=x&launch=y",
        "iss={base}&launch=%ff%fe",
        "iss={base}&launch=" + "x" * 20_000,
        "iss={base}&launch=x" + "&a=b" * 60,
    ],
)
def test_a_launch_with_missing_or_repeated_parameters_sends_nothing(
    harness: Harness, ehr: SmallEHR, query: str
) -> None:
    """A08."""
    answer = harness.browser().get("/launch?" + query.format(base=quote(ehr.base)))

    assert (answer.status_code, answer.json["code"]) == (400, "malformed_request")
    assert not ehr.requests


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example/fhir",
        "http://169.254.169.254/latest/meta-data",
        "{base}@evil.example",
        "{base}/../other",
        "{base}//",
        "{base}#",
        "{base}\r\nHost: evil.example",
        "file:///etc/passwd",
        "not a url",
        "\u0435hr.example",
    ],
)
def test_an_unregistered_issuer_is_never_contacted(harness: Harness, ehr: SmallEHR, issuer: str) -> None:
    """A08, E14: the tenant check comes before any request."""
    answer = harness.launch(harness.browser(), ehr, iss=issuer.format(base=ehr.base))

    assert (answer.status_code, answer.json["code"]) == (403, "unknown_issuer")
    assert answer.json["tenant"] is None
    assert not ehr.requests
    assert "evil" not in answer.text


@pytest.mark.parametrize("launch", ["a+b/c=d%e f", "x" * 4096, "%2B&=#", "ü", "eyJhbGciOiJub25lIn0.e30."])
def test_the_launch_value_is_echoed_as_it_came(harness: Harness, ehr: SmallEHR, launch: str) -> None:
    """A09: opaque, whatever characters or length."""
    answer = harness.launch(harness.browser(), ehr, launch=launch)

    assert query_of(answer.location)["launch"] == launch


def test_the_authorization_request_holds_exactly_what_smart_asks_for(harness: Harness, ehr: SmallEHR) -> None:
    """A10, A18, A43, A46: the golden request; no max_age."""
    answer = harness.launch(harness.browser(), ehr)

    asked = query_of(answer.location)
    assert answer.status_code == 303
    assert answer.location.startswith(f"{ehr.origin}/oauth2/authorize?")
    assert set(asked) == {
        "response_type", "client_id", "redirect_uri", "scope", "state",
        "launch", "aud", "nonce", "code_challenge", "code_challenge_method",
    }  # fmt: skip
    assert asked["response_type"] == "code"
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == "http://app.localhost/callback/clinic"
    assert asked["scope"] == " ".join(SCOPES)
    assert asked["code_challenge_method"] == "S256"


@pytest.mark.parametrize("slash", ["", "/"])
def test_aud_is_the_very_iss_of_the_launch(harness: Harness, ehr: SmallEHR, slash: str) -> None:
    """A11: servers compare it letter by letter, so a trailing slash stays as it came."""
    answer = harness.launch(harness.browser(), ehr, iss=ehr.base + slash)

    assert query_of(answer.location)["aud"] == ehr.base + slash


def test_state_and_verifier_are_fresh_random_and_stay_apart(harness: Harness, ehr: SmallEHR) -> None:
    """A14, A16, A18: 256 bits each; the verifier leaves the server only for the token endpoint."""
    browser = harness.browser()
    answers = [harness.launch(browser, ehr) for _ in range(5)]
    states = {query_of(answer.location)["state"] for answer in answers}

    assert len(states) == len(harness.transactions.waiting) == 5
    for answer in answers:
        asked = query_of(answer.location)
        transaction = harness.transactions.waiting[digest(asked["state"])]
        verifier = transaction.code_verifier
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        assert len(base64.urlsafe_b64decode(asked["state"] + "=")) == 32
        assert 43 <= len(verifier) <= 128
        assert asked["code_challenge"] == challenge
        assert verifier not in str(answer.headers) + answer.text + repr(transaction)
        assert asked["state"] not in repr(transaction)


def test_the_browser_gets_one_partitioned_cookie_per_launch(harness: Harness, ehr: SmallEHR) -> None:
    """E02: golden Set-Cookie; its value says nothing about the state."""
    answer = harness.launch(harness.browser(), ehr)

    [cookie] = answer.headers.getlist("Set-Cookie")
    name_and_value, *attributes = cookie.split("; ")
    name, value = name_and_value.split("=", 1)
    state = query_of(answer.location)["state"]
    assert name == f"__Host-countersign-tx-{digest(state)[:10]}"
    assert digest(value) == harness.transactions.waiting[digest(state)].browser_digest
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned", "Max-Age=600"} <= set(attributes)
    assert not any(attribute.startswith("Domain") for attribute in attributes)


def test_answers_of_the_room_are_neither_stored_nor_referred(harness: Harness, ehr: SmallEHR) -> None:
    """A20: also on errors and after the callback."""
    browser = harness.browser()
    for answer in (
        harness.launch(browser, ehr),
        browser.get("/launch"),
        browser.get("/callback/clinic?code=x"),
        harness.complete(browser, ehr),
    ):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_server_without_v2_permissions_is_asked_in_v1(harness: Harness, ehr: SmallEHR) -> None:
    """A28."""
    ehr.configuration_changes = {"capabilities": ["launch-ehr", "sso-openid-connect", "permission-v1"]}

    answer = harness.launch(harness.browser(), ehr)

    assert query_of(answer.location)["scope"] == ("launch openid fhirUser user/Patient.read user/DocumentReference.*")


def test_ten_launches_at_once_in_one_browser_all_complete(harness: Harness, ehr: SmallEHR) -> None:
    """A69, A70: nothing is kept in a shared session cookie."""
    ehr.token_changes = {"encounter": None, "id_token": None}
    harness.registrations.all = [registration_for(ehr, encounter_required=False)]
    browser = harness.browser()
    started = [harness.launch(browser, ehr, launch=f"launch-{number}") for number in range(10)]

    for answer in reversed(started):
        returned = ehr.authorize(answer.location)
        ehr.token_changes = {"patient": f"patient-of-{query_of(answer.location)['launch']}"}
        assert browser.get("/callback/clinic", query_string=returned).status_code == 303

    patients = [completed.context.patient for completed in harness.completed]
    assert patients == [f"patient-of-launch-{number}" for number in reversed(range(10))]


def test_launches_in_parallel_threads_do_not_disturb_each_other(harness: Harness, ehr: SmallEHR) -> None:
    """A70."""
    answers: list[Any] = []

    def launch() -> None:
        answers.append(harness.launch(harness.browser(), ehr))

    threads = [threading.Thread(target=launch) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} == {303}
    assert len(harness.transactions.waiting) == 10


def test_the_registration_of_each_issuer_decides_its_redirect_uri(harness: Harness, ehr: SmallEHR) -> None:
    """A15: one redirect URI per issuer."""
    second = SmallEHR()
    try:
        harness.registrations.all.append(
            registration_for(second, tenant_id="hospital", redirect_uri="http://app.localhost/callback/hospital")
        )
        answer = harness.launch(harness.browser(), second)
    finally:
        second.stop()

    assert query_of(answer.location)["redirect_uri"] == "http://app.localhost/callback/hospital"


def test_a_registry_is_asked_for_the_issuer_only(ehr: SmallEHR) -> None:
    """A08: tenants of a registry without this EHR cannot be reached by guessing."""
    harness = Harness(ListedRegistrations())

    assert harness.launch(harness.browser(), ehr).json["code"] == "unknown_issuer"
