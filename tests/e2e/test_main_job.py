"""The main job in a real browser, inside the frame of the simulated charts."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.charts import (
    PATIENTS,
    RIVERA,
    Charts,
    document_of,
    draft_in_chart,
    draft_in_window,
    edit,
    last_plan_line,
    open_in_chart,
    reach,
    ready_to_sign,
    sign,
    to_sign_step,
    write,
)
from tests.ehr import RunningSandbox

pytestmark = pytest.mark.browser

WRITTEN = "Call the clinic if this is not better in two weeks."


def test_a_note_goes_from_draft_to_verified_in_the_epic_chart_without_a_reload(
    page: Page, charts: Charts, sandbox: RunningSandbox
) -> None:
    chart = charts.fresh("epic", *PATIENTS)
    frame = draft_in_chart(page, chart)
    expect(frame.locator(".landing-headline")).to_contain_text("Epic: files as a signed progress note in this visit")
    edit(last_plan_line(frame), WRITTEN)
    ready_to_sign(frame)
    sandbox.arm("epic", interaction="create", resource_type="DocumentReference", fault="slow", seconds=2)
    frame.locator("#sign button").click()

    expect(frame.locator("#status")).to_be_visible()
    document_of(page).evaluate("window.stayed = true")
    expect(frame.locator(".step-now", has_text="Sending")).to_be_visible()
    expect(frame.locator("[data-sentence]")).to_contain_text("Being sent to Epic")
    reach(frame, "Filed")
    reach(frame, "Verified")

    assert document_of(page).evaluate("window.stayed") is True
    expect(frame.locator("[data-sentence]")).to_contain_text("In the chart")
    [note] = chart.our_notes()
    expect(frame.locator(".chart-reference")).to_contain_text(f"DocumentReference/{note['id']}")
    in_chart = page.locator(f'#chart-notes [data-note-id="{note["id"]}"]')
    expect(in_chart.locator(".author")).to_have_text(chart.clinician_name)
    expect(in_chart.locator(".doc-status")).to_have_text("Signed")
    expect(in_chart).to_contain_text(WRITTEN)


def test_who_comes_back_to_the_page_sees_what_became_of_the_note_meanwhile(page: Page, charts: Charts) -> None:
    """I7: it was settled, and asked no more; what stands in the chart may be something else by now."""
    app = draft_in_window(page, charts.fresh())
    sign(app)
    reach(app, "Verified")
    news = {"html": "<p data-sentence>It was changed in Epic.</p>", "versions": "<h2>All versions</h2>"}
    page.route("**/note/status", lambda route: route.fulfill(json=news | {"place": "Changed", "settled": True}))

    page.evaluate("window.dispatchEvent(new Event('focus'))")

    expect(app.locator("[data-sentence]")).to_have_text("It was changed in Epic.")
    expect(app.locator("#versions")).to_contain_text("All versions")
    expect(app.locator(".landing-headline")).to_contain_text("Changed")


def test_every_step_after_signing_says_when_it_happened(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh("epic", *PATIENTS))
    sign(frame)
    reach(frame, "Verified")

    assert frame.locator(".step-label").all_inner_texts() == [
        f"{label}\n: done" for label in ("Signed", "Queued", "Sent", "Filed", "Verified")
    ]
    for moment in frame.locator(".step-at").all():
        expect(moment).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))


def test_evidence_stands_beside_the_line_and_a_contradiction_shows_both_sources(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh("epic", RIVERA))

    frame.locator(".attention [data-go]").first.click()

    evidence = frame.locator("#evidence")
    expect(evidence).to_contain_text("These sources disagree")
    expect(evidence.locator(".passage mark").first).to_contain_text("lisinopril ten milligrams")
    expect(evidence.locator(".passage-differs mark")).to_contain_text("lisinopril 20 mg")
    expect(evidence.locator(".passage-differs .reference")).to_contain_text("MedicationRequest/")


def test_the_pill_of_a_line_opens_the_very_passage(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh("epic", RIVERA))
    pill = frame.locator(".pill").nth(2)
    number = pill.get_attribute("data-source")

    pill.click()

    chosen = frame.locator("#evidence [data-passage][data-chosen]")
    expect(chosen).to_have_attribute("data-passage", number or "")
    expect(chosen).to_be_in_viewport()
    expect(pill).to_have_attribute("aria-current", "true")


def test_one_click_takes_the_dose_from_the_chart_and_settles_the_contradiction(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh("epic", RIVERA))
    line = frame.locator(".claim.is-contradicted")
    before = frame.locator("[data-claim][data-open]").count()

    line.locator("[data-choice] button").first.click()

    expect(frame.locator(".claim.is-contradicted")).to_have_count(0)
    expect(frame.locator("[data-claim][data-open]")).to_have_count(before - 1)
    to_sign_step(frame)
    expect(frame.locator(".changes ins")).to_contain_text("20 mg")


def test_typing_saves_itself_and_outlives_the_page(page: Page, charts: Charts) -> None:
    chart = charts.fresh("epic", *PATIENTS)
    frame = draft_in_chart(page, chart)
    write(last_plan_line(frame), WRITTEN)

    expect(frame.locator("#saved-words")).to_contain_text("Saved")
    expect(last_plan_line(frame).locator("[data-save-state]")).to_contain_text("Saved")

    again = draft_in_chart(page, chart)
    expect(last_plan_line(again).locator("[data-claim-text]")).to_have_text(WRITTEN)
    expect(last_plan_line(again)).to_contain_text("You wrote")


def test_the_sign_step_lists_what_is_open_and_has_no_button_until_it_is_settled(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh("epic", *PATIENTS))
    left = frame.locator("[data-claim][data-open]").count()
    to_sign_step(frame)

    expect(frame.get_by_role("heading", name="Not ready to sign")).to_be_visible()
    expect(frame.locator(".notice-look li")).to_have_count(left)
    expect(frame.locator("#sign")).to_have_count(0)

    frame.locator(".notice-look a").first.click()
    expect(frame.locator("[data-claim]:target")).to_be_in_viewport()


def test_the_sign_step_names_patient_visit_author_destination_and_every_change(page: Page, charts: Charts) -> None:
    chart = charts.fresh("epic", "Nair, Priya")
    frame = draft_in_chart(page, chart)
    edit(last_plan_line(frame), WRITTEN)
    ready_to_sign(frame)

    facts = frame.locator(".facts")
    for words in ("NAIR, Priya", "born", "Migraine follow-up", chart.clinician_name, "Epic: files as a signed"):
        expect(facts).to_contain_text(words)
    expect(frame.locator(".changes ins")).to_have_text(WRITTEN)
    expect(frame.locator("#note-text")).to_contain_text(WRITTEN)
    expect(frame.locator("#sign button")).to_have_text(f"Sign as {chart.clinician_name}")


def test_a_removed_line_is_not_in_the_note_and_can_be_put_back_before_signing(page: Page, charts: Charts) -> None:
    frame = draft_in_chart(page, charts.fresh("epic", *PATIENTS))
    line = frame.locator("[data-claim][data-open]").first
    text = line.locator("[data-claim-text]").inner_text()
    line = frame.locator(f"#{line.get_attribute('id')}")

    line.get_by_role("button", name="Remove", exact=True).click()
    expect(line).to_contain_text("Removed from the note")
    line.get_by_role("button", name="Put back").click()
    expect(line).to_have_attribute("data-open", "")
    line.get_by_role("button", name="Remove", exact=True).click()
    expect(line).to_contain_text("Removed from the note")

    ready_to_sign(frame)
    expect(frame.locator("#note-text")).not_to_contain_text(text)
    expect(frame.locator(".changes del")).to_have_text(text)


def test_a_launch_after_signing_shows_where_the_note_stands(page: Page, charts: Charts) -> None:
    chart = charts.fresh("epic", *PATIENTS)
    sign(draft_in_chart(page, chart))

    again = open_in_chart(page, chart)

    expect(again.get_by_role("heading", name="Signed note")).to_be_visible()
    reach(again, "Verified")
    again.get_by_role("link", name="Full record").click()
    expect(again.locator(".story")).to_contain_text("signed the note")
    expect(again.locator(".story")).to_contain_text("read the note back: it is what was signed")


def test_athenaone_is_told_before_signing_and_the_signed_note_is_there_to_copy(page: Page, charts: Charts) -> None:
    chart = charts.fresh("athenaone", RIVERA)
    page.context.grant_permissions(["clipboard-read"], origin=chart.sandbox.origin)
    frame = draft_in_chart(page, chart)
    expect(frame.locator(".landing-headline")).to_contain_text("athenaOne takes no notes")
    frame.get_by_text("Why", exact=True).click()
    expect(frame.locator(".why li").first).to_be_visible()
    frame.get_by_text("Why", exact=True).click()
    ready_to_sign(frame)
    expect(frame.locator(".facts")).to_contain_text("you will copy the signed note")

    frame.locator("#sign button").click()
    expect(frame.locator("[data-sentence]")).to_contain_text("Copy the note into athenaOne")
    signed = frame.locator("#note-text").inner_text()
    frame.get_by_role("button", name="Copy the note").click()

    reach(frame, "Copied")
    expect(frame.locator("[data-sentence]")).to_contain_text("copied into athenaOne by you")
    page.locator("h1").click()
    assert page.evaluate("navigator.clipboard.readText()").split() == signed.split()
    assert chart.our_notes() == []
