"""A launch inside the EHR's frame: in athena's sandboxed one, where the cookie is lost, and in a new window."""

from urllib.parse import urljoin, urlsplit

import pytest
import requests
from playwright.sync_api import FrameLocator, Page, Route, expect

from tests.e2e.charts import Charts, document_of
from tests.e2e.conftest import Browsers
from tests.e2e.test_accessibility import problems

pytestmark = pytest.mark.browser

ATHENAS = (
    "allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-same-origin allow-scripts "
    "allow-downloads"
)
NARROW = {"width": 380, "height": 700}


def lose_the_cookie(page: Page) -> None:
    """As a browser does that keeps no third-party cookies: the launch is asked, its Set-Cookie is dropped."""

    def answer(route: Route) -> None:
        address = route.request.url.replace(str(urlsplit(route.request.url).hostname), "127.0.0.1", 1)
        asked = requests.get(address, headers={"Sec-Fetch-Dest": "iframe"}, allow_redirects=False, timeout=10)
        goes_on = f'<meta http-equiv="refresh" content="0;url={asked.headers["Location"]}">'
        route.fulfill(body=goes_on, content_type="text/html")

    page.route("**/launch?*", answer)


def show_alone(page: Page, charts: Charts) -> None:
    """The page for a frame that lost the cookie, in a tab of its own, so that it can be measured."""

    def answer(route: Route) -> None:
        address = route.request.url.replace(str(urlsplit(route.request.url).hostname), "127.0.0.1", 1)
        frame = {"Sec-Fetch-Dest": "iframe"}
        looking = requests.get(address, headers=frame, allow_redirects=False, timeout=10).headers["Location"]
        shown = requests.get(urljoin(address, looking), headers=frame, timeout=10)
        route.fulfill(body=shown.text, headers=dict(shown.headers) | {"Content-Type": "text/html; charset=utf-8"})

    page.route("**/launch?*", answer)
    page.goto(charts.shared().launch_url())


def framed(page: Page, charts: Charts) -> FrameLocator:
    """Countersign opened from an athenaOne chart."""
    page.goto(charts.shared().url)
    page.locator("#open-countersign").click()
    assert page.locator("#app-frame").get_attribute("sandbox") == ATHENAS
    return page.frame_locator("#app-frame")


def test_a_launch_completes_inside_athenas_sandboxed_frame(page: Page, charts: Charts) -> None:
    """E03, E05: no top navigation and no storage access; the cookie came back, so it went on in the frame."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(urlsplit(request.url).path))

    app = framed(page, charts)

    expect(app.locator(".patient-name")).to_be_visible()
    assert "/launch/check" in seen


def test_where_the_cookie_is_lost_the_chart_opens_in_a_new_window(new_context: Browsers, charts: Charts) -> None:
    """E03, E04, E05: by keyboard, at 380 pixels; and the frame says where it went."""
    context = new_context(viewport=NARROW)
    page = context.new_page()
    lose_the_cookie(page)
    app = framed(page, charts)
    window = app.get_by_role("link", name="Open in a new window")
    expect(window).to_be_visible()
    assert window.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")

    window.focus()
    with context.expect_page() as opening:
        page.keyboard.press("Enter")

    popup = opening.value
    popup.wait_for_url("**/charts/*/**")
    expect(popup.locator(".patient-name")).to_be_visible()
    said = app.get_by_role("heading", name="Countersign is open in another window")
    expect(said).to_be_focused()
    expect(window).to_be_hidden()


def test_a_frame_that_may_not_ask_for_the_cookie_says_so(page: Page, charts: Charts) -> None:
    """E03, E05: athena's sandbox lacks the flag for storage access, so the new window is what remains."""
    lose_the_cookie(page)
    app = framed(page, charts)

    app.get_by_role("button", name="Allow the cookie and stay here").click()

    expect(app.get_by_role("alert")).to_contain_text("in a new window instead")
    expect(app.get_by_role("link", name="Open in a new window")).to_be_focused()


def test_without_scripts_the_window_opens_all_the_same(new_context: Browsers, charts: Charts) -> None:
    """E03."""
    context = new_context()
    page = context.new_page()
    lose_the_cookie(page)
    app = framed(page, charts)
    address = app.get_by_role("link", name="Open in a new window").get_attribute("href")

    plain = new_context(java_script_enabled=False).new_page()
    plain.goto(f"{urlsplit(document_of(page).url)._replace(path='', query='').geturl()}{address}")

    expect(plain.locator(".patient-name, h1").first).to_be_visible()
    assert "/charts/" in plain.url


def test_the_page_that_offers_a_window_is_accessible(new_context: Browsers, charts: Charts) -> None:
    """E03: at every width, light and dark, before and after."""
    page = new_context(reduced_motion="reduce").new_page()
    show_alone(page, charts)
    expect(page.get_by_role("button", name="Allow the cookie and stay here")).to_be_visible()
    assert problems(page) == []

    page.get_by_role("link", name="Open in a new window").click()
    expect(page.get_by_role("heading", name="Countersign is open in another window")).to_be_visible()
    assert problems(page) == []
