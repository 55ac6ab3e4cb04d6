"""The same launches from any launcher: our sandbox's page, or whatever `--launcher` names (docs/qa.md)."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.e2e.charts import DRAFTED_MS, App
from tests.e2e.conftest import Browsers
from tests.e2e.launchers import chosen
from tests.e2e.launchers.port import Chart, Launcher, Wish
from tests.e2e.launchers.smart_launcher import MEMBERS, SmartLauncher

pytestmark = pytest.mark.browser


def launched(launcher: Launcher, context: BrowserContext, wish: Wish) -> App:
    """All steps of a launch; returns the app, with a page of its own in it."""
    page = context.new_page()
    launcher.open(page)
    launcher.choose(page, wish)
    app = launcher.launch(page, wish)
    launcher.sign_in(app, wish)
    return app


def shows(app: App, chart: Chart) -> None:
    """The app has this patient's chart open."""
    expect(app.locator(".patient-name")).to_be_visible(timeout=DRAFTED_MS)
    if chart.shown:
        expect(app.locator(".patient-name")).to_have_text(chart.shown)


@pytest.mark.parametrize("in_frame", [True, False], ids=["frame", "window"])
@pytest.mark.parametrize("asks", [False, True], ids=["signed in", "asked"])
def test_the_app_opens_with_the_chosen_patient(
    launcher: Launcher, context: BrowserContext, in_frame: bool, asks: bool
) -> None:
    """A08, E03: in a frame and in a window; straight, and by way of the EHR's own pages."""
    chart = launcher.charts()[0]
    shows(launched(launcher, context, Wish(chart, in_frame=in_frame, asks=asks)), chart)


def test_two_charts_in_one_browser_stay_two(launcher: Launcher, context: BrowserContext) -> None:
    """A69."""
    charts = launcher.charts()[:2]
    apps = [launched(launcher, context, Wish(chart)) for chart in charts]
    names = []
    for app, chart in zip(apps, charts, strict=True):
        shows(app, chart)
        names.append(app.locator(".patient-name").inner_text())
    assert names[0] != names[1]


# What the public launcher's pages hold, by its source; what they do is left out. It has never been reached from here.
STAND_IN = """<!doctype html><title>Stand-in</title><input id="patient"><input id="provider">
<label><input type="checkbox" name="sim_ehr"> Simulate launch within the EHR UI</label>
<a id="ehr-launch-url" target="_blank" href="/ehr">Launch</a>"""
EHR = """<!doctype html><title>EHR</title><iframe id="frame" name="iframe" src="/provider-login"></iframe>"""
PAGES = {
    "/": STAND_IN,
    "/ehr": EHR,
    "/provider-login": """<button type="button" onclick="location.href='/select-patient'">Login</button>""",
    "/select-patient": """<table><tr tabindex="0" title="Click to select patient with ID 7"
        onclick="location.href='/select-encounter'"><td>Seven</td></tr></table>""",
    "/select-encounter": """<table><tr title="Click to select encounter with ID 1"
        onclick="location.href='/authorize-app'"><td>One</td></tr><tr title="Click to select encounter with ID 2">
        </tr></table>""",
    "/authorize-app": """<button type="button" id="deny">Deny</button>
        <button type="button" id="approve" onclick="location.href='/app'">Approve</button>""",
    "/app": """<main id="main"><span class="patient-name">Seven</span></main>""",
}


def test_the_steps_of_the_public_launcher_fit_pages_like_its_own(new_context: Browsers) -> None:
    """No proof that they fit the launcher itself, but that the steps run to their end."""
    context = new_context()
    opened: list[str] = []

    def answer(route: Route) -> None:
        opened.append(route.request.url)
        route.fulfill(body=PAGES[urlsplit(route.request.url).path], content_type="text/html")

    context.route("https://launcher.example/**", answer)
    steps = SmartLauncher("https://launcher.example", (Chart("7", "9"),), app="https://app.example", keys={"keys": []})

    shows(launched(steps, context, Wish(steps.charts()[0], asks=True)), Chart("7", shown="Seven"))

    query = parse_qs(urlsplit(opened[0]).query)
    code = query["launch"][0]
    members = dict(zip(MEMBERS, json.loads(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))), strict=True))
    assert query["launch_url"] == ["https://app.example/launch/smart-launcher"]
    assert members["redirect_uris"] == "https://app.example/callback/smart-launcher"
    assert json.loads(members["jwks"]) == {"keys": []}
    assert (members["launch_type"], members["client_type"], members["pkce"]) == (0, 2, 2)
    assert (members["skip_login"], members["sim_ehr"], members["encounter"]) == (0, 0, "AUTO")


@pytest.mark.parametrize(
    ("said", "words"),
    [("nowhere", "is an address"), ("unheard_of=https://host", "no tests/e2e/launchers/unheard_of.py")],
)
def test_a_launcher_that_is_not_there_is_said_so(said: str, words: str) -> None:
    with pytest.raises(pytest.UsageError, match=words):
        chosen(said, [])


def test_an_address_alone_is_a_copy_of_the_public_launcher() -> None:
    found = chosen("https://launch.example/", ["87a339d0/8eb2", "b85d7e00/8eb2"])
    assert isinstance(found, SmartLauncher)
    assert found.url == "https://launch.example"
    assert [chart.patient for chart in found.charts()] == ["87a339d0", "b85d7e00"]
    with pytest.raises(pytest.UsageError, match="--launcher-chart"):
        chosen("https://launch.example", []).charts()
