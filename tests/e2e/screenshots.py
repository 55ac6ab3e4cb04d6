"""Takes the pictures of the README: `python -m tests.e2e.screenshots` starts the demo and writes docs/screenshots.

Each picture is what Countersign shows inside a chart, at the width of a wide and of a narrow frame.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from app.demo.browser import launch_chromium
from app.demo.running import Demo
from tests.e2e.charts import RIVERA, Chart, draft_in_chart, edit, last_plan_line, reach, ready_to_sign
from tests.e2e.product import running_product, sandbox_of
from tests.e2e.test_admin import PASSWORD, account
from tests.ehr import RunningSandbox

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
FRAMES = {1400: 860, 380: 900}
FOLLOW_UP = "Return in four weeks with home blood pressure readings; sooner if the cough gets worse."
# The chart's frame as the whole window, so that the picture has the frame's width and nothing of the chart.
FRAME_ONLY = """() => {
  const over = { position: "fixed", inset: "0", width: "100vw", height: "100vh", zIndex: 9 }
  Object.assign(over, { border: "0", borderRadius: "0" })
  Object.assign(document.querySelector("#app-pane").style, over)
}"""


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, running_product(Path(home)) as demo, sync_playwright() as playwright:
        sandbox = sandbox_of(demo)
        browser = launch_chromium(playwright)
        doctors = {ehr: sandbox.qa(ehr, "resources/Practitioner") for ehr in ("epic", "athenaone")}
        for number, width in enumerate(FRAMES):
            take_epic(browser, rivera(sandbox, "epic", doctors["epic"][number]), width)
            take_athenaone(browser, rivera(sandbox, "athenaone", doctors["athenaone"][number]), width)
            take_launch_doctor(browser, demo, sandbox, width)
        browser.close()


def rivera(sandbox: RunningSandbox, ehr: str, doctor: dict) -> Chart:
    """Ana Rivera's chart, opened by this clinician."""
    return Chart(sandbox, ehr, sandbox.patient(ehr, RIVERA), doctor["id"], doctor["name"][0]["text"])


def take_epic(browser: Browser, chart: Chart, width: int) -> None:
    """The contradiction beside its evidence, the sign step, and the note in the chart."""
    page = window(browser, width)
    frame = framed(page, chart)
    contradiction = frame.locator(".claim.is-contradicted")
    contradiction.locator(".pill").last.click()
    contradiction.evaluate(f"(line) => line.scrollIntoView({{ block: '{'center' if width > 700 else 'start'}' }})")
    take(page, "review", width)
    contradiction.locator("[data-choice] button").first.click()
    edit(last_plan_line(frame), FOLLOW_UP)
    ready_to_sign(frame)
    take(page, "sign", width)
    frame.locator("#sign button").click()
    reach(frame, "Verified")
    take(page, "filed", width)
    page.close()


def take_athenaone(browser: Browser, chart: Chart, width: int) -> None:
    """What athenaOne's clinicians are told before they sign."""
    page = window(browser, width)
    frame = framed(page, chart)
    frame.get_by_text("Why", exact=True).click()
    take(page, "athenaone-landing", width)
    page.close()


def take_launch_doctor(browser: Browser, demo: Demo, sandbox: RunningSandbox, width: int) -> None:
    """What an administrator is told when the EHR's clock is wrong."""
    name = f"Dana Okafor {width}"
    account(demo, name, "it_admin")
    sandbox.arm("epic", fault="clock_offset", seconds=-400, times=None)
    page = window(browser, width)
    page.goto(f"{demo.app}/admin/sign-in?next=/admin/tenants/harbor-epic/doctor")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    page.get_by_role("button", name="Run").first.click()
    expect(page.get_by_text("In order:")).to_be_visible(timeout=30_000)
    page.screenshot(path=FOLDER / f"doctor-{width}.png")
    sandbox.clear_faults("epic")
    page.close()


def window(browser: Browser, width: int) -> Page:
    """A window of the frame's size; motion would blur a picture."""
    context = browser.new_context(viewport={"width": width, "height": FRAMES[width]}, reduced_motion="reduce")
    return context.new_page()


def framed(page: Page, chart: Chart) -> FrameLocator:
    """The draft, with the chart's frame as the whole window."""
    frame = draft_in_chart(page, chart)
    page.evaluate(FRAME_ONLY)
    return frame


def take(page: Page, name: str, width: int) -> None:
    """Write one picture."""
    expect(page.frame_locator("#app-frame").locator("main#main")).to_be_visible()
    page.mouse.move(0, 0)
    page.screenshot(path=FOLDER / f"{name}-{width}.png")


if __name__ == "__main__":
    main()
