"""Limits on what costs something: a burst is stopped in words, and nobody else is slowed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import Redis

from app.collaborators import EXTENSION
from app.demo.redis_server import EmbeddedRedis
from app.pages.limits import storage_uri
from app.settings import Settings
from app.wiring import create_app
from tests.ehr import RunningSandbox
from tests.service import SECRET, Service, running_service

pytestmark = pytest.mark.either_database

HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"
Limited = Callable[..., AbstractContextManager[Service]]


@pytest.fixture
def limited(
    ehr: RunningSandbox,
    app_port: int,
    tmp_path: Path,
    migrated_url: str,
    smart_config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Limited:
    """Starts the app with limits of the test's own."""
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", SECRET)
    return lambda **settings: running_service(ehr, app_port, tmp_path, migrated_url, smart_config, **settings)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = EmbeddedRedis(tmp_path / "redis-home")
    server.start()
    with Redis.from_url(server.url) as client:
        yield client
    server.stop()


def burst(service: Service, address: str, times: int, **headers: str) -> list[int]:
    """So many launches with nothing in them, from one address; the status of each."""
    browser = service.browser()
    return [
        browser.get(
            "/launch", base_url=service.origin, environ_overrides={"REMOTE_ADDR": address}, headers=headers
        ).status_code
        for _ in range(times)
    ]


def test_a_burst_of_launches_is_stopped_in_words_and_another_address_is_not(limited: Limited) -> None:
    """E26, E06."""
    with limited(limit_launch="3 per minute") as service:
        assert burst(service, HERE, 5) == [400, 400, 400, 429, 429]
        assert burst(service, ELSEWHERE, 1) == [400]
        stopped = service.browser().get("/launch", base_url=service.origin, environ_overrides={"REMOTE_ADDR": HERE})
        assert "Too much at once" in stopped.text
        assert "Wait a minute" in stopped.text
        assert stopped.headers["Retry-After"] == "60"
        assert "frame-ancestors" in stopped.headers["Content-Security-Policy"]


def test_answers_of_the_ehr_are_limited_too(limited: Limited) -> None:
    """E26."""
    with limited(limit_launch="2 per minute") as service:
        browser = service.browser()
        page = "/callback/harbor-epic?code=abc&state=abc"
        statuses = [browser.get(page, base_url=service.origin).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]


def test_a_network_of_ipv6_addresses_counts_as_one(limited: Limited) -> None:
    """E26."""
    with limited(limit_launch="1 per minute") as service:
        assert burst(service, "2001:db8:1:2::1", 1) == [400]
        assert burst(service, "2001:db8:1:2:ffff::9", 1) == [429]
        assert burst(service, "2001:db8:1:3::1", 1) == [400]


def test_a_header_does_not_move_the_address_by_itself(limited: Limited) -> None:
    """E26."""
    with limited(limit_launch="1 per minute") as service:
        assert burst(service, HERE, 1, **{"X-Forwarded-For": "192.0.2.1"}) == [400]
        assert burst(service, HERE, 1, **{"X-Forwarded-For": "192.0.2.2"}) == [429]


def test_behind_a_trusted_proxy_the_address_that_it_saw_counts(limited: Limited) -> None:
    """E26."""
    with limited(limit_launch="1 per minute", trusted_proxies=1) as service:
        assert burst(service, HERE, 1, **{"X-Forwarded-For": "192.0.2.1"}) == [400]
        assert burst(service, HERE, 1, **{"X-Forwarded-For": "192.0.2.2"}) == [400]
        assert burst(service, HERE, 1, **{"X-Forwarded-For": "6.6.6.6, 192.0.2.2"}) == [429]


def test_one_clinicians_drafts_and_signatures_do_not_use_up_anothers(limited: Limited) -> None:
    """E26: a noisy tenant does not slow another."""
    with limited(limit_draft="1 per minute", limit_sign="1 per minute") as service:
        first = service.open_chart()
        assert first.draft().status_code == 303
        assert first.draft().status_code == 429
        other = service.open_chart(ehr="athenaone")
        assert other.draft().status_code == 303

        first.settle()
        assert first.sign(displayed_hash="another").status_code == 409
        refused = first.sign()
        assert refused.status_code == 429
        assert first.note().state.signed is None
        other.settle()
        assert other.sign().status_code == 303


def test_pages_count_together_in_redis_and_no_address_stands_there(limited: Limited, redis: Redis) -> None:
    """E26, E20."""
    url = f"unix://{redis.connection_pool.connection_kwargs['path']}"
    with limited(limit_launch="2 per minute", redis_url=url) as service:
        assert burst(service, HERE, 1) == [400]
        settings = service.parts.settings
        another_app = create_app(settings)
        another_process = another_app.test_client()
        answers = [
            another_process.get("/launch", base_url=service.origin, environ_overrides={"REMOTE_ADDR": HERE})
            for _ in range(2)
        ]
        assert [one.status_code for one in answers] == [400, 429]
        another_app.extensions[EXTENSION].database.engine.dispose()
    keys = b" ".join(redis.keys())
    assert b"countersign:limits" in keys
    assert HERE.encode() not in keys


def test_limits_can_be_switched_off(limited: Limited) -> None:
    """E26."""
    with limited(limit_launch="1 per minute", rate_limits=False) as service:
        assert burst(service, HERE, 3) == [400, 400, 400]


def test_a_limit_that_is_no_rate_stops_the_start() -> None:
    """E26."""
    with pytest.raises(ValueError, match="limit_launch"):
        Settings(limit_launch="often")


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ("unix:///run/redis.sock", "redis+unix:///run/redis.sock"),
        ("redis://queue:6379/0", "redis://queue:6379/0"),
        ("rediss://queue:6379/0", "rediss://queue:6379/0"),
    ],
)
def test_the_address_of_redis_is_understood_by_the_part_that_counts(given: str, counted: str) -> None:
    """E26."""
    assert storage_uri(given) == counted
