"""Whatever arrives at /launch and /callback: never a 500, never a request that was not called for."""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from launch_harness import Harness, ListedRegistrations, query_of, registration_for
from small_ehr import SmallEHR

from launch.discovery import read_metadata
from launch.errors import DiscoveryRefused
from launch.signing_keys import read_keys

ROOT = Path(__file__).parents[2]

NASTY = st.sampled_from(
    [
        *(
            "",
            " ",
            "\x00",
            "\r\nSet-Cookie: a=b",
            "../..",
            "%",
            "%00",
            "%ff",
            "%0d%0a",
            "é",
            "\ud7ff",
            "[::1]",
        ),
        *(
            "http://169.254.169.254/",
            "https://ehr.example@evil.example/",
            "https:\\\\evil.example",
            "//evil.example",
        ),
        *(
            "javascript:alert(1)",
            "<script>alert(1)</script>",
            "{{7*7}}",
            "' OR 1=1 --",
            "a" * 5_000,
            "a" * 100_000,
        ),
    ]
)
NAMES = st.sampled_from(
    ["iss", "launch", "state", "code", "error", "error_description", "patient", "next", "ISS", "iss[]"]
)
VALUES = st.one_of(NASTY, st.text(max_size=40))
QUERIES = st.lists(st.tuples(NAMES, VALUES), max_size=8)
RAW_QUERIES = st.one_of(
    QUERIES.map(lambda pairs: "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)),
    st.text(alphabet="isaunchsteode=&%+;#0Ff", max_size=60),
)


@pytest.fixture(scope="module")
def quiet_ehr() -> Iterator[SmallEHR]:
    ehr = SmallEHR()
    yield ehr
    ehr.stop()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=RAW_QUERIES)
def test_garbage_at_launch_is_answered_without_asking_anyone(quiet_ehr: SmallEHR, query: str) -> None:
    """A08, E14: unregistered means unasked, whatever the spelling."""
    answer = Harness(ListedRegistrations(registration_for(quiet_ehr))).browser().get(f"/launch?{query}")

    assert answer.status_code in (400, 403)
    assert not quiet_ehr.requests
    assert "evil" not in answer.text


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=RAW_QUERIES, tenant=st.sampled_from(["clinic", "nobody", "%00", "%ff", "..%2f", "é", "a" * 3000]))
def test_garbage_at_the_callback_is_answered_without_asking_anyone(
    quiet_ehr: SmallEHR, query: str, tenant: str
) -> None:
    """A17: no state of ours, no token request."""
    browser = Harness(ListedRegistrations(registration_for(quiet_ehr))).browser()
    answer = browser.get(f"/callback/{tenant}?{query}")

    assert 400 <= answer.status_code < 500
    assert not quiet_ehr.requests


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=QUERIES, cookie=st.text(alphabet='abc=;"\\,é ', max_size=20))
def test_garbage_beside_a_real_state_is_never_a_500(
    quiet_ehr: SmallEHR, pairs: list[tuple[str, str]], cookie: str
) -> None:
    """A17, A65: with the right state and browser, the rest may still be anything."""
    harness = Harness(ListedRegistrations(registration_for(quiet_ehr)))
    browser = harness.browser()
    state = query_of(harness.launch(browser, quiet_ehr).location)["state"]
    rest = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs if name != "code")
    answer = browser.get(f"/callback/clinic?state={state}&{rest}")
    quiet_ehr.requests.clear()

    assert 400 <= answer.status_code < 500
    assert not harness.completed


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), NASTY),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


def documents(*members: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(members), JSON)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    response=documents(
        *("access_token", "token_type", "expires_in", "scope", "refresh_token", "patient", "encounter"),
        *("need_patient_banner", "intent", "fhirContext", "id_token"),
    ),
    claims=documents("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "fhirUser", "name"),
)
def test_garbage_from_a_registered_ehr_is_a_launch_error(
    quiet_ehr: SmallEHR, response: dict[str, Any], claims: dict[str, Any]
) -> None:
    """A66: whatever JSON the token endpoint and the id_token hold, the launch completes or ends in a page."""
    harness = Harness(ListedRegistrations(registration_for(quiet_ehr)))
    quiet_ehr.token_changes, quiet_ehr.claim_changes = response, encodable(claims)
    answer = harness.complete(harness.browser(), quiet_ehr)
    quiet_ehr.requests.clear()

    assert answer.status_code in (303, 400, 403, 502)


@settings(max_examples=200, deadline=None)
@given(document=documents("keys", "issuer", "jwks_uri", "token_endpoint", "authorization_endpoint", "capabilities"))
def test_garbage_in_a_document_of_the_ehr_is_a_launch_error(quiet_ehr: SmallEHR, document: dict[str, Any]) -> None:
    """A04, A40."""
    registration = registration_for(quiet_ehr)
    with suppress(DiscoveryRefused):
        read_metadata({**quiet_ehr.configuration(), **document}, registration)
    assert read_keys(document) == ()


def encodable(claims: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(claims).encode("utf-8"))


def test_no_secret_reaches_a_log_a_page_or_the_browser(
    harness: Harness, ehr: SmallEHR, caplog: pytest.LogCaptureFixture
) -> None:
    """A18, A65, E01: on success and on failure, with every logger at its most talkative."""
    caplog.set_level(logging.DEBUG)
    pages = []
    for changes in ({}, {"error": "server_error", "code": ""}, {"iss": "https://canary-iss.example"}):
        browser = harness.browser()
        started = harness.launch(browser, ehr, launch="canary-launch")
        [transaction] = harness.transactions.waiting.values()
        returned = {**ehr.authorize(started.location), "error_description": "canary-description", **changes}
        ehr.token_changes = {"access_token": "canary-access", "refresh_token": "canary-refresh"}
        answer = browser.get("/callback/clinic", query_string=returned)
        harness.transactions.waiting.clear()
        pages.append(f"{answer.headers}{answer.text}")
        secrets = (transaction.code_verifier, transaction.nonce, returned["state"], "canary", "code-1")
        for secret in secrets:
            assert secret not in "".join(pages)
            assert secret not in caplog.text
    assert harness.completed[0].grant.refresh_token == "canary-refresh"
    assert "canary" not in repr(harness.completed)


def test_the_locked_authlib_has_its_known_holes_closed() -> None:
    """A72."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    [pinned] = [line for line in lock.splitlines() if line.lower().startswith("authlib==")]

    version = pinned.split("==")[1].split()[0]
    assert tuple(int(part) for part in version.split(".")[:3]) >= (1, 6, 9)
