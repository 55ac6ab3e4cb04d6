"""Launches through the whole app: by POST, by a tenant's own address, and through the pages of the ladder."""

import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, expect, sync_playwright
from werkzeug.test import TestResponse

from app.demo.browser import launch_chromium
from tests.service import Service

pytestmark = pytest.mark.either_database

FRAME = {"Sec-Fetch-Dest": "iframe"}


def opened(service: Service, path: str = "/launch", ehr: str = "epic", **choice: str) -> str:
    """The address of a fresh launch from a chart, on this path of ours."""
    launch = service.ehr.open_app(ehr, service.ehr.patient(ehr, "Rivera, Ana"), **choice)
    return f"{path}?{urlsplit(launch['url']).query}"


def policy(answer: TestResponse, directive: str) -> list[str]:
    parts = [part.split() for part in answer.headers["Content-Security-Policy"].split(";")]
    return next(part[1:] for part in parts if part[0] == directive)


def test_a_tenants_own_address_launches_it(service: Service) -> None:
    """A08, A15."""
    client = service.browser()
    answer = client.get(opened(service, "/launch/harbor-epic"), base_url=service.origin)
    assert "/epic/" in answer.headers["Location"]

    refused = client.get(opened(service, "/launch/lakeside-athenaone"), base_url=service.origin)
    assert refused.status_code == 403
    assert policy(refused, "frame-ancestors") == ["'none'"]


def test_the_page_for_a_lost_cookie_can_be_framed_by_its_ehr_only(service: Service) -> None:
    """E03, E06, A20: handle, store and page in the running app; nothing of it is cached or referred."""
    client = service.app.test_client(use_cookies=False)
    looking = client.get(opened(service), base_url=service.origin, headers=FRAME)
    assert looking.status_code == 303

    page = client.get(looking.headers["Location"], base_url=service.origin, headers=FRAME)

    assert page.status_code == 200
    assert policy(page, "frame-ancestors") == [service.ehr.origin]
    assert policy(page, "form-action") == ["'self'"]
    assert (page.headers["Referrer-Policy"], page.headers["Cache-Control"]) == ("no-referrer", "no-store")
    [handle] = re.findall(r'href="(/launch/continue/[^"]+)"', page.text)
    window = service.browser()
    checked = window.get(handle, base_url=service.origin)
    sent = window.get(checked.headers["Location"], base_url=service.origin)
    assert sent.headers["Location"].startswith(service.ehr.origin)
    again = window.get(handle, base_url=service.origin)
    assert (again.status_code, "works once" in again.text) == (400, True)


def test_a_handle_sent_as_a_state_is_a_page_and_not_a_crash(service: Service) -> None:
    """A17, E04."""
    client = service.browser()
    looking = client.get(opened(service), base_url=service.origin, headers=FRAME)
    handle = parse_qs(urlsplit(looking.headers["Location"]).query)["tx"][0]

    answer = client.get(f"/callback/harbor-epic?state={handle}&code=x", base_url=service.origin)

    assert (answer.status_code, "state_refused" in answer.text) == (400, True)


def test_a_sign_in_that_refuses_frames_is_offered_a_window_at_once(service: Service) -> None:
    """E03, E05."""
    service.change_tenant("harbor-epic", sign_in="top_window")

    page = service.browser().get(opened(service), base_url=service.origin, headers=FRAME)

    assert page.status_code == 200
    assert "does not open inside another page" in page.text
    assert "Allow the cookie" not in page.text


def test_a_long_request_is_posted_and_only_that_page_may_post_there(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A13, E07."""
    monkeypatch.setattr("launch.authorization.LONGEST_ADDRESS", 100)
    client = service.browser()
    page = client.get(opened(service), base_url=service.origin)

    assert policy(page, "form-action") == ["'self'", service.ehr.origin]
    fields = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page.text)}
    [action] = re.findall(r'action="([^"]+)"', page.text)
    answer = requests.post(service.ehr.reachable(action), data=fields, allow_redirects=False, timeout=10)
    back = service.callback(client, answer.headers["Location"])
    assert (back.status_code, back.headers["Location"].startswith("/charts/")) == (303, True)
    assert policy(client.get("/healthz"), "form-action") == ["'self'"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_a_browser_posts_the_request_and_comes_back_to_the_chart(
    service: Service, chromium: Browser, monkeypatch: pytest.MonkeyPatch, scripts: bool
) -> None:
    """A13, E07: the content security policy lets the form and its redirects through; a button where no script runs."""
    monkeypatch.setattr("launch.authorization.LONGEST_ADDRESS", 100)
    context = chromium.new_context(java_script_enabled=scripts)
    page = context.new_page()
    methods: list[str] = []
    page.on("request", lambda request: methods.append(f"{request.method} {urlsplit(request.url).path}"))

    page.goto(f"{service.origin}{opened(service)}")
    if not scripts:
        page.get_by_role("button", name="Go to the sign-in").click()

    page.wait_for_url("**/charts/**")
    expect(page.locator("main#main")).to_be_visible()
    context.close()
    assert [method for method in methods if method.startswith("POST") and "authorize" in method]
