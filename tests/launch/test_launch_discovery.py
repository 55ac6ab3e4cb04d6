"""Discovery: the SMART configuration is checked, pinned, cached, and cannot hold us up."""

import time
from datetime import timedelta
from typing import Any

import pytest
from launch_harness import Clock, registration_for, session_for
from small_ehr import BASE_PATH, SmallEHR, as_json
from werkzeug.wrappers import Request, Response

from launch.discovery import Discovery, ServerMetadata, configuration_url, read_metadata
from launch.errors import DiscoveryFailed, DiscoveryRefused

CONFIGURATION = f"{BASE_PATH}/.well-known/smart-configuration"


def discover(ehr: SmallEHR, **registration: Any) -> ServerMetadata:
    return Discovery(session_for, Clock()).metadata(registration_for(ehr, **registration))


@pytest.mark.parametrize(
    "base",
    [
        "https://ehr.example/a/r4",
        "https://ehr.example/a/r4/",
        "https://ehr.example/a/r4//",
        "HTTPS://ehr.example/a/r4",
    ],
)
def test_every_spelling_of_a_base_gives_one_address(base: str) -> None:
    """A01: joined on one slash, under the path of the base."""
    assert configuration_url(base).replace("HTTPS", "https") == (
        "https://ehr.example/a/r4/.well-known/smart-configuration"
    )


def test_discovery_asks_for_json_and_sends_the_registered_headers(ehr: SmallEHR) -> None:
    """A01: Accept; and Epic's client id header, without which it may name other endpoints."""
    discover(ehr, discovery_headers={"Epic-Client-ID": "abc"})

    [(headers, _)] = ehr.requests_to(CONFIGURATION)
    assert headers["Accept"] == "application/json"
    assert headers["Epic-Client-Id"] == "abc"


def test_the_capability_statement_is_never_asked(ehr: SmallEHR) -> None:
    """A02: a poisoned /metadata has no effect."""
    ehr.answers[f"{BASE_PATH}/metadata"] = lambda _: as_json({"rest": [{"security": "https://evil.example/token"}]})

    assert discover(ehr).token_endpoint == f"{ehr.origin}/oauth2/token"
    assert not ehr.requests_to(f"{BASE_PATH}/metadata")


def test_relative_endpoints_are_resolved_against_the_fhir_base(ehr: SmallEHR) -> None:
    """A03."""
    ehr.configuration_changes = {
        "token_endpoint": "../../oauth2/token",
        "authorization_endpoint": "authorize",
    }

    metadata = discover(ehr)

    assert metadata.token_endpoint == f"{ehr.origin}/oauth2/token"
    assert metadata.authorization_endpoint == f"{ehr.base}/authorize"


@pytest.mark.parametrize("member", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/token",
        "http://evil.example/token",
        "http://169.254.169.254/latest",
        "//evil.example/token",
        "https://127.0.0.1@evil.example/token",
        "http://127.0.0.1\\@evil.example/token",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://127.0.0.1:99999/token",
        "http://[::1/token",
        "http://127.0.0.1/\ttoken",
        "http://еhr.example/token",  # noqa: RUF001 - the first letter is Cyrillic, and that is the attack
        7,
    ],
)
def test_an_endpoint_off_the_pinned_origins_is_refused(ehr: SmallEHR, member: str, address: object) -> None:
    """A03, E15, E16: foreign hosts, plain http, userinfo, backslashes, other schemes, homoglyphs."""
    ehr.configuration_changes = {member: address}

    with pytest.raises(DiscoveryRefused) as refused:
        discover(ehr)

    assert refused.value.detail.startswith(member)
    assert "evil" not in str(refused.value)


def test_an_endpoint_on_a_listed_origin_is_accepted(ehr: SmallEHR) -> None:
    """A03: some EHRs sign in on another host than their FHIR base's; the registration lists it."""
    ehr.configuration_changes = {"authorization_endpoint": "https://signin.example/authorize"}

    metadata = discover(ehr, endpoint_origins=frozenset({"https://signin.example"}))

    assert metadata.authorization_endpoint == "https://signin.example/authorize"


@pytest.mark.parametrize(
    "member",
    [
        "authorization_endpoint",
        "token_endpoint",
        "capabilities",
        "grant_types_supported",
        "code_challenge_methods_supported",
        "issuer",
        "jwks_uri",
    ],
)
def test_each_required_member_is_named_when_it_is_missing(ehr: SmallEHR, member: str) -> None:
    """A04."""
    ehr.configuration_changes = {member: None}

    with pytest.raises(DiscoveryRefused, match=member):
        discover(ehr)


def test_a_server_without_s256_is_refused(ehr: SmallEHR) -> None:
    """A04, A18: plain is no challenge."""
    ehr.configuration_changes = {"code_challenge_methods_supported": ["plain"]}

    with pytest.raises(DiscoveryRefused, match="S256"):
        discover(ehr)


def test_issuer_and_keys_may_be_absent_without_openid_connect(ehr: SmallEHR) -> None:
    """A04: they are required together with sso-openid-connect only."""
    ehr.configuration_changes = {"issuer": None, "jwks_uri": None, "capabilities": ["launch-ehr"]}

    assert discover(ehr).jwks_uri is None


def test_an_issuer_that_changed_after_registration_blocks_the_tenant(ehr: SmallEHR) -> None:
    """A06."""
    with pytest.raises(DiscoveryRefused, match="issuer"):
        discover(ehr, oauth_issuer="https://the-registered-one.example")


def test_metadata_is_cached_until_it_is_no_longer_fresh(ehr: SmallEHR) -> None:
    """A07."""
    clock = Clock()
    discovery = Discovery(session_for, clock)
    for _ in range(3):
        discovery.metadata(registration_for(ehr))
    assert len(ehr.requests_to(CONFIGURATION)) == 1

    clock.ahead = timedelta(minutes=16)
    discovery.metadata(registration_for(ehr))
    assert len(ehr.requests_to(CONFIGURATION)) == 2


def test_a_changed_registration_is_checked_against_a_fresh_document(ehr: SmallEHR) -> None:
    """A06: what was accepted under other pins is void."""
    discovery = Discovery(session_for, Clock())
    discovery.metadata(registration_for(ehr))

    with pytest.raises(DiscoveryRefused):
        discovery.metadata(registration_for(ehr, oauth_issuer="https://other.example"))


def test_a_stale_copy_carries_launches_through_an_outage_without_waiting_each_time(ehr: SmallEHR) -> None:
    """A07: one launch a minute tries again, for at most a day."""
    clock = Clock()
    discovery = Discovery(session_for, clock)
    discovery.metadata(registration_for(ehr))
    ehr.answers[CONFIGURATION] = lambda _: Response("<h1>maintenance</h1>", 503)
    clock.ahead = timedelta(hours=1)

    for _ in range(3):
        assert discovery.metadata(registration_for(ehr)).token_endpoint
    assert len(ehr.requests_to(CONFIGURATION)) == 2

    clock.ahead = timedelta(hours=25)
    with pytest.raises(DiscoveryFailed):
        discovery.metadata(registration_for(ehr))


def test_a_document_that_breaks_a_pin_is_not_papered_over_with_a_stale_one(ehr: SmallEHR) -> None:
    """A06, A07."""
    clock = Clock()
    discovery = Discovery(session_for, clock)
    discovery.metadata(registration_for(ehr))
    ehr.configuration_changes = {"token_endpoint": "https://evil.example/token"}
    clock.ahead = timedelta(hours=1)

    with pytest.raises(DiscoveryRefused):
        discovery.metadata(registration_for(ehr))


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=302, headers={"Location": "http://127.0.0.1:9/"}),
        Response("x" * 300_000),
        Response("<html>sign in</html>", content_type="text/html"),
        Response(""),
        Response("[1]"),
        Response("[" * 100_000),
        Response(b"\xff\xfe"),
        Response("{}", 500),
    ],
    ids=["redirect", "huge", "html", "empty", "list", "nested", "binary", "500"],
)
def test_an_unusable_answer_fails_in_words_of_ours(ehr: SmallEHR, answer: Response) -> None:
    """A07: redirects are not followed, the size is capped, and nothing of the answer is repeated."""
    ehr.answers[CONFIGURATION] = lambda _: answer

    with pytest.raises(DiscoveryFailed) as failed:
        discover(ehr)

    assert failed.value.detail.startswith("SMART configuration")
    assert len(ehr.requests) == 1


def test_a_server_that_drips_is_given_up_after_the_time_limit(ehr: SmallEHR, monkeypatch: pytest.MonkeyPatch) -> None:
    """A07: every byte arrives in time, the whole never does."""
    monkeypatch.setattr("launch.discovery.FETCH_SECONDS", 0.5)

    def drip(_: Request) -> Response:
        def body() -> Any:
            for _ in range(60):
                time.sleep(0.1)
                yield b" "

        return Response(body(), content_type="application/json", headers={"Content-Length": "1000"})

    ehr.answers[CONFIGURATION] = drip
    began = time.monotonic()

    with pytest.raises(DiscoveryFailed, match="too long"):
        discover(ehr)

    assert time.monotonic() - began < 3


def test_scopes_supported_is_not_consulted(ehr: SmallEHR) -> None:
    """A05: it need not be exhaustive."""
    document = {**ehr.configuration(), "scopes_supported": ["openid"]}

    assert read_metadata(document, registration_for(ehr)) == read_metadata(ehr.configuration(), registration_for(ehr))
