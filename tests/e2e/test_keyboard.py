"""The whole job without a mouse, in the chart's frame, wide and narrow; the focus is always somewhere useful."""

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.e2e.charts import DRAFTED_MS, PATIENTS, Charts, document_of, reach
from tests.e2e.conftest import Browsers

pytestmark = pytest.mark.browser

# The second gives the frame 380 px.
WINDOWS = {"wide": {"width": 1600, "height": 900}, "narrow": {"width": 402, "height": 800}}
MOST_TABS = 60


class Keyboard:
    """Presses keys in the app's frame and insists that the focus is not lost."""

    def __init__(self, page: Page, frame: FrameLocator) -> None:
        self.page = page
        self.focus = frame.locator(":focus")

    def press(self, key: str) -> None:
        """Press a key; whatever it does, something has the focus afterwards."""
        self.page.keyboard.press(key)
        expect(self.focus).to_have_count(1)

    def focused(self) -> str:
        """What has the focus, by id, class and words."""
        attributes = (self.focus.get_attribute(name) or "" for name in ("id", "class"))
        return " ".join([*attributes, self.focus.inner_text().strip()])

    def tab_to(self, words: str) -> None:
        """Tab until something with these words has the focus."""
        for _ in range(MOST_TABS):
            before = document_of(self.page).evaluate_handle("document.activeElement")
            self.press("Tab")
            document_of(self.page).wait_for_function("(before) => document.activeElement !== before", arg=before)
            if words in self.focused():
                return
        raise AssertionError(f"{words} cannot be reached with Tab")


@pytest.fixture(params=["wide"])
def page(request: pytest.FixtureRequest, new_context: Browsers) -> Page:
    return new_context(viewport=WINDOWS[request.param]).new_page()


@pytest.fixture
def frame(page: Page, charts: Charts) -> FrameLocator:
    """The draft, reached from the chart by keyboard alone."""
    page.goto(charts.fresh("epic", *PATIENTS).url)
    tab_in_chart(page, "open-countersign")
    page.keyboard.press("Enter")
    frame = page.frame_locator("#app-frame")
    expect(frame.locator("#next-step")).to_be_visible(timeout=DRAFTED_MS)
    document_of(page).wait_for_load_state()
    tab_in_chart(page, "app-frame")
    # The focus crosses into another site's frame a moment after the chart has let it go; keys before that are lost.
    expect(frame.locator(":focus")).to_have_count(1)
    return frame


def tab_in_chart(page: Page, element_id: str) -> None:
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == element_id:
            return
    raise AssertionError(f"{element_id} cannot be reached with Tab")


@pytest.mark.parametrize("page", WINDOWS, indirect=True)
def test_the_whole_job_is_done_without_a_mouse(page: Page, frame: FrameLocator) -> None:
    keys = Keyboard(page, frame)
    open_items = frame.locator("[data-claim][data-open]")
    first = open_items.count()
    line = frame.locator("[data-claim]:focus")

    keys.press("n")
    expect(line).to_have_attribute("data-open", "")
    expect(line).to_be_in_viewport()

    keys.press("e")
    expect(frame.locator("textarea:focus")).to_be_visible()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Typed with the n, p, a and o keys of a keyboard.")
    keys.press("Escape")
    expect(line.locator("[data-claim-text]")).to_have_text("Typed with the n, p, a and o keys of a keyboard.")
    expect(line.locator("[data-save-state]")).to_contain_text("Saved")
    expect(open_items).to_have_count(first - 1)

    while (left := open_items.count()) > 0:
        keys.press("n")
        expect(line).to_have_attribute("data-open", "")
        keys.press("a")
        expect(open_items).to_have_count(left - 1)
        expect(line).to_have_count(1)

    page.keyboard.press("ControlOrMeta+Enter")
    expect(frame.locator("#sign button")).to_be_visible()
    keys.tab_to("Sign as")
    expect(frame.locator("#sign button")).to_be_in_viewport()
    page.keyboard.press("Enter")
    reach(frame, "Verified")


def test_n_and_p_go_round_the_open_items_in_both_directions(page: Page, frame: FrameLocator) -> None:
    keys = Keyboard(page, frame)
    open_ids = {item.get_attribute("id") or "" for item in frame.locator("[data-claim][data-open]").all()}
    seen = [""]
    for _ in open_ids:
        keys.press("n")
        expect(keys.focus).not_to_have_id(seen[-1])
        expect(keys.focus).to_have_attribute("data-open", "")
        seen.append(keys.focus.get_attribute("id") or "")
    assert set(seen) == open_ids | {""}

    keys.press("p")
    expect(keys.focus).to_have_id(seen[-2])


@pytest.mark.parametrize("page", WINDOWS, indirect=True)
def test_o_opens_the_evidence_and_escape_goes_back_to_the_line(page: Page, frame: FrameLocator) -> None:
    keys = Keyboard(page, frame)
    keys.press("n")
    expect(keys.focus).to_have_attribute("data-open", "")
    line = keys.focus.get_attribute("id") or ""

    keys.press("o")
    expect(frame.locator(".passage:visible mark").first).to_be_visible()
    keys.press("Escape")

    expect(keys.focus).to_have_id(line)


def test_enter_on_a_number_opens_its_source_and_escape_returns_to_the_number(page: Page, frame: FrameLocator) -> None:
    keys = Keyboard(page, frame)
    keys.tab_to("pill")
    number = keys.focus.get_attribute("data-source") or ""

    keys.press("Enter")
    expect(frame.locator(".passage:visible mark").first).to_be_in_viewport()
    keys.press("Escape")

    expect(keys.focus).to_have_attribute("data-source", number)


def test_the_list_of_keys_opens_with_a_question_mark_and_letters_can_be_switched_off(
    page: Page, frame: FrameLocator
) -> None:
    keys, dialog = Keyboard(page, frame), frame.get_by_role("dialog", name="Keys")
    keys.press("n")
    expect(keys.focus).to_have_attribute("data-open", "")
    here = keys.focus.get_attribute("id") or ""
    keys.press("?")
    expect(frame.get_by_role("checkbox", name="Single-letter keys are on")).to_be_focused()
    keys.press("Space")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(keys.focus).to_have_id(here)

    document_of(page).evaluate("document.addEventListener('keyup', (event) => { window.released = event.key })")
    page.keyboard.press("n")
    page.keyboard.press("e")
    document_of(page).wait_for_function("window.released === 'e'")

    expect(keys.focus).to_have_id(here)
    expect(frame.locator("[data-editing]")).to_have_count(0)
    page.keyboard.press("ControlOrMeta+Enter")
    expect(frame.get_by_role("heading", name="Not ready to sign")).to_be_visible()


def test_the_focus_stays_on_the_line_when_the_button_that_was_pressed_goes_away(
    page: Page, frame: FrameLocator
) -> None:
    keys = Keyboard(page, frame)
    page.route("**/claims/*/text", lambda route: route.abort())
    keys.press("n")
    expect(keys.focus).to_have_attribute("data-open", "")
    keys.press("e")
    expect(frame.locator("textarea:focus")).to_be_visible()
    page.keyboard.type("More. ")
    again = frame.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/claims/*/text")
    again.focus()

    keys.press("Enter")

    expect(again).to_have_count(0)
    expect(frame.locator("textarea:focus")).to_be_visible()
