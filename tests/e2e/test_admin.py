"""Administrators in a real browser: they sign in, register a tenant by the pages alone, and launch from it."""

import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from app.demo.running import Demo
from app.settings import ROOT
from tests.e2e.conftest import Browsers
from tests.e2e.test_accessibility import problems

pytestmark = pytest.mark.browser

PASSWORD = "four unrelated words here"
NAME = "Dana Okafor"
AUDITOR = "Noor Haddad"


def account(demo: Demo, name: str, role: str) -> None:
    """Made by the command, as an operator makes the first ones."""
    subprocess.run(
        [sys.executable, "-m", "app.cli", "admin", "add", name, "--role", role],
        input=f"{PASSWORD}\n",
        env=demo.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture(scope="module", autouse=True)
def administrators(demo: Demo) -> None:
    """Two people: who looks after accounts does not read the trail."""
    account(demo, NAME, "it_admin")
    account(demo, AUDITOR, "compliance")


@pytest.fixture
def page(new_context: Browsers, demo: Demo) -> Page:
    """Signed in, by keyboard alone."""
    return signed_in(new_context, demo, NAME)


def signed_in(new_context: Browsers, demo: Demo, name: str) -> Page:
    page = new_context(reduced_motion="reduce").new_page()
    page.goto(f"{demo.app}/admin/")
    page.locator("#name").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
    return page


def fill(page: Page, **fields: str) -> None:
    for label, value in fields.items():
        page.locator(f"#field-{label.replace('__', '-')}").fill(value)


def test_a_tenant_is_registered_changed_and_retired_by_the_pages_alone(
    page: Page, new_context: Browsers, demo: Demo
) -> None:
    page.get_by_role("link", name="Register a tenant").click()
    fill(page, id="NORTHSIDE", organization="Northside Clinic")
    page.get_by_role("button", name="Register").click()

    page.get_by_role("link", name="Tenant id").click()
    expect(page.locator("#field-id")).to_be_focused()
    fill(page, id="northside", fhir_base="https://ehr.northside.example/fhir", client_id="countersign-northside")
    page.get_by_label("Product").select_option("reference")
    fill(page, frame_origins="https://ehr.northside.example")
    page.get_by_role("button", name="Register").click()

    expect(page.locator("main").get_by_role("status").first).to_contain_text("Registered.")
    page.get_by_text("Switch writing off", exact=True).click()
    page.get_by_label("Why", exact=True).fill("Not before Monday")
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("All writing is switched off: Not before Monday")).to_be_visible()

    page.get_by_label("Phase of Primary care").select_option("low_risk")
    page.get_by_role("button", name="Change phase").click()
    expect(page.locator("#workflows .phase")).to_have_text("Low risk")

    page.get_by_role("button", name="Rotate the key").click()
    expect(page.locator("#keys")).to_contain_text("igns")

    page.get_by_text("End this registration for good").click()
    page.get_by_label("Type northside").fill("northside")
    page.get_by_role("button", name="Retire").click()
    expect(page.get_by_text("The tenant is retired.")).to_be_visible()

    auditor = signed_in(new_context, demo, AUDITOR)
    auditor.get_by_role("link", name="Audit").click()
    auditor.get_by_label("Tenant").select_option("northside")
    auditor.get_by_role("button", name="Show").click()
    for words in ("registered this tenant", "turned a switch", "retired this tenant"):
        expect(auditor.locator(".trail").get_by_text(words)).to_be_visible()


def test_every_page_of_the_administrators_is_accessible_and_fits(page: Page, demo: Demo) -> None:
    """Wide and narrow, light and dark."""
    page.goto(f"{demo.app}/launch?iss=https://elsewhere.example/fhir&launch=abc")
    paths = (
        "/admin/",
        "/admin/tenants/harbor-epic",
        "/admin/tenants/new",
        "/admin/launches",
        "/admin/launches?code=FFFFFF",
        "/admin/accounts",
        "/ops/",
    )
    for path in paths:
        page.goto(f"{demo.app}{path}")
        assert problems(page) == [], path
    page.goto(f"{demo.app}/admin/tenants/new")
    page.get_by_role("button", name="Register").click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()  # the page that answers is there
    assert problems(page) == [], "with mistakes"


def test_the_audit_trail_is_accessible_and_fits(new_context: Browsers, demo: Demo) -> None:
    page = signed_in(new_context, demo, AUDITOR)
    for path in ("/audit/", "/audit/?tenant=console"):
        page.goto(f"{demo.app}{path}")
        expect(page).to_have_url(f"{demo.app}{path}")
        assert problems(page) == [], path


def test_the_sign_in_page_is_accessible_and_says_what_failed(page: Page, demo: Demo) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    assert problems(page) == []
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill("wrong but long enough")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    assert problems(page) == [], "refused"


def test_the_whole_menu_is_reached_by_keyboard_and_focus_is_seen(page: Page) -> None:
    page.locator("body").press("Tab")
    expect(page.get_by_role("link", name="Skip to the main part")).to_be_focused()
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    for name in ("Sign out", "Tenants", "Launches", "Operations", "Accounts"):
        assert name in seen
