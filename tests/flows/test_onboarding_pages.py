"""The sheet's and the doctor's pages and commands, as administrators meet them; on both databases."""

import json
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from app.administrators.roles import Role
from app.cli.__main__ import countersign
from tests.flows.admin_browser import an_administrator
from tests.service import SECRET, Service

pytestmark = pytest.mark.either_database

SHEET, DOCTOR = "/admin/tenants/harbor-epic/sheet", "/admin/tenants/harbor-epic/doctor"
Run = Callable[..., Result]


@pytest.fixture
def run(service: Service, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command of this installation, with the service's own parts."""
    monkeypatch.setattr("app.cli.onboarding.wired", lambda: service.parts)
    return lambda *words: CliRunner().invoke(countersign, ["tenant", *words])


def test_the_sheet_shows_what_to_type_each_value_by_itself(service: Service) -> None:
    """A15, A59: redirect URI and JWKS URL are this tenant's own."""
    page = an_administrator(service, Role.COMPLIANCE).get(SHEET).text

    shown = re.findall(r'<code class="value">([^<]+)</code>', page)
    assert f"{service.origin}/launch" in shown
    assert f"{service.origin}/callback/harbor-epic" in shown
    assert f"{service.origin}/.well-known/jwks/harbor-epic.json" in shown
    assert "DocumentReference.Create (Clinical Notes) (R4)" in page
    assert "1046" in page


def test_every_tenants_sheet_has_a_page(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    for tenant in service.parts.tenants:
        page = browser.get(f"/admin/tenants/{tenant.id}/sheet")
        assert page.status_code == 200
        assert tenant.organization in page.text
        assert SECRET not in page.text


def test_the_doctor_asks_nobody_before_the_button(service: Service) -> None:
    """E08: opening an address sends nothing to the EHR."""
    before = len(service.ehr.qa("epic", "requests"))

    page = an_administrator(service, Role.IT_ADMIN).get(DOCTOR)

    assert "Run the checks" in page.text
    assert len(service.ehr.qa("epic", "requests")) == before


def test_a_healthy_tenants_page_says_so(service: Service) -> None:
    page = an_administrator(service, Role.OPERATIONS).post(DOCTOR)

    assert page.status_code == 200
    assert "Nothing has to be changed." in page.text
    assert "vendor&#39;s support" not in page.text


def test_the_cause_stands_first_with_the_text_for_the_vendor(service: Service) -> None:
    """A57: what follows from the clock is marked as following from it."""
    browser = an_administrator(service, Role.IT_ADMIN)
    service.clock.advance(minutes=10)

    page = browser.post(DOCTOR).text

    assert page.index('id="clock"') < page.index('id="client_authentication"')
    assert "One thing has to be changed. 1 more follows from that." in page
    assert "The clocks of Countersign and the EHR differ. Put that right first." in page
    assert "Countersign cannot be launched as it should at Harbor Family Medicine." in page


def test_only_those_who_look_after_launches_run_the_doctor(service: Service) -> None:
    """E11: compliance and product see what is registered and send nothing."""
    for role in (Role.COMPLIANCE, Role.PRODUCT):
        browser = an_administrator(service, role)
        assert "Run the checks" not in browser.get(DOCTOR).text
        assert browser.post(DOCTOR).status_code == 403


def test_a_forged_form_runs_nothing(service: Service) -> None:
    """E08."""
    browser = an_administrator(service, Role.IT_ADMIN)

    assert browser.post(DOCTOR, origin="https://elsewhere.example").status_code == 403
    assert browser.post(DOCTOR, {"csrf": "forged"}).status_code == 403


def test_an_unknown_tenant_has_no_pages(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    assert browser.get("/admin/tenants/nobody/sheet").status_code == 404
    assert browser.post("/admin/tenants/nobody/doctor").status_code == 404


def test_what_an_ehr_answers_is_escaped(service: Service) -> None:
    """E15: an EHR's own words reach a page only as text."""
    service.change_tenant("harbor-epic", oauth_issuer="https://login.example")
    options = {"issuer": "https://ehr.example/<script>alert(1)</script>"}
    service.ehr.arm("epic", fault="discovery_changed", interaction="discovery", times=None, options=options)

    page = an_administrator(service, Role.IT_ADMIN).post(DOCTOR).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_doctor_command_ends_with_zero_only_when_nothing_is_to_be_changed(service: Service, run: Run) -> None:
    healthy = run("doctor", "harbor-epic")
    service.change_tenant("harbor-epic", client_id="mistyped")
    sick = run("doctor", "harbor-epic")

    assert (healthy.exit_code, sick.exit_code) == (0, 1)
    assert "Nothing has to be changed." in healthy.stdout
    assert sick.stdout.index("mistyped") < sick.stdout.index("because")


def test_scripts_read_the_diagnosis_as_json(service: Service, run: Run) -> None:
    service.change_tenant("harbor-epic", client_id="mistyped")

    document = json.loads(run("doctor", "harbor-epic", "--json").stdout)

    assert document["ok"] is False
    first = document["findings"][0]
    assert (first["check"], first["outcome"], first["because_of"]) == ("client_id", "wrong", None)
    assert {"found", "expected", "change", "where", "title"} <= first.keys()


def test_the_text_for_the_vendor_can_be_printed_alone(service: Service, run: Run) -> None:
    assert "nothing to send" in run("doctor", "harbor-epic", "--text").stdout

    service.change_tenant("harbor-epic", client_id="mistyped")
    result = run("doctor", "harbor-epic", "--text")

    assert result.exit_code == 1
    assert result.stdout.startswith("Countersign cannot be launched")


def test_the_sheet_command_prints_text_and_json(service: Service, run: Run) -> None:
    text, document = run("sheet", "harbor-epic", "--text"), json.loads(run("sheet", "harbor-epic", "--json").stdout)

    assert text.exit_code == 0
    assert f"    {service.origin}/callback/harbor-epic\n" in text.stdout
    assert document["tenant_id"] == "harbor-epic"
    assert [api["number"] for api in document["apis"] if api["number"]] == ["1047", "1048", "1044", "1046"]


def test_an_unknown_tenant_is_said_in_one_line(run: Run) -> None:
    for command in ("sheet", "doctor"):
        assert "There is no tenant nobody" in str(run(command, "nobody").exception)


def test_where_several_organisations_share_an_ehr_the_launch_url_names_one(service: Service) -> None:
    """A38: and only then."""
    lakeside = service.parts.tenants.require("lakeside-athenaone")
    shared = {"fhir_base": lakeside.fhir_base, "expected_context": {"ah_practice": "a-1.Practice-2"}}
    service.change_tenant("lakeside-athenaone", expected_context={"ah_practice": "a-1.Practice-1"})
    service.change_tenant("reference-hospital", **shared)

    assert f"{service.origin}/launch/reference-hospital" in [
        line.value for line in service.parts.sheets.of("reference-hospital").entries
    ]
    assert f"{service.origin}/launch" in [line.value for line in service.parts.sheets.of("harbor-epic").entries]
