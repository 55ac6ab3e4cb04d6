"""Every page in every state: no violation that axe can find, nothing wider than the window."""

from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.demo.running import Demo
from tests.e2e.charts import (
    QUIET,
    RIVERA,
    Charts,
    draft_in_window,
    edit,
    last_plan_line,
    reach,
    ready_to_sign,
    to_sign_step,
    write,
)
from tests.e2e.conftest import Browsers
from tests.ehr import RunningSandbox

pytestmark = pytest.mark.browser

WIDTHS = (380, 1400)
SCHEMES = ("light", "dark")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
# What scrolls under the bar that sticks is for axe a target too small to hit.
STICK = """(position) => {
  const sticking = document.querySelectorAll(".action-bar, .chart-header, .patient-facts")
  for (const one of sticking) one.style.position = position
}"""
TOO_WIDE = """() => {
  const room = document.documentElement.clientWidth
  const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > room + 1)
  const scrolls = document.documentElement.scrollWidth > room
  return scrolls ? wide.map((one) => one.outerHTML.slice(0, 120)) : []
}"""


@pytest.fixture
def page(new_context: Browsers) -> Page:
    return new_context(reduced_motion="reduce").new_page()


def problems(page: Page) -> list[str]:
    """What axe finds on the page as it stands, and what is wider than the window: at every width, light and dark."""
    found = []
    for width, scheme in product(WIDTHS, SCHEMES):
        page.set_viewport_size({"width": width, "height": 820})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(STICK, "static")
        violations = Axe().run(page, options=RULES).response["violations"]
        found += [f"{width} {scheme} {one['id']}: {node['html'][:160]}" for one in violations for node in one["nodes"]]
        page.evaluate(STICK, "")
        found += [f"{width} wider than the window: {one}" for one in page.evaluate(TOO_WIDE)]
    return found


def test_the_review_page_in_all_its_states(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh("athenaone", RIVERA))
    assert problems(page) == []

    page.locator(".is-contradicted .pill").first.click()
    assert problems(page) == [], "with evidence open"

    page.get_by_text("Why", exact=True).click()
    assert problems(page) == [], "with the landing explained"
    page.get_by_text("Why", exact=True).click()

    page.route("**/claims/*/text", lambda route: route.abort())
    write(last_plan_line(page), "Still typing")
    expect(page.locator(".not-saved")).to_be_visible()
    assert problems(page) == [], "with an editor open and a line that could not be saved"
    page.unroute("**/claims/*/text")

    page.locator(".not-saved [data-retry]").click()
    expect(page.locator("#announcer")).to_contain_text("Saved")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert problems(page) == [], "with the list of keys open"


def test_a_line_that_two_windows_changed(page: Page, charts: Charts) -> None:
    chart = charts.fresh()
    draft_in_window(page, chart)
    edit(last_plan_line(draft_in_window(page.context.new_page(), chart)), "From the other window.")

    write(last_plan_line(page), "From this window.")
    expect(page.locator(".conflict")).to_be_visible()

    assert problems(page) == []


def test_the_sign_step_the_signed_note_and_its_record(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh())
    to_sign_step(page)
    assert problems(page) == [], "while something is open"

    page.get_by_role("link", name="Back to the draft").click()
    edit(last_plan_line(page), "Changed by the clinician.")
    ready_to_sign(page)
    assert problems(page) == [], "ready to sign"

    page.locator("#sign button").click()
    reach(page, "Verified")
    assert problems(page) == [], "filed"

    page.get_by_role("link", name="Full record").click()
    expect(page.locator(".story li").first).to_be_visible()
    page.locator(".kept summary").first.click()
    assert problems(page) == [], "the record"


def test_a_note_to_copy(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh("athenaone"))
    ready_to_sign(page)
    assert problems(page) == [], "ready to sign"
    page.locator("#sign button").click()
    expect(page.locator("[data-action]")).to_be_visible()
    assert problems(page) == [], "signed"


def test_a_chart_that_cannot_be_read(page: Page, charts: Charts, sandbox: RunningSandbox) -> None:
    chart = charts.fresh("epic", *QUIET)
    sandbox.arm("epic", interaction="read", resource_type="Patient", fault="answer_500", times=None)
    page.goto(chart.launch_url())
    expect(page.get_by_role("alert")).to_be_visible()
    assert problems(page) == []


def test_a_problem_page(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.app}/launch?iss=https://elsewhere.example/fhir&launch=abc")
    expect(page.get_by_role("heading", name="not registered")).to_be_visible()
    assert problems(page) == []
