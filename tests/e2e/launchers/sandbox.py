"""Our own sandbox's launcher page, `/<ehr>/launcher`: the reference for the steps, run with every change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playwright.sync_api import Locator, Page

from app.demo.running import Demo
from tests.e2e.charts import App
from tests.e2e.launchers.port import Chart, Wish, answer_until_the_app_shows

# Named as the page names them, and by nobody else: their notes are never signed by these tests.
CHARTS = (Chart("Varga, Tomas", shown="VARGA, Tomas"), Chart("Sorensen, Helen", shown="SORENSEN, Helen"))


@dataclass(frozen=True)
class SandboxLauncher:
    """One simulated EHR's launcher; `url` is the EHR's own, such as http://ehr.localhost:8411/epic."""

    url: str
    named: tuple[Chart, ...] = ()

    def charts(self) -> Sequence[Chart]:
        return self.named or CHARTS

    def prepare(self, start_demo: Callable[[], Demo]) -> None:
        """Nothing: whoever started this sandbox has introduced them to each other."""

    def open(self, page: Page) -> None:
        page.goto(f"{self.url}/launcher")

    def choose(self, page: Page, wish: Wish) -> None:
        page.get_by_label("Patient", exact=True).select_option(label=wish.chart.patient)
        if wish.chart.user:
            page.get_by_label("Clinician", exact=True).select_option(label=wish.chart.user)
        page.get_by_role("radio", name="In a frame" if wish.in_frame else "In a window").check()
        if wish.asks:
            page.get_by_role("radio", name="Sign-in page").check()
            page.get_by_role("radio", name="Ask to approve").check()

    def launch(self, page: Page, wish: Wish) -> App:
        with page.expect_popup() as opening:
            page.get_by_role("button", name="Launch", exact=True).click()
        return opening.value.frame_locator("#app-frame") if wish.in_frame else opening.value

    def sign_in(self, app: App, wish: Wish) -> None:
        allow = app.get_by_role("button", name="Allow").or_(app.get_by_role("button", name="Continue"))
        answer_until_the_app_shows(app, [(allow, Locator.click)])


LAUNCHER = SandboxLauncher
