"""The authorization response: believed from the right browser, tenant, moment and server, and only once."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from launch_harness import Harness, query_of, registration_for
from small_ehr import SmallEHR
from werkzeug.test import TestResponse

from launch.callback import REFUSALS

TOKEN = "/oauth2/token"


def refused(answer: TestResponse, ehr: SmallEHR, code: str) -> dict[str, Any]:
    assert answer.json["code"] == code, answer.json
    assert 400 <= answer.status_code < 500
    assert not ehr.requests_to(TOKEN)
    return answer.json


def test_a_callback_without_state_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A17."""
    for query in ("", "code=x", "state=", "state=a&state=b", "error=access_denied", "state=%ff"):
        refused(harness.browser().get(f"/callback/clinic?{query}"), ehr, "malformed_request")


def test_a_foreign_state_is_refused_with_code_or_error(harness: Harness, ehr: SmallEHR) -> None:
    """A17: errors included."""
    browser = harness.browser()
    for rest in ({"code": "x"}, {"error": "access_denied"}):
        refused(browser.get("/callback/clinic", query_string={"state": "foreign", **rest}), ehr, "state_refused")


def test_a_state_works_once(harness: Harness, ehr: SmallEHR) -> None:
    """A17, A22: the back button says that it was used."""
    browser = harness.browser()
    returned = ehr.authorize(harness.launch(browser, ehr).location)
    assert browser.get("/callback/clinic", query_string=returned).status_code == 303

    again = browser.get("/callback/clinic", query_string=returned)

    assert again.json["code"] == "state_refused"
    assert "used" in again.json["what_happened"]
    assert len(ehr.requests_to(TOKEN)) == 1


def test_twenty_callbacks_at_once_cause_one_token_request(harness: Harness, ehr: SmallEHR) -> None:
    """A22."""
    browser = harness.browser()
    started = harness.launch(browser, ehr)
    returned = ehr.authorize(started.location)
    cookie = started.headers["Set-Cookie"].split(";")[0]
    answers: list[int] = []

    def call_back() -> None:
        own = harness.app.test_client(use_cookies=False)
        answers.append(own.get("/callback/clinic", query_string=returned, headers={"Cookie": cookie}).status_code)

    threads = [threading.Thread(target=call_back) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [303] + [400] * 19
    assert len(ehr.requests_to(TOKEN)) == 1


def test_a_late_callback_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A17: ten minutes."""
    browser = harness.browser()
    returned = ehr.authorize(harness.launch(browser, ehr).location)
    harness.clock.ahead = timedelta(minutes=10)

    refused(browser.get("/callback/clinic", query_string=returned), ehr, "launch_expired")


def test_another_browser_cannot_finish_a_launch_and_burns_it(harness: Harness, ehr: SmallEHR) -> None:
    """A17, A71: an attacker's launch does not attach to a victim's browser."""
    attacker, victim = harness.browser(), harness.browser()
    returned = ehr.authorize(harness.launch(attacker, ehr).location)
    harness.launch(victim, ehr)

    page = refused(victim.get("/callback/clinic", query_string=returned), ehr, "browser_mismatch")
    assert "cookie" in page["what_happened"]
    refused(attacker.get("/callback/clinic", query_string=returned), ehr, "state_refused")


def test_a_tampered_cookie_is_another_browser(harness: Harness, ehr: SmallEHR) -> None:
    """A17."""
    started = harness.launch(harness.browser(), ehr)
    returned = ehr.authorize(started.location)
    name = started.headers["Set-Cookie"].split("=")[0]
    answer = harness.app.test_client(use_cookies=False).get(
        "/callback/clinic", query_string=returned, headers={"Cookie": f"{name}=guess"}
    )

    refused(answer, ehr, "browser_mismatch")


def test_the_callback_of_one_tenant_refuses_the_state_of_another(harness: Harness, ehr: SmallEHR) -> None:
    """A15, A17: mix-up defence."""
    harness.registrations.all.append(registration_for(ehr, tenant_id="hospital"))
    browser = harness.browser()
    returned = ehr.authorize(harness.launch(browser, ehr, "/launch/clinic").location)

    page = refused(browser.get("/callback/hospital", query_string=returned), ehr, "state_refused")
    assert page["tenant"] == "hospital"


def test_a_redirect_uri_changed_meanwhile_ends_the_launch(harness: Harness, ehr: SmallEHR) -> None:
    """A17: bound to the redirect URI as well."""
    browser = harness.browser()
    returned = ehr.authorize(harness.launch(browser, ehr).location)
    harness.registrations.all = [registration_for(ehr, redirect_uri="http://app.localhost/callback/new")]

    refused(browser.get("/callback/clinic", query_string=returned), ehr, "state_refused")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_fhir_base_changed_meanwhile_ends_the_launch_before_any_request(
    harness: Harness, ehr: SmallEHR, slash: str
) -> None:
    """A17, A23: the code, the verifier and our secret go to the server that was asked for them, or nowhere."""
    browser, other = harness.browser(), SmallEHR()
    returned = ehr.authorize(harness.launch(browser, ehr).location)
    sent = len(ehr.requests)
    harness.registrations.all = [registration_for(ehr, fhir_base=f"{ehr.base}/" if slash else other.base)]
    try:
        page = refused(browser.get("/callback/clinic", query_string=returned), ehr, "state_refused")
    finally:
        other.stop()

    assert "FHIR base" in page["detail"]
    assert (len(ehr.requests), other.requests) == (sent, [])


def test_a_client_id_changed_meanwhile_ends_the_launch_before_any_request(harness: Harness, ehr: SmallEHR) -> None:
    """A17, A23."""
    browser = harness.browser()
    returned = ehr.authorize(harness.launch(browser, ehr).location)
    sent = len(ehr.requests)
    harness.registrations.all = [registration_for(ehr, client_id="another")]

    page = refused(browser.get("/callback/clinic", query_string=returned), ehr, "state_refused")
    assert "client id" in page["detail"]
    assert len(ehr.requests) == sent


def test_a_token_endpoint_changed_meanwhile_gets_no_code(harness: Harness, ehr: SmallEHR) -> None:
    """A17, A23: the sign-in was at a server that named another one."""
    browser = harness.browser()
    returned = ehr.authorize(harness.launch(browser, ehr).location)
    ehr.configuration_changes = {"token_endpoint": f"{ehr.origin}/elsewhere/token"}
    harness.registrations.all = [registration_for(ehr, encounter_required=False)]  # what is cached is void

    page = refused(browser.get("/callback/clinic", query_string=returned), ehr, "state_refused")
    assert "token endpoint" in page["detail"]
    assert not ehr.requests_to("/elsewhere/token")


def test_an_unknown_tenant_has_no_callback(harness: Harness, ehr: SmallEHR) -> None:
    """A15."""
    answer = harness.browser().get("/callback/nobody?state=x&code=y")

    assert (answer.status_code, answer.json["code"], answer.json["tenant"]) == (404, "unknown_tenant", None)


def test_the_cookie_is_cleared_by_every_answer(harness: Harness, ehr: SmallEHR) -> None:
    """E02: on success and on refusal, with the attributes it was set with."""
    for changes in ({}, {"error": "access_denied"}, {"iss": "https://evil.example"}):
        answer = harness.complete(harness.browser(), ehr, **changes)
        [cookie] = answer.headers.getlist("Set-Cookie")
        assert cookie.startswith("__Host-countersign-tx-")
        assert "Max-Age=0" in cookie
        assert "Partitioned" in cookie


@pytest.mark.parametrize("name", ["next", "redirect", "redirect_uri", "url", "patient", "encounter"])
def test_other_parameters_are_ignored(harness: Harness, ehr: SmallEHR, name: str) -> None:
    """A19, A33: no open redirect, no context from the URL."""
    answer = harness.complete(harness.browser(), ehr, **{name: "https://evil.example/"})

    assert answer.location == "/charts/the-launch/"
    assert harness.completed[0].context.patient == "pat-1"


def test_the_issuer_must_come_back_where_the_server_promised_it(harness: Harness, ehr: SmallEHR) -> None:
    """A21: RFC 9207; absent, wrong, and the FHIR base, which is another thing."""
    ehr.configuration_changes = {"authorization_response_iss_parameter_supported": True}

    refused(harness.complete(harness.browser(), ehr), ehr, "issuer_mismatch")
    refused(harness.complete(harness.browser(), ehr, iss="https://evil.example"), ehr, "issuer_mismatch")
    refused(harness.complete(harness.browser(), ehr, iss=ehr.base), ehr, "issuer_mismatch")
    refused(harness.complete(harness.browser(), ehr, code="", error="x", iss=ehr.base), ehr, "malformed_request")
    assert harness.complete(harness.browser(), ehr, iss=ehr.issuer).status_code == 303


def test_a_wrong_issuer_is_fatal_even_where_none_was_promised(harness: Harness, ehr: SmallEHR) -> None:
    """A21."""
    refused(harness.complete(harness.browser(), ehr, iss="https://evil.example"), ehr, "issuer_mismatch")


@pytest.mark.parametrize("error", [*REFUSALS, "made_up", "<script>alert(1)</script>"])
def test_each_refusal_of_the_ehr_gets_words_of_ours(harness: Harness, ehr: SmallEHR, error: str) -> None:
    """A65: the codes of RFC 6749 4.1.2.1; the description is untrusted and never shown."""
    browser = harness.browser()
    state = query_of(harness.launch(browser, ehr).location)["state"]
    answer = browser.get(
        "/callback/clinic",
        query_string={"state": state, "error": error, "error_description": "<script>steal()</script>"},
    )

    page = refused(answer, ehr, "authorization_denied")
    assert page["what_happened"]
    assert page["what_to_do"]
    assert "script" not in answer.text


def test_a_response_with_both_code_and_error_is_refused(harness: Harness, ehr: SmallEHR) -> None:
    """A65."""
    refused(harness.complete(harness.browser(), ehr, error="access_denied"), ehr, "malformed_request")


@pytest.mark.parametrize("code", ["", "a\r\nb", "ü", "x" * 20_000])
def test_a_code_that_no_server_issues_is_not_sent_anywhere(harness: Harness, ehr: SmallEHR, code: str) -> None:
    """A17, A23."""
    refused(harness.complete(harness.browser(), ehr, code=code), ehr, "malformed_request")
