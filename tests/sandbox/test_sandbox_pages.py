"""The chart pages in a real browser, with a stand-in for the app in the frame."""

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.ehr import RunningSandbox, running_sandbox
from tests.sandbox.smart_app import SECRET, TIMEOUT, App

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",  # pages of Chromium's own, drawn for every window
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LAUNCHERS = ["epic/launcher?patient=e1001&fault=frame_refused", "reference/launcher?fault=catch_fire", "ecw/launcher"]
CHARTS = ["epic/charts/e1001", "athenaone/charts/a-195900.E-1001", "reference/charts/1001"]

pytestmark = pytest.mark.browser


class _StandIn(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<title>App</title><p id='app'>{self.path}</p>".encode())

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def app_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory, app_port: int) -> Iterator[RunningSandbox]:
    home: Path = tmp_path_factory.mktemp("charts")
    client = {
        "client_id": "secret-app",
        "redirect_uris": ["http://app.localhost:1/callback/test"],
        "launch_url": f"http://app.localhost:{app_port}/launch",
        "auth": {"method": "client_secret_basic", "secret": SECRET},
    }
    with running_sandbox(home, {ehr: [client] for ehr in ("epic", "athenaone", "ecw", "reference")}) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *as_root])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(10_000)
    yield page
    page.close()


@pytest.mark.parametrize("chart", CHARTS)
def test_the_button_opens_the_app_in_the_frame_with_iss_and_launch(
    charts: RunningSandbox, tab: Page, chart: str
) -> None:
    tab.goto(f"{charts.origin}/{chart}")
    tab.click("#open-countersign")
    called = tab.frame_locator("#app-frame").locator("#app").inner_text()
    assert called.startswith("/launch?iss=http%3A%2F%2Fehr.localhost")
    assert "&launch=" in called


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("path", ["", *CHARTS])
def test_a_page_fits_its_window_and_has_no_accessibility_violations(
    charts: RunningSandbox, tab: Page, path: str, width: int
) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(f"{charts.origin}/{path}")
    if path:
        tab.click("#qa summary")
        tab.locator("#qa-faults li").first.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    results = Axe().run(tab)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("path", LAUNCHERS)
def test_the_launcher_fits_its_window_and_has_no_accessibility_violations(
    charts: RunningSandbox, tab: Page, path: str, width: int
) -> None:
    """B23."""
    charts.arm("epic", fault="clock_offset", times=None)
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(f"{charts.origin}/{path}")
    tab.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    results = Axe().run(tab)
    charts.clear_faults("epic")
    assert results.violations_count == 0, results.generate_report()


def test_a_launch_is_chosen_and_opened_with_the_keyboard_alone(charts: RunningSandbox, tab: Page) -> None:
    """B23."""
    tab.goto(f"{charts.origin}/reference/launcher")
    tab.get_by_label("Patient", exact=True).focus()
    tab.keyboard.press("Home")
    tab.get_by_label("In a frame", exact=True).focus()
    tab.keyboard.press("Space")
    tab.get_by_text("Identity: faults of this launch").focus()
    tab.keyboard.press("Enter")
    tab.get_by_label("id_token with alg none").focus()
    tab.keyboard.press("Space")
    tab.get_by_role("button", name="Launch").focus()
    with tab.context.expect_page() as opened:
        tab.keyboard.press("Enter")
    page = opened.value
    called = page.frame_locator("#app-frame").locator("#app").inner_text()
    assert called.startswith("/launch?iss=http%3A%2F%2Fehr.localhost")
    assert "fault=id_token_unsigned" in page.url
    assert "window=frame" in page.url
    page.close()


def test_the_address_of_a_launch_shows_what_was_chosen(charts: RunningSandbox, tab: Page) -> None:
    """B23."""
    tab.goto(
        f"{charts.origin}/epic/launcher?patient=e1001&patient=e1002&fault=frame_refused&fault=slow@token&login=show"
    )
    assert tab.get_by_label("Patient", exact=True).evaluate("e => [...e.selectedOptions].map(o => o.value)") == [
        "e1001",
        "e1002",
    ]
    assert tab.get_by_label("The sign-in refuses to be shown in a frame").is_checked()
    assert tab.get_by_label("Token", exact=True).input_value() == "slow@token"
    assert tab.get_by_label("Sign-in page", exact=True).is_checked()
    assert (
        tab.locator("#this-launch")
        .get_attribute("href")
        .startswith(f"{charts.origin}/epic/launcher/open?patient=e1001")
    )


def test_the_sign_in_page_is_usable_and_goes_on_to_the_app(charts: RunningSandbox, tab: Page) -> None:
    """B15."""
    opened = charts.launch_url("reference", ["1001", "1003"], login="show", approval="show")
    app = App(charts, opened=opened)
    address = app.authorize().request.url
    assert address is not None
    tab.goto(address.replace(charts.local, charts.origin))
    results = Axe().run(tab)
    assert results.violations_count == 0, results.generate_report()
    tab.get_by_label("Patient", exact=True).select_option(label="Whitfield, George Alan")
    with tab.expect_request(lambda request: "callback/test" in request.url) as back:
        tab.get_by_role("button", name="Allow").click()
    assert "code=" in back.value.url


def test_a_sign_in_that_refuses_frames_is_not_shown_in_one(charts: RunningSandbox, tab: Page) -> None:
    """B23."""
    choice = {"client": "secret-app", "faults": ["frame_refused"]}
    app = App(charts, opened=charts.launch_url("reference", "1001", **choice))
    address = str(app.authorize().request.url).replace(charts.local, charts.origin)
    tab.goto(f"{charts.origin}/")
    put = "url => document.body.append(Object.assign(document.createElement('iframe'), { name: 'app', src: url }))"
    with tab.expect_event("framenavigated", lambda frame: frame.name == "app"):
        tab.evaluate(put, address)
    frame = tab.frame("app")
    assert frame is not None
    assert frame.url.startswith("chrome-error:")


def test_a_filed_note_appears_on_the_open_chart_with_author_visit_and_state(charts: RunningSandbox, tab: Page) -> None:
    tab.goto(f"{charts.origin}/epic/charts/e1001")
    app = App(charts, "epic", "e1001", choice={"user": "edr-2"}).launched()
    note_id = app.fhir("POST", "DocumentReference", app.note("Filed text.")).headers["Location"].partition("/")[2]
    note = tab.locator(f"#chart-notes article[data-note-id='{note_id}']")
    note.wait_for(timeout=6000)
    shown = note.inner_text()
    for words in ("Dr. Ingrid Halvorsen", "Cough for five weeks", "Signed", "Filed text."):
        assert words in shown


def test_a_fault_is_armed_and_cleared_by_its_switch(charts: RunningSandbox, tab: Page) -> None:
    tab.goto(f"{charts.origin}/epic/charts/e1001")
    tab.click("#qa summary")
    tab.get_by_label("Does it, answers 500").press("Space")
    tab.wait_for_function("document.querySelectorAll('#qa-faults input:checked').length === 1")
    assert tab.evaluate("document.activeElement.checked")  # by keyboard one stays where one switched
    armed = charts.qa("epic", "faults")["armed"]
    assert [(fault["interaction"], fault["fault"]) for fault in armed] == [("create", "commit_then_500")]
    tab.get_by_label("Does it, answers 500").uncheck()
    tab.wait_for_function("document.querySelectorAll('#qa-faults input:checked').length === 0")
    assert charts.qa("epic", "faults")["armed"] == []


def test_an_unknown_chart_is_not_found(charts: RunningSandbox) -> None:
    assert requests.get(f"{charts.local}/epic/charts/nobody", timeout=TIMEOUT).status_code == 404
