"""Bad input and bad moments as a person meets them: a page that says what happened, and nothing lost."""

from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Page, expect

from app.demo.running import Demo
from tests.e2e.charts import (
    QUIET,
    Charts,
    confirm_patient,
    document_of,
    draft_in_chart,
    draft_in_window,
    edit,
    last_plan_line,
    open_in_chart,
    reach,
    ready_to_sign,
    write,
)
from tests.e2e.conftest import Browsers
from tests.ehr import RunningSandbox

pytestmark = pytest.mark.browser

SIGN_TWICE_AT_ONCE = """async () => {
  const form = document.querySelector("#sign")
  const send = () => fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) })
  return (await Promise.all([send(), send()])).map((reply) => reply.status)
}"""
POST_TO_ANOTHER_CHART = """async (url) => {
  const csrf = document.querySelector("[name=csrf]").value
  const body = new URLSearchParams({ csrf, revision: 0, text: "Written from another chart." })
  return (await fetch(url, { method: "POST", body })).status
}"""


# What the EHR does while the chart is read, when the note is signed, and while the EHR is asked for a token.


@pytest.mark.parametrize("fault", ["answer_500", "answer_html", "answer_html_as_success", "answer_empty", "hang"])
def test_a_chart_that_cannot_be_read_is_said_and_tried_again(
    page: Page, charts: Charts, sandbox: RunningSandbox, fault: str
) -> None:
    chart = charts.fresh("epic", *QUIET)
    sandbox.arm("epic", interaction="read", resource_type="Patient", fault=fault, seconds=1, times=None)
    frame = open_in_chart(page, chart)
    expect(frame.get_by_role("heading", name="There is no draft yet")).to_be_visible()
    expect(frame.get_by_role("alert")).to_contain_text("The EHR gave no usable answer")
    expect(frame.locator("main")).to_contain_text("Nothing was changed")

    sandbox.clear_faults("epic")
    frame.get_by_role("button", name="Try again").click()

    expect(frame.locator("[data-claim]").first).to_be_visible()


def test_a_list_that_cannot_be_read_is_named_and_the_rest_is_drafted(
    page: Page, charts: Charts, sandbox: RunningSandbox
) -> None:
    sandbox.arm("epic", interaction="search", resource_type="AllergyIntolerance", fault="answer_500", times=None)

    frame = draft_in_chart(page, charts.fresh())

    expect(frame.get_by_role("region", name="Not read")).to_contain_text("llerg")


@pytest.mark.parametrize("fault", ["answer_html", "drop_connection"])
def test_signing_waits_until_the_chart_can_be_asked_and_loses_nothing(
    page: Page, charts: Charts, sandbox: RunningSandbox, fault: str
) -> None:
    chart = charts.fresh()
    frame = draft_in_chart(page, chart)
    edit(last_plan_line(frame), "Kept through the failure.")
    ready_to_sign(frame)
    sandbox.arm("epic", interaction="read", resource_type="Encounter", fault=fault, times=None)

    frame.locator("#sign button").click()
    expect(frame.get_by_role("alert")).to_contain_text("Not signed.")
    expect(frame.locator("#note-text")).to_contain_text("Kept through the failure.")
    assert chart.our_notes() == []

    sandbox.clear_faults("epic")
    frame.locator("#sign button").click()
    reach(frame, "Verified")
    assert len(chart.our_notes()) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [("answer_500", "The EHR did not complete the sign-in"), ("token_without_patient", "did not say which patient")],
)
def test_a_sign_in_that_does_not_complete_is_explained_in_the_frame(
    page: Page, charts: Charts, sandbox: RunningSandbox, fault: str, words: str
) -> None:
    sandbox.arm("athenaone", interaction="token", fault=fault, times=1)

    frame = open_in_chart(page, charts.shared())

    expect(frame.get_by_role("heading", level=1)).to_contain_text(words)
    expect(frame.locator(".code")).to_be_visible()
    page.locator("#open-countersign").click()
    expect(frame.locator("[data-claim]").first).to_be_visible()


# The same note in two windows, and two notes in two windows.


def test_a_note_that_changed_after_the_sign_page_opened_is_read_again_before_it_is_signed(
    page: Page, charts: Charts
) -> None:
    """E37."""
    chart = charts.fresh()
    frame = draft_in_chart(page, chart)
    ready_to_sign(frame)
    edit(last_plan_line(draft_in_chart(page.context.new_page(), chart)), "Changed in the other window.")
    page.bring_to_front()

    frame.locator("#sign button").click()

    expect(frame.get_by_role("alert")).to_contain_text("was changed in another window after this page was opened")
    expect(frame.locator("#note-text")).to_contain_text("Changed in the other window.")
    assert chart.our_notes() == []
    frame.locator("#sign button").click()
    reach(frame, "Verified")
    [note] = chart.our_notes()
    expect(page.locator(f'[data-note-id="{note["id"]}"]')).to_contain_text("Changed in the other window.")


def test_a_double_click_on_sign_leaves_one_note(page: Page, charts: Charts) -> None:
    """E38."""
    chart = charts.fresh()
    frame = draft_in_chart(page, chart)
    ready_to_sign(frame)

    frame.locator("#sign button").dblclick()

    reach(frame, "Verified")
    assert len(chart.our_notes()) == 1


def test_two_signatures_sent_at_the_same_moment_leave_one_note(page: Page, charts: Charts) -> None:
    """E38."""
    chart = charts.fresh()
    frame = draft_in_chart(page, chart)
    ready_to_sign(frame)

    statuses = document_of(page).evaluate(SIGN_TWICE_AT_ONCE)

    assert statuses == [200, 200]  # each was led to the signed note
    again = open_in_chart(page, chart)
    reach(again, "Verified")
    assert len(chart.our_notes()) == 1


def test_two_windows_on_one_line_show_both_texts_and_overwrite_nothing(page: Page, charts: Charts) -> None:
    chart = charts.fresh()
    here = draft_in_chart(page, chart)
    there = draft_in_chart(page.context.new_page(), chart)
    edit(last_plan_line(there), "Written there.")
    page.bring_to_front()
    write(last_plan_line(here), "Written here.")
    last_plan_line(here).get_by_role("button", name="Save and close").click()

    conflict = here.locator(".conflict")
    expect(conflict).to_contain_text("changed in another window")
    expect(conflict.locator("[data-theirs]")).to_have_text("Written there.")
    expect(conflict.locator("[data-yours]")).to_have_text("Written here.")
    expect(last_plan_line(here).locator("textarea")).to_have_value("Written here.")
    reloaded = draft_in_chart(page.context.new_page(), chart)
    expect(last_plan_line(reloaded).locator("[data-claim-text]")).to_have_text("Written there.")

    page.bring_to_front()
    conflict.get_by_role("button", name="Save mine instead").click()
    expect(conflict).to_have_count(0)
    expect(last_plan_line(here).locator("[data-claim-text]")).to_have_text("Written here.")
    reloaded = draft_in_chart(page.context.new_page(), chart)
    expect(last_plan_line(reloaded).locator("[data-claim-text]")).to_have_text("Written here.")


def test_taking_the_saved_version_keeps_it(page: Page, charts: Charts) -> None:
    chart = charts.fresh()
    here = draft_in_chart(page, chart)
    edit(last_plan_line(draft_in_chart(page.context.new_page(), chart)), "Written there.")
    page.bring_to_front()
    write(last_plan_line(here), "Written here.")

    here.get_by_role("button", name="Take the saved version").click()

    expect(last_plan_line(here).locator("[data-claim-text]")).to_have_text("Written there.")
    expect(here.locator(".conflict")).to_have_count(0)


def test_two_charts_in_one_browser_never_cross(page: Page, charts: Charts) -> None:
    """A69, A34."""
    one, other = charts.fresh(), charts.fresh()
    assert one.patient != other.patient
    other_page = page.context.new_page()
    frame, other_frame = draft_in_chart(page, one), draft_in_chart(other_page, other)

    # One after the other in front, as a person does: a window behind draws nothing, and a press on what it scrolled
    # goes to where that was when it last drew.
    page.bring_to_front()
    edit(last_plan_line(frame), "Meant for the first patient.")
    other_page.bring_to_front()
    edit(last_plan_line(other_frame), "Meant for the second patient.")
    page.bring_to_front()
    ready_to_sign(frame)
    other_page.bring_to_front()
    ready_to_sign(other_frame)
    other_frame.locator("#sign button").click()
    page.bring_to_front()
    expect(frame.locator(".sign-card")).to_contain_text("You opened another patient's chart after this one.")
    confirm_patient(frame)
    frame.locator("#sign button").click()
    reach(frame, "Verified")
    reach(other_frame, "Verified")

    for window, chart, words in ((page, one, "first"), (other_page, other, "second")):
        [note] = chart.our_notes()
        in_chart = window.locator(f'[data-note-id="{note["id"]}"]')
        expect(in_chart).to_contain_text(f"Meant for the {words} patient.")
        expect(in_chart).not_to_contain_text("Meant for the second" if words == "first" else "Meant for the first")
        assert note["subject"]["reference"] == f"Patient/{chart.patient}"


def test_a_page_of_one_chart_cannot_write_into_another_open_chart(page: Page, charts: Charts) -> None:
    """A69, E08, E25."""
    one, other = charts.fresh(), charts.fresh()
    frame = draft_in_chart(page, one)
    other_page = page.context.new_page()
    other_line = last_plan_line(draft_in_chart(other_page, other))
    before = other_line.locator("[data-claim-text]").inner_text()
    address = other_line.locator("[data-editor]").evaluate("(form) => form.action")

    status = document_of(page).evaluate(POST_TO_ANOTHER_CHART, address)

    assert status == 403
    expect(frame.locator("[data-claim]").first).to_be_visible()
    again = draft_in_chart(other_page, other)
    expect(last_plan_line(again).locator("[data-claim-text]")).to_have_text(before)


# What a person types, and a connection that fails meanwhile.


def test_a_very_long_edit_is_refused_and_stays_on_the_screen(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh())
    line, long = last_plan_line(frame), "Long text. " * 455
    before = line.locator("[data-claim-text]").inner_text()

    write(line, long)
    line.get_by_role("button", name="Save and close").click()

    refusal = line.locator(".not-saved")
    expect(refusal).to_contain_text("4000 characters")
    expect(refusal).to_contain_text("Your text is still here.")
    expect(refusal).to_be_in_viewport()
    expect(line.locator("textarea")).to_have_value(long)
    expect(line.locator("[data-claim-text]")).to_have_text(before)

    line.locator("textarea").fill("Shortened.")
    line.get_by_role("button", name="Save and close").click()
    expect(line.locator("[data-claim-text]")).to_have_text("Shortened.")
    expect(refusal).to_have_count(0)


def test_text_that_cannot_be_saved_stays_and_is_saved_on_the_next_try(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh())
    line = last_plan_line(frame)
    page.route("**/claims/*/text", lambda route: route.abort())
    write(line, "Typed while the line was down.")
    expect(line.locator(".not-saved")).to_contain_text("Not saved. Countersign did not answer.")
    frame.locator("#next-step [data-to-sign]", has_text="Review and sign").click()
    expect(line.locator("textarea")).to_have_value("Typed while the line was down.")

    page.unroute("**/claims/*/text")
    line.get_by_role("button", name="Try again").click()

    expect(line.locator("[data-claim-text]")).to_have_text("Typed while the line was down.")
    expect(line.locator(".not-saved")).to_have_count(0)


# Links and answers that belong to no launch.


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("launch=abc", "This link is not a complete launch"),
        ("", "This link is not a complete launch"),
        ("iss={fhir}", "This link is not a complete launch"),
        ("iss={fhir}&iss={fhir}&launch=abc", "This link is not a complete launch"),
        ("iss=https%3A%2F%2Felsewhere.example%2Ffhir&launch=abc", "This EHR is not registered"),
    ],
)
def test_a_launch_link_that_is_no_launch_says_so(page: Page, demo: Demo, query: str, words: str) -> None:
    """A08, E06."""
    answer = page.goto(f"{demo.app}/launch?{query.format(fhir=quote(demo.sandbox + '/epic/fhir', safe=''))}")

    expect(page.get_by_role("heading", level=1)).to_contain_text(words)
    expect(page.locator(".code code")).to_be_visible()
    assert answer is not None
    assert answer.status in (400, 403)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_sign_in_answer_with_a_made_up_state_opens_nothing(page: Page, demo: Demo) -> None:
    """A17."""
    page.goto(f"{demo.app}/callback/harbor-epic?code=abc&state={'x' * 43}")

    expect(page.get_by_role("heading", level=1)).to_have_text("This sign-in is not open any more")
    expect(page.locator("main")).to_contain_text("start Countersign again from there")


def test_a_sign_in_answer_is_of_no_use_a_second_time(page: Page, charts: Charts) -> None:
    """A17."""
    callbacks: list[str] = []
    page.on("request", lambda one: callbacks.append(one.url) if "/callback/" in one.url else None)
    draft_in_window(page, charts.shared())

    page.goto(callbacks[0])

    expect(page.get_by_role("heading", level=1)).to_have_text("This sign-in is not open any more")


def test_a_sign_in_answer_is_of_no_use_in_another_browser(charts: Charts, new_context: Browsers) -> None:
    """A17."""
    chart = charts.shared()
    begin = chart.launch_url().replace("app.localhost", "127.0.0.1")
    to_ehr = requests.get(begin, allow_redirects=False, timeout=10).headers["Location"]
    to_app = requests.get(chart.sandbox.reachable(to_ehr), allow_redirects=False, timeout=10).headers["Location"]

    stranger = new_context().new_page()
    stranger.goto(to_app)

    expect(stranger.get_by_role("heading", level=1)).to_have_text("The browser did not keep the sign-in cookie")
    assert stranger.context.cookies() == []


def test_the_pages_of_a_launch_are_closed_to_another_browser(page: Page, charts: Charts, new_context: Browsers) -> None:
    """A69, E25."""
    draft_in_window(page, charts.shared())
    stranger = new_context().new_page()

    for address in ("", "sign", "note", "note/status", "record"):
        answer = stranger.goto(f"{page.url}{address}")
        assert answer is not None
        assert answer.status == 401
        expect(stranger.get_by_role("heading", level=1)).to_have_text("This session has ended")
        expect(stranger.locator("main")).to_contain_text("Your draft and edits are kept")
        expect(stranger.locator("body")).not_to_contain_text("MRN")


def test_a_409_that_brings_no_line_is_a_failure_and_is_saved_on_the_next_try(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh())
    line = last_plan_line(frame)
    answer = {"problem": "Someone else changed this at the same moment.", "code": "stream_moved 1"}
    page.route("**/claims/*/text", lambda route: route.fulfill(status=409, json=answer))
    write(line, "Typed while something else moved.")
    expect(line.locator(".not-saved")).to_contain_text("Not saved. Someone else changed this at the same moment.")
    expect(line.locator("textarea")).to_have_value("Typed while something else moved.")

    page.unroute("**/claims/*/text")
    line.get_by_role("button", name="Try again").click()

    expect(line.locator("[data-claim-text]")).to_have_text("Typed while something else moved.")
    expect(line.locator(".not-saved")).to_have_count(0)
