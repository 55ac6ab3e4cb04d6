"""Some hospitals switch scripts off: review, edit, confirm and sign work all the same."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.charts import Charts, confirm_all
from tests.e2e.conftest import Browsers

pytestmark = pytest.mark.browser

WRITTEN = "Written without a script."
ADDED = "The film of today is clear."
MOST_LOOKS = 60


@pytest.fixture
def page(new_context: Browsers) -> Page:
    return new_context(java_script_enabled=False).new_page()


def prepare(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Prepare the draft").click()
    expect(page.locator("[data-claim]").first).to_be_visible()


def read_again_until_verified(page: Page) -> None:
    for _ in range(MOST_LOOKS):
        if page.locator(".step-done", has_text="Verified").count():
            return
        page.get_by_role("link", name="Read the state again").click()
    raise AssertionError(page.locator(".sentence").inner_text())


def test_the_whole_job_is_done_with_scripts_switched_off(page: Page, charts: Charts) -> None:
    chart = charts.fresh()
    prepare(page, chart.launch_url())
    last = page.locator("#claims-plan [data-claim]").last

    last.locator("[data-edit]").click()
    expect(last.locator("textarea")).to_be_visible()
    last.locator("textarea").fill(WRITTEN)
    last.get_by_role("button", name="Save and close").click()
    expect(last.locator("[data-claim-text]")).to_have_text(WRITTEN)

    confirm_all(page)
    page.get_by_role("link", name="Review and sign").click()
    expect(page.locator(".changes ins")).to_have_text(WRITTEN)
    page.locator("#sign button").click()
    expect(page.get_by_role("heading", name="Signed note")).to_be_visible()
    read_again_until_verified(page)
    [note] = chart.our_notes()
    expect(page.locator(".chart-reference")).to_contain_text(note["id"])


def test_evidence_opens_under_its_line_and_closes_again(page: Page, charts: Charts) -> None:
    prepare(page, charts.fresh().launch_url())
    line = page.locator("[data-claim]", has=page.locator(".pill")).first

    line.locator(".pill").first.click()
    expect(line.locator(".passage mark").first).to_be_visible()
    line.get_by_role("link", name="Close", exact=True).click()
    expect(line.locator(".passage mark").first).to_be_hidden()


def test_nothing_is_offered_that_needs_a_script(page: Page, charts: Charts) -> None:
    prepare(page, charts.fresh("athenaone").launch_url())

    for button in page.locator(".needs-script").all():
        expect(button).to_be_hidden()


def test_the_copy_is_made_by_hand_and_recorded(page: Page, charts: Charts) -> None:
    prepare(page, charts.fresh("athenaone").launch_url())
    confirm_all(page)
    page.get_by_role("link", name="Review and sign").click()
    page.locator("#sign button").click()

    expect(page.locator(".status-action .hint")).to_contain_text("select the text below, copy it")
    page.locator("[data-action]").click()

    expect(page.locator(".step-done", has_text="Copied")).to_be_visible()

    add_without_scripts(page, ADDED)
    expect(page.locator("#note-text")).to_contain_text(ADDED)
    expect(page.get_by_role("heading", name="All versions")).to_be_visible()


def add_without_scripts(page: Page, text: str) -> None:
    """On a telephone's width: nothing may be wider than the page."""
    page.set_viewport_size({"width": 380, "height": 700})
    page.get_by_role("link", name="Add to it").click()
    page.get_by_label("Something was left out").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Your addendum").fill(text)
    page.get_by_role("button", name="Read it and sign").click()
    expect(page.get_by_role("heading", name="Sign this addendum")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.locator("#sign button").click()


def test_a_line_changed_elsewhere_is_said_and_not_overwritten(page: Page, charts: Charts) -> None:
    chart = charts.fresh("athenaone")
    prepare(page, chart.launch_url())
    other = page.context.new_page()
    other.goto(page.url)
    for window, text in ((other, "Written there."), (page, "Written here.")):
        line = window.locator("#claims-plan [data-claim]").last
        line.locator("[data-edit]").click()
        line.locator("textarea").fill(text)
        line.get_by_role("button", name="Save and close").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("This changed in the meantime")
    page.get_by_role("link", name="Back to the note").click()
    expect(page.locator("#claims-plan [data-claim]").last.locator("[data-claim-text]")).to_have_text("Written there.")
