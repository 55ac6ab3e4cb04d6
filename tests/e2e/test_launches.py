"""Launches in a real browser, through the sandbox: each way in, and what a clinician reads when there is none."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.demo.running import Demo
from tests.e2e.blocked_cookies import EVERYWHERE, blocking_cookies, without_partitions
from tests.e2e.charts import (
    DRAFTED_MS,
    QUIET,
    App,
    Charts,
    draft_in_chart,
    edit,
    last_plan_line,
    reach,
    ready_to_sign,
)
from tests.e2e.clinics import HARBOR, LAKESIDE, Clinic, countersign, new_clinic
from tests.e2e.conftest import PATIENCE_MS, Browsers
from tests.ehr import RunningSandbox

pytestmark = pytest.mark.browser

HELEN, TOMAS = QUIET
CODE = re.compile(r"^([a-z_]+) ([0-9A-Z-]{6,12})$")
PASSWORD = "four unrelated words here"


@pytest.fixture(scope="module")
def clinics(demo: Demo, sandbox_of_demo: RunningSandbox) -> Mapping[str, Clinic]:
    """Three more organisations on one FHIR base: a key, no proof at all, and a sign-in that stays out of frames."""
    window = {"sign_in": "top_window"}
    return {
        "signing": new_clinic(demo, sandbox_of_demo, "north-hospital", "private_key_jwt"),
        "public": new_clinic(demo, sandbox_of_demo, "south-hospital", "public"),
        "window": new_clinic(demo, sandbox_of_demo, "west-hospital", "private_key_jwt", **window),
    }


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.set_default_navigation_timeout(DRAFTED_MS)
    return page


def shows(app: App, patient: str) -> None:
    """The chart of this patient ("Sorensen, Helen") is open in the app."""
    family = patient.split(",", maxsplit=1)[0]
    expect(app.locator(".patient-name")).to_contain_text(re.compile(family, re.IGNORECASE), timeout=DRAFTED_MS)


def told(app: App, title: str) -> tuple[str, str]:
    """The app shows a page about what went wrong, with something to do; returns its code, in its two parts."""
    expect(app.get_by_role("heading", name=title)).to_be_visible(timeout=DRAFTED_MS)
    expect(app.get_by_role("heading", name="What to do")).to_be_visible()
    assert len(app.locator("main li").first.inner_text().split()) > 3
    found = CODE.match(app.locator(".code code").inner_text())
    assert found
    return found[1], found[2]


# Each way in.


@pytest.mark.parametrize("how", ["ES384 key", "client secret", "RS384 key", "public"])
def test_a_launch_in_the_charts_frame_completes_with_each_way_of_proving_ourselves(
    page: Page, sandbox: RunningSandbox, clinics: Mapping[str, Clinic], how: str
) -> None:
    """A54: the EHR refuses a client that proves itself otherwise than it is registered."""
    clinic = {
        "ES384 key": HARBOR,
        "client secret": LAKESIDE,
        "RS384 key": clinics["signing"],
        "public": clinics["public"],
    }[how]
    shows(clinic.open_in_frame(page, sandbox, HELEN), HELEN)


def test_a_standalone_launch_opens_the_chart_that_was_chosen_at_the_sign_in(
    page: Page, sandbox: RunningSandbox
) -> None:
    """A12: no chart around it and no launch token; the EHR's sign-in asks whose chart."""
    address = HARBOR.launch_url(sandbox, "", type="standalone", login="show", approval="show")
    assert urlsplit(address).path == "/launch/standalone"
    page.goto(address)
    page.get_by_label("Patient").select_option(label=TOMAS)
    page.get_by_role("button", name="Allow").click()

    shows(page, TOMAS)


def test_whoever_denies_at_the_sign_in_is_told_that_nothing_was_opened(page: Page, sandbox: RunningSandbox) -> None:
    """A21."""
    page.goto(HARBOR.launch_url(sandbox, HELEN, approval="show"))
    page.get_by_role("button", name="Deny").click()

    code, _ = told(page, "The EHR did not allow Countersign to open")
    assert code == "authorization_denied"


# Several charts.


def test_two_sign_ins_at_once_in_one_browser_each_come_back_to_their_own_chart(
    context: BrowserContext, sandbox: RunningSandbox
) -> None:
    """A69: both begun, then answered in the other order."""
    waiting = {}
    for patient in (HELEN, TOMAS):
        waiting[patient] = context.new_page()
        app = HARBOR.open_in_frame(waiting[patient], sandbox, patient)
        expect(app.locator("main")).to_be_visible()
    for patient in (TOMAS, HELEN):
        page = context.new_page()
        page.goto(HARBOR.launch_url(sandbox, patient, approval="show"))
        waiting[patient + " asked"] = page
    for patient in (HELEN, TOMAS):
        waiting[patient + " asked"].get_by_role("button", name="Allow").click()
    for patient in (TOMAS, HELEN):
        shows(waiting[patient + " asked"], patient)
        shows(waiting[patient].frame_locator("#app-frame"), patient)


def test_the_first_of_two_charts_is_signed_only_after_its_patient_was_confirmed(
    context: BrowserContext, charts: Charts
) -> None:
    """A34, A69: edits stay in their own chart, and the note is filed in the chart that was confirmed."""
    first, second = charts.fresh("epic"), charts.fresh("epic")
    pages = [context.new_page(), context.new_page()]
    apps = [draft_in_chart(page, chart) for page, chart in zip(pages, (first, second), strict=True)]
    for page, app, words in zip(pages, apps, ("Call on Monday.", "Call on Friday."), strict=True):
        page.bring_to_front()
        edit(last_plan_line(app), words)

    pages[0].bring_to_front()
    ready_to_sign(apps[0])
    asked = apps[0].locator(".confirm-patient")
    expect(asked).to_contain_text("You opened another patient's chart after this one.")
    expect(apps[0].locator("#note-text")).to_contain_text("Call on Monday.")
    apps[0].locator("#sign").evaluate("(form) => { form.noValidate = true }")
    apps[0].locator("#sign button").click()
    expect(apps[0].get_by_role("alert")).to_contain_text("Not signed.")

    apps[0].locator(".confirm-patient input").check()
    apps[0].locator("#sign button").click()
    reach(apps[0], "Verified")
    pages[1].bring_to_front()
    assert (len(first.our_notes()), second.our_notes()) == (1, [])
    ready_to_sign(apps[1])
    expect(apps[1].locator("#note-text")).to_contain_text("Call on Friday.")
    expect(apps[1].locator(".confirm-patient")).to_have_count(0)


# Cookies that the browser really blocks: the ladder, from the frame down to a clear message.


@pytest.fixture
def blocked_in_charts(chromium: Browser, tmp_path: Path, demo: Demo) -> Iterator[BrowserContext]:
    """No cookie of ours inside the EHR's pages, not even a partitioned one."""
    with blocking_cookies(chromium, tmp_path / "profile", demo.app, demo.sandbox) as context:
        context.set_default_timeout(PATIENCE_MS)
        yield context


@pytest.fixture
def blocked_everywhere(chromium: Browser, tmp_path: Path, demo: Demo) -> Iterator[BrowserContext]:
    """No cookie of ours at all."""
    with blocking_cookies(chromium, tmp_path / "profile", demo.app, EVERYWHERE) as context:
        context.set_default_timeout(PATIENCE_MS)
        yield context


def callbacks(context: BrowserContext) -> list[str]:
    """The paths of the EHR's answers that come to us, in a list that grows."""
    seen: list[str] = []
    context.on("request", lambda one: seen.append(urlsplit(one.url).path) if "/callback/" in one.url else None)
    return seen


def test_where_charts_may_hold_no_cookie_the_note_opens_in_a_window_of_its_own(
    blocked_in_charts: BrowserContext, sandbox: RunningSandbox
) -> None:
    """E03, E04: the frame hands a one-time link over, no session; the EHR's answer comes to the window only."""
    answers = callbacks(blocked_in_charts)
    page = blocked_in_charts.new_page()
    app = HARBOR.open_in_frame(page, sandbox, HELEN)
    expect(app.get_by_role("heading", name="Open Countersign in a new window")).to_be_visible(timeout=DRAFTED_MS)
    assert answers == []

    with blocked_in_charts.expect_page() as opening:
        app.get_by_role("link", name="Open in a new window").click()

    shows(opening.value, HELEN)
    assert answers == ["/callback/harbor-epic"]
    expect(app.get_by_role("heading", name="Countersign is open in another window")).to_be_visible()


def test_a_browser_that_refuses_the_cookie_when_asked_offers_the_window_again(
    blocked_in_charts: BrowserContext, sandbox: RunningSandbox
) -> None:
    """E03: the Storage Access API, refused by the browser's setting."""
    page = blocked_in_charts.new_page()
    app = HARBOR.open_in_frame(page, sandbox, TOMAS)
    app.get_by_role("button", name="Allow the cookie and stay here").click(timeout=DRAFTED_MS)
    expect(app.get_by_role("alert")).to_contain_text("in a new window instead")

    with blocked_in_charts.expect_page() as opening:
        app.get_by_role("link", name="Open in a new window").click()
    shows(opening.value, TOMAS)


def test_a_browser_that_allows_the_cookie_when_asked_goes_on_in_the_frame(
    chromium: Browser, tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """E03: the Storage Access API, granted; the cookie comes along also after the way through the EHR's sign-in.

    The next launch does not ask again.
    """
    with without_partitions(chromium, tmp_path / "profile") as context:
        context.set_default_timeout(PATIENCE_MS)
        visited = context.new_page()
        visited.goto(HARBOR.launch_url(sandbox, TOMAS))
        visited.locator(".patient-name").click(timeout=DRAFTED_MS)  # browsers ask only for sites that were used before
        page = context.new_page()
        app = HARBOR.open_in_frame(page, sandbox, HELEN)
        allow = app.get_by_role("button", name="Allow the cookie and stay here")
        expect(allow).to_be_visible(timeout=DRAFTED_MS)
        context.grant_permissions(["storage-access"])
        allow.click()
        shows(app, HELEN)
        ready_to_sign(app)

        shows(HARBOR.open_in_frame(page, sandbox, TOMAS), TOMAS)


def test_a_browser_that_keeps_no_cookie_at_all_ends_in_a_clear_message(
    blocked_everywhere: BrowserContext, sandbox: RunningSandbox
) -> None:
    """E03: the foot of the ladder; the EHR was not even asked, so no callback is unbound."""
    answers = callbacks(blocked_everywhere)
    page = blocked_everywhere.new_page()
    app = HARBOR.open_in_frame(page, sandbox, HELEN)
    with blocked_everywhere.expect_page() as opening:
        app.get_by_role("link", name="Open in a new window").click(timeout=DRAFTED_MS)

    assert told(opening.value, "This browser keeps no cookies")[0] == "cookies_blocked"
    assert answers == []


def test_an_answer_without_its_cookie_opens_nothing(
    blocked_everywhere: BrowserContext, context: BrowserContext, sandbox: RunningSandbox
) -> None:
    """A17, E03: a launch in a window that keeps no cookie, and one whose cookie went during the sign-in."""
    page = blocked_everywhere.new_page()
    page.goto(HARBOR.launch_url(sandbox, HELEN))
    assert told(page, "The browser did not keep the sign-in cookie")[0] == "browser_mismatch"

    page = context.new_page()
    page.goto(HARBOR.launch_url(sandbox, HELEN, approval="show"))
    context.clear_cookies()
    page.get_by_role("button", name="Allow").click()
    assert told(page, "The browser did not keep the sign-in cookie")[0] == "browser_mismatch"


def test_a_sign_in_that_refuses_frames_is_opened_in_a_window_at_once(
    page: Page, sandbox: RunningSandbox, clinics: Mapping[str, Clinic]
) -> None:
    """E04: the tenant's `sign_in` says so; the EHR would show nothing in the frame. The window can be worked in."""
    app = clinics["window"].open_in_frame(page, sandbox, HELEN, "frame_refused")
    expect(app.locator("main")).to_contain_text("does not open inside another page")
    expect(app.get_by_role("button", name="Allow the cookie and stay here")).to_have_count(0)

    with page.context.expect_page() as opening:
        app.get_by_role("link", name="Open in a new window").click()

    shows(opening.value, HELEN)
    expect(opening.value.locator("#next-step")).to_be_visible(timeout=DRAFTED_MS)
    ready_to_sign(opening.value)


# What was not granted.


def test_without_the_right_to_write_the_draft_opens_says_so_and_the_note_is_handed_over(
    page: Page, charts: Charts, sandbox: RunningSandbox
) -> None:
    """A28."""
    chart = charts.fresh("epic")
    page.goto(sandbox.launch_url("epic", chart.patient, user=chart.clinician, faults=["scopes_without_writes"])["url"])
    expect(page.locator("#next-step")).to_be_visible(timeout=DRAFTED_MS)
    page.get_by_text("Why", exact=True).click()
    expect(page.locator(".why")).to_contain_text("did not grant Countersign the right to create notes")
    page.get_by_text("Why", exact=True).click()
    ready_to_sign(page)
    expect(page.locator(".facts")).to_contain_text("you will copy the signed note")

    page.locator("#sign button").click()

    expect(page.get_by_role("button", name="Copy the note")).to_be_visible()
    assert chart.our_notes() == []


def test_without_the_right_to_read_the_chart_nothing_opens_and_the_scope_is_named(
    page: Page, sandbox: RunningSandbox
) -> None:
    """A28."""
    denied = {"fault": "scopes_dropped", "interaction": "authorize", "options": {"scopes": ["*Patient*"]}}
    app = HARBOR.open_in_frame(page, sandbox, HELEN, denied)
    assert told(app, "The EHR granted too little access")[0] == "scope_shortfall"
    expect(app.locator("main")).to_contain_text("user/Patient.")


# What came too late, or twice.


def test_a_sign_in_that_was_left_open_too_long_has_to_begin_again(
    page: Page, sandbox: RunningSandbox, demo: Demo
) -> None:
    """A17: the clock cannot be moved here, so what the sweeper does with launches of ten minutes is done at once."""
    page.goto(HARBOR.launch_url(sandbox, HELEN, approval="show"))
    expect(page.get_by_role("button", name="Allow")).to_be_visible()
    with closing(sqlite3.connect(demo.home / "countersign.db", timeout=30)) as database, database:
        database.execute("DELETE FROM launch_transactions")

    page.get_by_role("button", name="Allow").click()

    assert told(page, "This sign-in is not open any more")[0] == "state_refused"


def test_going_back_to_an_answer_that_was_used_opens_nothing(page: Page, sandbox: RunningSandbox) -> None:
    """A17: the browser's back button, or a kept address."""
    answers: list[str] = []
    page.on("request", lambda one: answers.append(one.url) if "/callback/" in one.url else None)
    page.goto(HARBOR.launch_url(sandbox, HELEN))
    shows(page, HELEN)

    page.goto(answers[0])

    assert told(page, "This sign-in is not open any more")[0] == "state_refused"


# What a launcher can simulate: each has its page, and its code opens the trace.

SIMULATED: Mapping[str, tuple[str, str]] = {
    "authorize_unauthorized_client": ("The EHR did not allow Countersign to open", "authorization_denied"),
    "authorize_invalid_scope": ("The EHR did not allow Countersign to open", "authorization_denied"),
    "token_invalid_client": ("The EHR did not complete the sign-in", "token_exchange_failed"),
    "token_expired_registration": ("The EHR did not complete the sign-in", "token_exchange_failed"),
    "token_invalid_grant": ("The EHR did not complete the sign-in", "token_exchange_failed"),
    "token_without_patient": ("The EHR did not say which patient", "context_missing"),
    "id_token_expired": ("The EHR could not prove who you are", "identity_unverified"),
    "iss_wrong": ("Another server answered", "issuer_mismatch"),
    "state_wrong": ("This sign-in is not open any more", "state_refused"),
}


@pytest.mark.parametrize("fault", SIMULATED)
def test_what_a_launcher_simulates_is_told_in_words_with_a_code(
    page: Page, sandbox: RunningSandbox, fault: str
) -> None:
    """A21, B11."""
    title, code = SIMULATED[fault]
    assert told(HARBOR.open_in_frame(page, sandbox, HELEN, fault), title)[0] == code
    expect(page.frame_locator("#app-frame").locator("script:not([src])")).to_have_count(0)


@pytest.mark.parametrize("fault", ["authorize_invalid_client", "authorize_invalid_redirect_uri"])
def test_what_the_ehr_may_not_send_back_stays_on_the_ehrs_own_page(
    page: Page, sandbox: RunningSandbox, fault: str
) -> None:
    """B11: with an unknown client or address the EHR must not redirect (RFC 6749 4.1.2.1), so we never hear of it."""
    answers = callbacks(page.context)
    page.goto(HARBOR.launch_url(sandbox, HELEN, fault))
    assert page.url.startswith(sandbox.origin)
    assert answers == []


@pytest.fixture(scope="module")
def administrator(demo: Demo) -> str:
    """An account that may register tenants and read traces."""
    name = "Imani Falk"
    countersign(demo, "admin", "add", name, "--role", "it_admin", typed=f"{PASSWORD}\n")
    return name


@pytest.fixture
def console(new_context: Browsers, demo: Demo, administrator: str) -> Page:
    """Their browser, signed in."""
    page = new_context().new_page()
    page.goto(f"{demo.app}/admin/")
    page.get_by_label("Name").fill(administrator)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
    return page


def test_the_code_that_a_clinician_reads_out_opens_the_trace(
    page: Page, console: Page, demo: Demo, sandbox: RunningSandbox
) -> None:
    """E23: what was asked and how far it came, without patient, token or state."""
    app = HARBOR.open_in_frame(page, sandbox, HELEN, "token_expired_registration")
    code, reference = told(app, "The EHR did not complete the sign-in")

    console.goto(f"{demo.app}/admin/launches")
    console.get_by_label("Code").fill(f"{code} {reference}")
    console.get_by_role("button", name="Find").click()

    expect(console.get_by_role("heading", name=reference)).to_be_visible()
    for words in ("Harbor Family Medicine", "token exchange failed", "401", "invalid_client", "launch"):
        expect(console.locator("main")).to_contain_text(words)
    for secret in (HELEN, sandbox.patient("epic", HELEN)):
        expect(console.locator("main")).not_to_contain_text(secret)


def test_a_tenant_registered_by_the_pages_alone_is_launched_from_at_once(
    page: Page, console: Page, demo: Demo, sandbox: RunningSandbox
) -> None:
    """A54: what the pages say is entered at the EHR, and nothing is restarted on either side."""
    clinic = Clinic("east-hospital", "reference", "countersign-east", shares_its_base=True)
    console.goto(f"{demo.app}/admin/tenants/new")
    console.locator("details.panel").evaluate_all("(all) => all.forEach((one) => { one.open = true })")
    for name, value in {
        "id": clinic.tenant,
        "organization": "East Hospital",
        "fhir_base": f"{demo.sandbox}/reference/fhir",
        "client_id": clinic.client,
        "frame_origins": demo.sandbox,
        "expected_context": f"tenant={clinic.tenant}",
    }.items():
        console.locator(f"#field-{name}").fill(value)
    console.get_by_label("Product").select_option("reference")
    console.locator("#field-environment").select_option("sandbox")
    console.get_by_role("button", name="Register").click()
    expect(console.get_by_role("status").first).to_contain_text("Registered.")

    console.get_by_role("link", name="Registration sheet").click()
    sheet = console.locator("main").inner_text()
    launch, callback, keys = (
        f"{demo.app}{path}"
        for path in ("/launch/east-hospital", "/callback/east-hospital", "/.well-known/jwks/east-hospital.json")
    )
    assert [address for address in (launch, callback, keys) if address not in sheet] == []
    by_key = {"method": "private_key_jwt", "jwks_uri": keys}
    sandbox.register_client("reference", clinic.client, launch_url=launch, redirect_uris=[callback], auth=by_key)

    shows(clinic.open_in_frame(page, sandbox, HELEN), HELEN)
