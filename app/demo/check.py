"""The whole job in a real browser, through the iframe of each simulated chart; one report for people and scripts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import FrameLocator, Page, expect, sync_playwright

from app.demo.browser import launch_chromium
from app.demo.running import Demo, running_demo

PATIENT = "Rivera, Ana"
FILED_WITHIN_MS = 60_000
EDITED_TEXT = "Will call the clinic if the cough has not gone in two weeks."


@dataclass
class Run:
    """One product's run: what was reached, and how long each step took in seconds."""

    product: str
    steps: dict[str, bool]
    seconds: dict[str, float] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    failure: str = ""

    def step(self, name: str, do: Callable[[], None]) -> None:
        """Do a step; what it raises ends the run and leaves the step false."""
        began = time.monotonic()
        do()
        self.steps[name] = True
        self.seconds[name] = round(time.monotonic() - began, 2)

    def as_json(self) -> dict[str, Any]:
        """The run as the report shows it."""
        failure = {"failure": self.failure} if self.failure else {}
        return {
            "product": self.product,
            "steps": self.steps,
            **self.extra,
            "seconds": self.seconds,
            **failure,
        }


def check(home: Path, transcripts: Path | None = None) -> dict[str, Any]:
    """Start everything in `home`, do the job through Epic and athenaOne, stop; `ok` only if every step was reached."""
    with running_demo(home, transcripts) as demo, sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        runs = [_run(demo, browser.new_page, *product) for product in PRODUCTS]
        browser.close()
    return {"ok": all(all(run.steps.values()) for run in runs), "runs": [run.as_json() for run in runs]}


def check_lines(found: dict[str, Any], home: Path) -> list[str]:
    """The report for people."""
    lines = [
        f"{run['product']:10} {step:20} {'yes' if reached else 'NO'}"
        for run in found["runs"]
        for step, reached in run["steps"].items()
    ]
    failures = [f"{run['product']}: {run['failure']}" for run in found["runs"] if "failure" in run]
    return [*lines, *failures, f"Files and logs: {home}"]


def _run(
    demo: Demo,
    new_page: Callable[[], Page],
    product: str,
    steps: tuple[str, ...],
    drive: Callable[["Run", Demo, Page], None],
) -> Run:
    run = Run(product, dict.fromkeys(steps, False))
    page = new_page()
    try:
        drive(run, demo, page)
    except (PlaywrightError, AssertionError) as error:
        run.failure = str(error).splitlines()[0]
        page.screenshot(path=str(demo.home / f"{product}-failed.png"))
    finally:
        page.close()
    return run


def _drive_epic(run: Run, demo: Demo, page: Page) -> None:
    frame = page.frame_locator("#app-frame")
    run.step("launched", lambda: _launch(demo, page, frame, "epic"))
    run.step("drafted", lambda: _wait_for_draft(page, frame))
    run.step("evidence", lambda: _open_evidence(frame))
    run.step("edited", lambda: _edit(frame))
    run.step("confirmed", lambda: confirm_all(frame))
    run.step("signed", lambda: _sign(frame))
    run.step("filed", lambda: expect(frame.locator(".chart-reference")).to_be_visible(timeout=FILED_WITHIN_MS))
    run.step("verified", lambda: _wait_for_step(frame, "Verified"))
    run.extra["document_reference"] = frame.locator(".chart-reference .reference").inner_text()
    expect(page.locator("#chart-notes")).to_contain_text(EDITED_TEXT, timeout=15_000)


def _drive_athenaone(run: Run, demo: Demo, page: Page) -> None:
    frame = page.frame_locator("#app-frame")
    run.step("launched", lambda: _launch(demo, page, frame, "athenaone"))
    run.step("drafted", lambda: _wait_for_draft(page, frame))
    run.step("evidence", lambda: _open_evidence(frame))
    run.step(
        "landing_explained",
        lambda: expect(frame.locator(".landing-headline")).to_contain_text("athenaOne takes no notes"),
    )
    run.step("edited", lambda: _edit(frame))
    run.step("confirmed", lambda: confirm_all(frame))
    run.step("signed", lambda: _sign(frame))
    run.step("copied", lambda: _copy(frame))


PRODUCTS = (
    (
        "epic",
        ("launched", "drafted", "evidence", "edited", "confirmed", "signed", "filed", "verified"),
        _drive_epic,
    ),
    (
        "athenaone",
        ("launched", "drafted", "evidence", "landing_explained", "edited", "confirmed", "signed", "copied"),
        _drive_athenaone,
    ),
)


def _launch(demo: Demo, page: Page, frame: FrameLocator, ehr: str) -> None:
    page.goto(demo.url)
    page.locator(f'a[href*="/{ehr}/charts/"]', has_text=PATIENT).first.click()
    page.locator("#open-countersign").click()
    expect(frame.locator("main#main")).to_be_visible(timeout=30_000)


def _wait_for_draft(page: Page, frame: FrameLocator) -> None:
    expect(frame.locator("#next-step")).to_be_visible(timeout=30_000)
    document = page.frame("app-frame")
    if document:
        document.wait_for_load_state()  # until its scripts have run, a page answers clicks as it does without scripts


def _open_evidence(frame: FrameLocator) -> None:
    frame.locator(".pill").first.click()
    expect(frame.locator(".passage:visible mark").first).not_to_be_empty()


def _edit(frame: FrameLocator) -> None:
    line = frame.locator("#claims-plan [data-claim]").last
    line.locator("[data-edit]").click()
    line.locator("textarea").fill(EDITED_TEXT)
    line.locator("textarea").blur()
    expect(frame.locator("#saved-words")).to_contain_text("Saved")


def confirm_all(frame: FrameLocator) -> None:
    """Confirm whatever is open, one by one, as a clinician must."""
    expect(frame.locator("#next-step")).to_be_visible()
    open_items = frame.locator("[data-claim][data-open]")
    while (left := open_items.count()) > 0:
        open_items.first.locator("[data-confirm]").click()
        expect(open_items).to_have_count(left - 1)


def _sign(frame: FrameLocator) -> None:
    frame.locator("#next-step [data-to-sign]", has_text="Review and sign").click()
    frame.locator("#sign button").click()
    expect(frame.locator("#status")).to_be_visible(timeout=30_000)


def _wait_for_step(frame: FrameLocator, label: str) -> None:
    expect(frame.locator(".step-done", has_text=label)).to_be_visible(timeout=FILED_WITHIN_MS)


def _copy(frame: FrameLocator) -> None:
    frame.locator("[data-action]").click()
    _wait_for_step(frame, "Copied")
