"""A press is never lost: not one that came before the scripts, nor one under which the page is redrawn."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.charts import DRAFTED_MS, RIVERA, Charts, confirm_all, draft_in_window, last_plan_line, sign, write
from tests.ehr import RunningSandbox

pytestmark = pytest.mark.browser

# What can be done about a note depends on how far its filing has come; this offer stays.
STATUS = '<p data-sentence>On its way.</p><ul class="offers"><li><form><button>Go on</button></form></li></ul>'
TWO_FRAMES = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


def hold(held: list[Route]) -> Callable[[Route], None]:
    """Lets requests wait in this list until the test sends them on."""

    def wait(route: Route) -> None:
        held.append(route)

    return wait


def status(more: str = "") -> dict[str, object]:
    """What the server answers while a note is on its way."""
    return {"html": f"{STATUS}<p>{more}</p>", "versions": "", "place": "In the chart", "settled": False}


def asked(page: Page, held: list[Route]) -> Route:
    """The next request that waits, taken out of the list."""
    while not held:
        page.wait_for_timeout(20)
    return held.pop(0)


def press(page: Page, element: Locator) -> None:
    """The first half of a click."""
    box = element.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()


def test_edit_pressed_before_the_scripts_ran_opens_the_editor_and_it_stays_open(page: Page, charts: Charts) -> None:
    scripts: list[Route] = []
    page.route("**/static/review.js", hold(scripts))
    page.goto(charts.fresh().launch_url())
    line = last_plan_line(page)
    expect(line).to_be_visible(timeout=DRAFTED_MS)
    line.locator("[data-edit]").click()
    line.locator("textarea").fill("Typed before the scripts.")

    scripts[0].continue_()

    expect(line.locator("[data-save-state]")).to_contain_text("Saved")
    expect(line.locator("[data-claim-text]")).to_have_text("Typed before the scripts.")
    expect(line.locator("textarea")).to_be_focused()
    line.locator("textarea").press_sequentially(" And after them.")
    line.get_by_role("button", name="Save and close").click()
    expect(line.locator("[data-claim-text]")).to_have_text("Typed before the scripts. And after them.")
    expect(line.locator("textarea")).to_be_hidden()


@pytest.mark.parametrize("link", ["Review and sign", "Next open item"])
def test_a_press_on_the_bar_is_not_lost_when_a_decision_is_saved_meanwhile(
    page: Page, charts: Charts, link: str
) -> None:
    draft_in_window(page, charts.fresh())
    answers: list[Route] = []
    page.route("**/decision", hold(answers))
    open_lines = page.locator("[data-claim][data-open]")
    before = open_lines.count()
    bar = page.locator("#next-step a", has_text=link).element_handle()
    open_lines.first.locator("[data-confirm]").click()
    press(page, page.locator("#next-step a", has_text=link))

    with page.expect_response("**/decision"):
        answers[0].continue_()
    page.mouse.up()

    if link == "Review and sign":
        expect(page.locator(".sign-card")).to_be_visible()
        return
    expect(open_lines).to_have_count(before - 1)
    expect(page.locator("[data-claim][data-open][data-chosen]")).to_be_focused()
    assert bar.evaluate("(link) => link.isConnected")  # not another in its place


def test_a_press_on_a_line_is_not_lost_when_the_line_above_it_is_redrawn(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh())
    answers: list[Route] = []
    page.route("**/decision", hold(answers))
    page.locator("[data-claim][data-open]").first.locator("[data-confirm]").click()
    last = last_plan_line(page)
    last.locator("[data-edit]").scroll_into_view_if_needed()
    press(page, last.locator("[data-edit]"))

    with page.expect_response("**/decision"):
        answers[0].continue_()
    page.mouse.up()

    expect(last.locator("textarea")).to_be_visible()


def test_an_entry_that_is_declined_while_another_is_being_saved_is_declined_too(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh("epic", RIVERA))
    answers: list[Route] = []
    page.route("**/proposals/decision", hold(answers))
    declines = page.locator("[data-proposal] [value=decline]")
    with page.expect_request("**/proposals/decision"):
        declines.nth(0).click()
    declines.nth(1).click()

    with page.expect_request("**/proposals/decision"):
        answers[0].continue_()
    expect(page.locator(".proposal.is-declined")).to_have_count(1)
    answers[1].continue_()

    expect(page.locator(".proposal.is-declined")).to_have_count(2)


def test_what_is_typed_into_an_entry_stays_while_another_is_being_saved(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh("epic", RIVERA))
    answers: list[Route] = []
    page.route("**/proposals/decision", hold(answers))
    entries = entries_with_text(page)
    second = page.locator(f"#{entries.nth(1).get_attribute('id')}")
    entries.nth(0).locator("[value=decline]").click()
    typed = change_by_hand(second, "Typed while")
    for _ in "while":
        typed.press("ArrowLeft")

    asked(page, answers).continue_()
    expect(page.locator(".proposal.is-declined")).to_have_count(1)

    expect(typed).to_be_focused()
    page.keyboard.type("mean")
    expect(typed).to_have_value("Typed meanwhile")


def test_what_is_typed_into_an_entry_stays_when_another_window_was_faster(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh("epic", RIVERA))
    entry = page.locator(f"#{entries_with_text(page).first.get_attribute('id')}")
    typed = change_by_hand(entry, "Kept")
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(f"#{entry.get_attribute('id')}").get_by_role("button", name="Decline").click()
    other.locator(f"#{entry.get_attribute('id')}").get_by_role("button", name="Undo").click()
    expect(other.locator("[data-proposals-state]")).to_contain_text("Open again")

    entry.get_by_role("button", name="Save the change").click()

    expect(page.locator("[data-proposals-state]")).to_contain_text("Not saved.")
    expect(typed).to_have_value("Kept")
    entry.get_by_role("button", name="Save the change").click()
    expect(entry).to_contain_text("You changed")
    expect(entry.locator(".proposal-change")).not_to_have_attribute("open", "")


def test_a_form_that_was_only_opened_does_not_undo_what_another_window_saved(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh("epic", RIVERA))
    entries = entries_with_text(page)
    first, second = (page.locator(f"#{entries.nth(number).get_attribute('id')}") for number in (0, 1))
    first.get_by_text("Change").first.click()
    other = page.context.new_page()
    other.goto(page.url)
    there = other.locator(f"#{first.get_attribute('id')}")
    change_by_hand(there, "Said in the other window")
    there.get_by_role("button", name="Save the change").click()
    expect(there).to_contain_text("You changed")

    second.locator("[value=decline]").click()
    expect(page.locator(".proposal.is-declined")).to_have_count(1)

    expect(first.locator("input[type=text]").first).to_have_value("Said in the other window")
    first.get_by_role("button", name="Save the change").click()
    expect(first.locator(".proposal-change")).not_to_have_attribute("open", "")
    expect(first.locator(".proposal-words")).to_contain_text("Said in the other window")


def entries_with_text(page: Page) -> Locator:
    """The entries that hold words of their own."""
    return page.locator("[data-proposal]:has([value=decline]):has(.proposal-change input[type=text])")


def change_by_hand(entry: Locator, text: str) -> Locator:
    """Opens the entry's form and types into its first text; returns that field."""
    entry.get_by_text("Change").first.click()
    typed = entry.locator("input[type=text]").first
    typed.fill(text)
    return typed


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_press_under_the_status_is_not_lost_when_it_says_something_new(
    page: Page, charts: Charts, sandbox: RunningSandbox, by: str
) -> None:
    sandbox.arm("epic", fault="hang", interaction="create", resource_type="DocumentReference", seconds=2)
    draft_in_window(page, charts.fresh())
    answers: list[Route] = []
    page.route("**/note/status", hold(answers))
    sign(page)
    asked(page, answers).fulfill(json=status())
    question = asked(page, answers)
    offer = page.locator("#status .offers button")
    if by == "mouse":
        press(page, offer)
    else:
        offer.focus()
        question.fulfill(json=status("Something."))
        question = asked(page, answers)
        expect(offer).to_be_focused()
        page.keyboard.down("Space")

    with page.expect_response("**/note/status"):
        question.fulfill(json=status("Something new."))
    page.evaluate(TWO_FRAMES)  # long enough to be drawn, were it not for the press
    with page.expect_navigation():
        page.mouse.up() if by == "mouse" else page.keyboard.up("Space")


def test_the_last_decision_leads_the_keyboard_on_to_the_sign_step(page: Page, charts: Charts) -> None:
    draft_in_window(page, charts.fresh())
    confirm_all(page)
    expect(page.locator("#next-step [data-next]")).to_be_hidden()
    expect(page.locator("#next-step .primary:visible")).to_have_text("Review and sign")


def test_a_narrow_page_says_in_its_header_what_needs_the_clinician_and_leads_there(page: Page, charts: Charts) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    draft_in_window(page, charts.fresh())
    needs, open_lines = page.locator("#needs-you"), page.locator("[data-claim][data-open]")
    count = open_lines.count()
    page.mouse.wheel(0, 5000)
    expect(needs).to_be_in_viewport()
    expect(needs).to_have_text(f"{count} things need you" if count > 1 else "1 thing needs you")

    needs.click()
    expect(page.locator("[data-claim][data-open]:focus")).to_be_in_viewport()

    confirm_all(page)
    expect(needs).to_be_hidden()
    write(last_plan_line(page), "The page still takes edits.")
