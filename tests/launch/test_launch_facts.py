"""What a launch leaves behind for the administrator: how far it came and why it stopped, and nothing secret."""

import json

import pytest
from launch_harness import SCOPES, Harness, registration_for
from small_ehr import SmallEHR, as_json

from launch.facts import LaunchFacts, shown_issuer


def test_a_completed_launch_leaves_what_was_asked_and_what_was_granted(harness: Harness, ehr: SmallEHR) -> None:
    """A26, E21: names of scopes, registered addresses, how the browser behaved."""
    harness.complete(harness.browser(), ehr)

    assert harness.facts[-1] == LaunchFacts(
        step="completed",
        kind="ehr",
        tenant_id="clinic",
        issuer=ehr.base,
        is_framed=False,
        cookie_seen=True,
        redirect_uri="http://app.localhost/callback/clinic",
        authentication="none",
        requested_scopes=SCOPES,
        granted_scopes=("launch", "openid", "fhirUser", "user/Patient.rs", "user/DocumentReference.crs"),
        has_refresh_token=False,
    )
    assert harness.facts[0].step == "authorize"
    assert harness.facts[0].authorize_method == "GET"


@pytest.mark.parametrize(
    ("change", "step", "status"),
    [
        ({"token_changes": {"access_token": None}}, "token", None),
        ({"token_changes": {"id_token": "x"}}, "identity", None),
        ({"claim_changes": {"fhirUser": "Patient/1"}}, "identity", None),
        ({"token_changes": {"scope": "openid"}}, "scopes", None),
        ({"token_changes": {"patient": None}}, "context", None),
        ({"answers": {"/oauth2/token": lambda _: as_json({"error": "invalid_grant"}, 400)}}, "token", 400),
        ({"answers": {"/oauth2/keys": lambda _: as_json({}, 503)}}, "identity", 503),
        ({"answers": {"/fhir/r4/.well-known/smart-configuration": lambda _: as_json({}, 500)}}, "discovery", 500),
    ],
)
def test_a_failed_launch_says_at_which_step(
    harness: Harness, ehr: SmallEHR, change: dict[str, object], step: str, status: int | None
) -> None:
    """A04, A26, A33, A40, A66: and what the EHR answered there."""
    vars(ehr).update(change)
    browser = harness.browser()
    started = harness.launch(browser, ehr)
    if started.status_code == 303:
        browser.get("/callback/clinic", query_string=ehr.authorize(started.location))

    assert (harness.facts[-1].step, harness.facts[-1].ehr_status) == (step, status)


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("/launch", "launch"),
        ("/launch?iss=https://evil.example/fhir&launch=x", "registration"),
        ("/launch/nobody?iss=https://evil.example/fhir&launch=x", "registration"),
        ("/callback/nobody?state=x", "callback"),
        ("/callback/clinic?state=x&code=y", "callback"),
    ],
)
def test_a_launch_of_nobody_leaves_facts_too(harness: Harness, path: str, step: str) -> None:
    """A08, A17."""
    harness.browser().get(path)

    assert harness.facts[-1].step == step


def test_the_facts_hold_no_secret_and_nobody(harness: Harness, ehr: SmallEHR) -> None:
    """E01, E21: neither what came from the browser nor what came from the EHR."""
    ehr.token_changes = {"access_token": "canary-access", "refresh_token": "canary-refresh", "patient": "canary-pat"}
    ehr.claim_changes = {"sub": "canary-sub", "name": "Canary Name", "fhirUser": "Practitioner/canary-user"}
    browser = harness.browser()
    started = harness.launch(browser, ehr, launch="canary-launch")
    [transaction] = harness.transactions.waiting.values()
    returned = ehr.authorize(started.location, code="canary-code")
    assert browser.get("/callback/clinic", query_string=returned).status_code == 303

    kept = json.dumps([facts.document() for facts in harness.facts]) + repr(harness.facts)
    assert "anary" not in kept
    for secret in (returned["state"], transaction.code_verifier, transaction.nonce, transaction.state_digest):
        assert secret not in kept


@pytest.mark.parametrize(
    ("issuer", "shown"),
    [
        ("https://ehr.example/fhir/r4?token=secret#secret", "https://ehr.example/fhir/r4"),
        ("https://user:secret@ehr.example/fhir", "https://ehr.example/fhir"),
        ("https://ehr.example/" + "x" * 100_000, ("https://ehr.example/" + "x" * 200)[:200]),
        ("https://ehr.example/\r\nX-Evil: 1", ""),
        ("https://\u0435hr.example/fhir", ""),
        ("https://[::1/fhir", ""),
        ("secret", ""),
        ("", ""),
    ],
)
def test_an_unknown_issuer_is_kept_as_origin_and_path(issuer: str, shown: str) -> None:
    """A08, E16, E22."""
    assert shown_issuer(issuer) == shown


def test_a_browser_that_brings_no_cookie_is_written_down(harness: Harness, ehr: SmallEHR) -> None:
    """A17, E03."""
    returned = ehr.authorize(harness.launch(harness.browser(), ehr).location)
    harness.app.test_client(use_cookies=False).get("/callback/clinic", query_string=returned)

    assert (harness.facts[-1].step, harness.facts[-1].cookie_seen) == ("callback", False)


def test_a_refusal_of_the_ehr_is_written_down_in_the_words_of_the_specification(
    harness: Harness, ehr: SmallEHR
) -> None:
    """A65: never in the server's."""
    for sent, kept in (("access_denied", "access_denied"), ("<script>", "unrecognised")):
        browser = harness.browser()
        state = ehr.authorize(harness.launch(browser, ehr).location)["state"]
        browser.get("/callback/clinic", query_string={"state": state, "error": sent})
        assert harness.facts[-1].oauth_error == kept


def test_a_signing_client_is_written_down_by_its_method(harness: Harness, ehr: SmallEHR) -> None:
    """A54: the method, not the key."""
    harness.registrations.all = [registration_for(ehr)]
    harness.launch(harness.browser(), ehr)

    assert harness.facts[-1].document()["authentication"] == "none"
    assert "ehr_status" not in harness.facts[-1].document()
