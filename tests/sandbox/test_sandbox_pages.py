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
FLAGS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
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
    with running_sandbox(home, {ehr: [client] for ehr in ("epic", "athenaone", "reference")}) as running:
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
    tab.get_by_label("Does it, answers 500").check()
    tab.wait_for_function("document.querySelectorAll('#qa-faults input:checked').length === 1")
    armed = charts.qa("epic", "faults")["armed"]
    assert [(fault["interaction"], fault["fault"]) for fault in armed] == [("create", "commit_then_500")]
    tab.get_by_label("Does it, answers 500").uncheck()
    tab.wait_for_function("document.querySelectorAll('#qa-faults input:checked').length === 0")
    assert charts.qa("epic", "faults")["armed"] == []


def test_an_unknown_chart_is_not_found(charts: RunningSandbox) -> None:
    assert requests.get(f"{charts.local}/epic/charts/nobody", timeout=TIMEOUT).status_code == 404
