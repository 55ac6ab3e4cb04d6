"""One running product and one browser for all browser tests; a fresh browser context and a watch on errors for each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from app.demo.browser import launch_chromium
from app.demo.running import Demo
from tests.e2e.charts import Charts
from tests.e2e.launchers import chosen
from tests.e2e.launchers.port import Launcher
from tests.e2e.product import running_product, sandbox_of
from tests.ehr import RunningSandbox

WIDE = {"width": 1600, "height": 900}
PATIENCE_MS = 15_000
# What Chromium says by itself about an answer that is no success; the tests look at those answers themselves.
# Copying falls back to a selection where the chart's frame does not let the app at the clipboard, and a launch that may
# not ask for its cookie there goes on in a new window.
NOT_AN_ERROR_OF_OURS = (
    "Failed to load resource: the server responded with a status of",
    "net::ERR_FAILED",
    "The Clipboard API has been blocked because of a permissions policy",
    "requestStorageAccess: Refused to execute request. The document is sandboxed",
)

# Tests that can drive a launcher that is not ours ask for this fixture; `--launcher` runs them and no others.
ANY_LAUNCHER = "launcher"
LOGS = ("web", "worker", "sandbox")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("launcher", "launches from an EHR's own sandbox: docs/qa.md")
    group.addoption("--launcher", metavar="[NAME=]URL", help="launch from there, not from our sandbox")
    group.addoption(
        "--launcher-chart",
        action="append",
        default=[],
        metavar="PATIENT/USER",
        help="whose chart, twice, as it says it",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--launcher", None):
        left_out = [item for item in items if ANY_LAUNCHER not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="package")
def launcher(request: pytest.FixtureRequest) -> Launcher:
    """Where the tests of any launcher launch from: our sandbox's Epic, or what `--launcher` says."""
    said = request.config.getoption("--launcher", None)
    if not said:
        said = f"sandbox={request.getfixturevalue('demo').sandbox}/epic"
    found = chosen(said, request.config.getoption("--launcher-chart", []))
    found.prepare(lambda: request.getfixturevalue("demo"))
    return found


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_product(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="package")
def sandbox_of_demo(demo: Demo) -> RunningSandbox:
    return sandbox_of(demo)


@pytest.fixture
def sandbox(sandbox_of_demo: RunningSandbox) -> Iterator[RunningSandbox]:
    """The simulated EHRs; the faults that a test switches on end with it."""
    yield sandbox_of_demo
    for ehr in ("epic", "athenaone"):
        sandbox_of_demo.clear_faults(ehr)


@pytest.fixture(scope="package")
def all_charts(sandbox_of_demo: RunningSandbox) -> Charts:
    return Charts(sandbox_of_demo)


@pytest.fixture
def charts(all_charts: Charts, sandbox: RunningSandbox) -> Charts:
    return all_charts


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # Not the plugin's: its driver lives as long as the session, and other tests start a driver of their own.
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@dataclass
class Browsers:
    """Makes browser contexts: each is a browser of its own as far as cookies go."""

    chromium: Browser
    folder: Path
    contexts: list[BrowserContext] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __call__(self, **options: object) -> BrowserContext:
        context = self.chromium.new_context(**{"viewport": WIDE, **options})
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", lambda message: _note_error(message, self.errors))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.contexts.append(context)
        return context

    def pictures(self) -> Iterator[str]:
        """Take a picture of every open page; says where it is."""
        for number, page in enumerate((page for context in self.contexts for page in context.pages), start=1):
            path = self.folder / f"page-{number}.png"
            try:
                page.screenshot(path=path)
            except PlaywrightError as error:
                yield f"{page.url}: {error.message.splitlines()[0]}"
            else:
                yield f"{path} shows {' and in it '.join(frame.url for frame in page.frames)}"


@pytest.fixture
def new_context(chromium: Browser, tmp_path: Path) -> Iterator[Browsers]:
    """For tests that need more than one browser, or a special one. No page of any may log an error."""
    browsers = Browsers(chromium, tmp_path)
    yield browsers
    for context in browsers.contexts:
        context.close()
    assert browsers.errors == []


@pytest.fixture
def context(new_context: Browsers) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def _note_error(message: ConsoleMessage, errors: list[str]) -> None:
    ours = message.type == "error" and not any(words in message.text for words in NOT_AN_ERROR_OF_OURS)
    if ours:
        errors.append(message.text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With a failure come a picture of every open page and the ends of the processes' logs."""
    report = yield
    used = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed and "demo" in used:
        report.sections += [(f"end of {name}.log", used["demo"].processes.last_lines(name)) for name in LOGS]
        if "new_context" in used:
            browsers: Browsers = used["new_context"]
            report.sections += [
                ("pictures", "\n".join(browsers.pictures())),
                ("console", "\n".join(browsers.errors)),
            ]
    return report
