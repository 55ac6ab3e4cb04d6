"""The administrators' pages: who comes in, what each act leaves in the log, and what each page says."""

import re
from typing import Any

import pytest
from sqlalchemy import delete, insert

from app.administrators.record import CONSOLE
from app.administrators.roles import RIGHTS, Act, Area, Role
from app.pages.admin.doors import GUARDED
from app.tenants.tables import client_keys, launch_traces
from tests.flows.admin_browser import PASSWORD, REGISTRATION, AdminBrowser, an_account, an_administrator, log_of
from tests.service import Service

pytestmark = pytest.mark.either_database

FILE_TENANT = "harbor-epic"
SAFE = {"GET", "HEAD", "OPTIONS"}
# Addresses of the areas, for what each role sees.
PAGES = {
    Area.TENANTS: ("/admin/", f"/admin/tenants/{FILE_TENANT}"),
    Area.LAUNCHES: ("/admin/launches",),
    Area.ACCOUNTS: ("/admin/accounts",),
    Area.AUDIT: ("/audit/", f"/audit/?tenant={FILE_TENANT}"),
    Area.OPERATIONS: ("/ops/",),
}


def a_trace(service: Service, reference: str = "1A2B3C", **fields: Any) -> None:
    known = {
        "trace_id": f"trace-{reference}",
        "reference": reference,
        "tenant_id": FILE_TENANT,
        "happened_at": service.clock(),
        "step": "token_exchange",
        "outcome": "token_exchange_failed",
        "detail": "the token endpoint answered with status 401: invalid_client",
        "facts": '{"http_status": 401, "framed": true, "asked_scopes": ["openid", "launch"]}',
    }
    with service.parts.database.write() as tx:
        tx.execute(insert(launch_traces).values(**(known | fields)))


def without_keys(service: Service, tenant_id: str) -> None:
    """The tests share their tenants' keys, for the EHR's sake; whoever rotates one begins without."""
    with service.parts.database.write() as tx:
        tx.execute(delete(client_keys).where(client_keys.c.tenant_id == tenant_id))


def test_nobody_comes_in_without_a_session(service: Service) -> None:
    """E11: and the sign-in leads on to what was asked for."""
    browser = AdminBrowser(service, service.browser())
    for path in (page for pages in PAGES.values() for page in pages):
        answer = browser.get(path)
        assert answer.status_code == 303
        assert answer.location.startswith("/admin/sign-in?next=")
    an_account(service, "Dana", Role.IT_ADMIN)
    assert browser.sign_in("Dana", next="/ops/").location == "/ops/"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://elsewhere.example/", "//elsewhere.example", "/charts/x/", "/admin/../x", "/admin/\\x", "javascript:x"],
)
def test_the_sign_in_leads_on_to_no_other_place(service: Service, elsewhere: str) -> None:
    """E23."""
    an_account(service, "Dana", Role.IT_ADMIN)
    assert AdminBrowser(service, service.browser()).sign_in("Dana", next=elsewhere).location == "/admin/"


def test_the_session_cookie_is_new_at_sign_in_and_closed_to_scripts_and_other_sites(service: Service) -> None:
    """E11: a cookie that was planted before the sign-in is not the session after it."""
    an_account(service, "Dana", Role.IT_ADMIN)
    browser = AdminBrowser(service, service.browser())
    browser.client.set_cookie("__Host-countersign-admin", "planted", domain="app.localhost")
    browser.sign_in("Dana")
    cookie = browser.cookie()
    assert cookie.value != "planted"
    assert (cookie.secure, cookie.http_only, cookie.same_site, cookie.path) == (True, True, "Lax", "/")
    assert browser.get("/admin/").status_code == 200


def test_a_wrong_password_is_answered_on_the_form(service: Service) -> None:
    """E11, E23."""
    an_account(service, "Dana", Role.IT_ADMIN)
    browser = AdminBrowser(service, service.browser())
    answers = [browser.sign_in("Dana", "wrong but long enough"), browser.sign_in("Nobody", PASSWORD)]
    assert {answer.status_code for answer in answers} == {403}
    assert all("do not belong together" in answer.text for answer in answers)
    assert browser.cookie() is None
    assert [one.event.fields()["reason"] for one in log_of(service, CONSOLE)[1:]] == ["wrong_password", "unknown_name"]


def test_signing_out_ends_the_session_and_not_only_its_cookie(service: Service) -> None:
    """E11."""
    browser = an_administrator(service, Role.IT_ADMIN)
    secret = browser.cookie().value
    assert browser.post("/admin/sign-out").status_code == 303
    assert browser.cookie() is None
    browser.client.set_cookie("__Host-countersign-admin", secret, domain="app.localhost")
    assert browser.get("/admin/").status_code == 303
    assert log_of(service, CONSOLE)[-1].event.tag == "admin:signed:out"


def test_an_idle_session_is_over_and_a_form_that_it_left_open_changes_nothing(service: Service) -> None:
    """E12."""
    browser = an_administrator(service, Role.IT_ADMIN)
    token = browser.csrf()
    service.clock.advance(minutes=16)
    answer = browser.post(f"/admin/tenants/{FILE_TENANT}/keys", {"csrf": token})
    assert answer.status_code == 401
    assert "Sign in" in answer.text
    assert not any(one.event.tag.startswith("tenant:key") for one in log_of(service, FILE_TENANT))


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_its_pages_and_is_refused_the_others_on_the_server(service: Service, role: Role) -> None:
    """E30."""
    browser = an_administrator(service, role)
    for area, pages in PAGES.items():
        for page in pages:
            assert browser.get(page).status_code == (200 if area in RIGHTS[role].areas else 403), page
    menu = browser.get("/admin/").text
    assert ("/admin/accounts" in menu) == (Area.ACCOUNTS in RIGHTS[role].areas)


def test_every_view_is_in_the_table_of_rights_and_every_change_is_an_act(service: Service) -> None:
    """E08, E30."""
    unguarded = {"admin_sign_in", "admin_sign_out"}
    named = set()
    for rule in service.app.url_map.iter_rules():
        blueprint, _, view = rule.endpoint.rpartition(".")
        if not str(rule).startswith(("/admin", "/audit", "/ops")) or blueprint in unguarded:
            continue
        right = GUARDED[blueprint][view]
        named.add(right)
        looks_only = view == "run_doctor"  # it asks the EHR, and changes nothing
        assert isinstance(right, Act) or (rule.methods or set()) <= SAFE or looks_only, rule
    assert set(Act) <= named


def forms(service: Service, browser: AdminBrowser) -> dict[Act, tuple[str, dict[str, Any], str, str]]:
    """For each act: where it is sent, what with, whose log it is in, and the event."""
    eve = an_account(service, "Eve", Role.OPERATIONS)
    fay = an_account(service, "Fay", Role.OPERATIONS)
    browser.register(id="second-reference", fhir_base="https://second.example/fhir")
    own = "/admin/tenants/northside-reference"
    without_keys(service, "northside-reference")
    phase = {"workflow": "primary-care", "phase": "full"}
    changed = REGISTRATION | {"organization": "Northside"}
    gone = "second-reference"
    mine = "northside-reference"
    return {
        Act.REGISTER_TENANT: ("/admin/tenants/new", REGISTRATION, mine, "tenant:registered"),
        Act.CHANGE_TENANT: (f"{own}/change", changed, mine, "tenant:changed"),
        Act.TURN_SWITCH: (f"{own}/switch", {"turn": "off", "reason": "A trial"}, mine, "tenant:switch:turned"),
        Act.CHANGE_PHASE: (f"{own}/phase", phase, mine, "tenant:phase:changed"),
        Act.ROTATE_KEY: (f"{own}/keys", {}, mine, "tenant:key:made"),
        Act.KEEP_SECRET: (f"{own}/secrets", {"name": "main", "value": "s3cret"}, mine, "tenant:secret:kept"),
        Act.RETIRE_TENANT: (f"/admin/tenants/{gone}/retirement", {"typed": gone}, gone, "tenant:retired"),
        Act.CHANGE_ROLES: (
            f"/admin/accounts/{eve.account_id}/roles",
            {"role": ["product"]},
            CONSOLE,
            "admin:roles:changed",
        ),
        Act.DISABLE_ACCOUNT: (f"/admin/accounts/{fay.account_id}/disabled", {}, CONSOLE, "admin:disabled"),
        Act.END_WRITE: a_stopped_write(service),
    }


def a_stopped_write(service: Service) -> tuple[str, dict[str, Any], str, str]:
    """A note whose signer has left before it could be sent."""
    chart = service.signed()
    service.end_tokens()
    service.work()
    written, form = chart.note().state.signed.writeback_id, {"ending": "abandon", "reference": "INC-7"}
    return f"/ops/writes/{FILE_TENANT}/{written}", form, FILE_TENANT, "writeback:settled"


def test_every_act_of_an_administrator_is_an_event_in_their_name(service: Service) -> None:
    """E30: walked over the table of acts, so that a new one cannot be forgotten."""
    browser = an_administrator(service, Role.IT_ADMIN)
    acts = forms(service, browser)
    assert acts.keys() == set(Act)
    for act, (path, form, tenant_id, tag) in acts.items():
        before = len(log_of(service, tenant_id))
        answer = browser.post(path, form)
        assert answer.status_code == 303, (act, answer.text)
        mine = [one for one in log_of(service, tenant_id)[before:] if one.event.tag == tag]
        assert [one.actor for one in mine] == [f"admin:{browser.account.account_id}"], act
        assert "s3cret" not in str([one.event.fields() for one in mine])


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.IT_ADMIN])
def test_an_act_outside_of_the_role_is_refused_and_leaves_nothing(service: Service, role: Role) -> None:
    """E30: on the server, whatever the page shows."""
    acts = forms(service, an_administrator(service, Role.IT_ADMIN))
    browser = an_administrator(service, role)
    for act in set(Act) - RIGHTS[role].acts:
        path, form, tenant_id, _ = acts[act]
        before = len(log_of(service, tenant_id))
        assert browser.post(path, form).status_code == 403, act
        assert len(log_of(service, tenant_id)) == before, act


def test_a_forged_act_is_refused(service: Service) -> None:
    """E08: from another site, without the page's token, or with that of another session."""
    browser, other = an_administrator(service, Role.IT_ADMIN), an_administrator(service, Role.IT_ADMIN, name="Gil")
    acts = forms(service, browser)
    for path, form, tenant_id, _ in acts.values():
        before = len(log_of(service, tenant_id))
        assert browser.post(path, form, origin="https://elsewhere.example").status_code == 403
        assert browser.post(path, form, origin="").status_code == 403
        assert browser.post(path, form | {"csrf": ""}).status_code == 403
        assert browser.post(path, form | {"csrf": other.csrf()}).status_code == 403
        assert len(log_of(service, tenant_id)) == before
    assert browser.post("/admin/sign-out", origin="https://elsewhere.example").status_code == 403
    assert browser.get("/admin/").status_code == 200


def test_a_foreign_page_signs_nobody_in(service: Service) -> None:
    """E08: else an attacker could sign a victim into an account of theirs."""
    an_account(service, "Dana", Role.IT_ADMIN)
    browser = AdminBrowser(service, service.browser())
    for forged in ({"origin": "https://elsewhere.example"}, {"form": {"csrf": ""}}):
        form = {"name": "Dana", "password": PASSWORD} | forged.get("form", {})
        answer = browser.post("/admin/sign-in", form, origin=forged.get("origin"))
        assert answer.status_code == 403
        assert browser.cookie() is None


def test_a_tenant_is_registered_by_the_form_alone_and_known_at_once(service: Service) -> None:
    """E30."""
    browser = an_administrator(service, Role.IT_ADMIN)
    form = browser.get("/admin/tenants/new").text
    assert all(f'name="{name}"' in form for name in REGISTRATION)
    answer = browser.register()
    assert answer.location == "/admin/tenants/northside-reference?done=registered"
    tenant = service.parts.tenants.require("northside-reference")
    assert (tenant.organization, tenant.workflow.title, tenant.oauth_issuer) == (
        "Northside Clinic",
        "Primary care",
        None,
    )
    page = browser.get(answer.location).text
    assert "Registered." in page
    assert "Draft only" in page
    assert "Northside Clinic" in browser.get("/admin/").text


def test_every_mistake_stands_beside_its_field_and_what_was_typed_stays(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    answer = browser.register(id="UPPER", fhir_base="ehr.example", timezone="Mars", organization="")
    assert answer.status_code == 400
    for name in ("id", "fhir_base", "timezone", "organization"):
        assert re.search(rf'id="field-{name}"[^>]*aria-describedby="[^"]*field-{name}-problem"', answer.text), name
        assert f'href="#field-{name}"' in answer.text
    assert 'value="Mars"' in answer.text
    assert service.parts.tenants.get("upper") is None


def test_a_change_keeps_what_the_form_does_not_ask_for(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    browser.register(
        **{"workflows.0.matches": "service_type=http://snomed.info/sct|394579002", "oauth_issuer": "https://id.example"}
    )
    form = browser.get("/admin/tenants/northside-reference/change").text
    assert "service_type=http://snomed.info/sct|394579002" in form
    assert 'name="id"' not in form
    changed = {name: value for name, value in REGISTRATION.items() if name != "id"}
    more = {
        "workflows.0.matches": "service_type=http://snomed.info/sct|394579002",
        "oauth_issuer": "https://id.example",
        "workflows.1.id": "cardiology",
        "workflows.1.title": "Cardiology",
    }
    answer = browser.post("/admin/tenants/northside-reference/change", changed | more)
    assert answer.status_code == 303, answer.text
    tenant = service.parts.tenants.require("northside-reference")
    assert [one.id for one in tenant.workflows] == ["primary-care", "cardiology"]
    assert tenant.workflow.matches[0].service_type.endswith("394579002")


def test_a_tenant_of_a_file_is_shown_and_says_where_it_is_changed(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    page = browser.get(f"/admin/tenants/{FILE_TENANT}").text
    assert f"smart-config/tenants/{FILE_TENANT}.yaml" in page
    assert f"/admin/tenants/{FILE_TENANT}/change" not in page
    assert browser.get(f"/admin/tenants/{FILE_TENANT}/change").status_code == 403
    assert browser.post(f"/admin/tenants/{FILE_TENANT}/change", REGISTRATION).status_code == 403
    assert browser.post(f"/admin/tenants/{FILE_TENANT}/retirement", {"typed": FILE_TENANT}).status_code == 403


def test_a_switch_is_turned_with_a_reason_that_everybody_sees(service: Service) -> None:
    browser = an_administrator(service, Role.OPERATIONS)
    path = f"/admin/tenants/{FILE_TENANT}/switch"
    assert browser.post(path, {"turn": "off", "reason": " "}).status_code == 400
    assert browser.post(path, {"turn": "off", "reason": "EHR upgrade tonight"}).status_code == 303
    for page in ("/admin/", f"/admin/tenants/{FILE_TENANT}", "/ops/"):
        assert "EHR upgrade tonight" in browser.get(page).text
    assert "Stopped" in browser.get("/admin/").text
    assert browser.account.name in browser.get("/ops/").text
    assert browser.post(path, {"turn": "on", "reason": "Done"}).status_code == 303
    assert "EHR upgrade tonight" not in browser.get("/admin/").text


def test_a_secret_is_entered_and_never_shown(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    browser.register(**{"authentication.method": "client_secret_basic", "authentication.secret": "sealed:main"})
    answer = browser.post(
        "/admin/tenants/northside-reference/secrets", {"name": "main", "value": "s3cret-of-northside"}
    )
    page = browser.get(answer.location).text
    assert "sealed:main" in page
    assert "s3cret-of-northside" not in page
    refused = browser.post("/admin/tenants/northside-reference/secrets", {"name": "main", "value": "two\nlines"})
    assert refused.status_code == 400
    assert "two\nlines" not in refused.text


def test_keys_show_their_ages_and_one_rotation_at_a_time(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    browser.register()
    without_keys(service, "northside-reference")
    service.parts.client_keys.signer(service.parts.tenants.require("northside-reference"), service.clock())
    path = "/admin/tenants/northside-reference"
    assert browser.post(f"{path}/keys").status_code == 303
    page = browser.get(path).text
    assert "Signs now" in page
    assert "signs from" in page
    again = browser.post(f"{path}/keys")
    assert again.status_code == 403
    assert "published already" in again.text


def test_retiring_asks_for_the_id_and_takes_it_for_ever(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    browser.register()
    path = "/admin/tenants/northside-reference/retirement"
    assert browser.post(path, {"typed": "northside"}).status_code == 400
    assert browser.post(path, {"typed": "northside-reference"}).status_code == 303
    assert browser.get("/admin/tenants/northside-reference").status_code == 404
    assert "is taken" in browser.register().text


def test_a_launch_is_found_by_the_code_that_the_clinician_read_out(service: Service) -> None:
    """E23: also with the words before it, and in lower case."""
    browser = an_administrator(service, Role.OPERATIONS)
    a_trace(service)
    for typed in ("1A2B3C", " 1a2b3c ", "token_exchange_failed 1A2B3C"):
        assert browser.get("/admin/launches", query_string={"code": typed}).location == "/admin/launches/1A2B3C"
    page = browser.get("/admin/launches/1A2B3C").text
    for words in ("Harbor", "invalid_client", "401", "openid, launch", "Failed"):
        assert words in page
    assert "the last launch failed" in browser.get("/admin/").text.lower()
    assert "No launch has left the code FFFFFF" in browser.get("/admin/launches?code=ffffff").text
    assert browser.get("/admin/launches/FFFFFF").status_code == 404


def test_a_launch_from_an_unknown_ehr_is_found_too(service: Service) -> None:
    browser = an_administrator(service, Role.IT_ADMIN)
    a_trace(service, "0F0F0F", tenant_id=None, facts='{"iss": "https://elsewhere.example/<b>fhir"}')
    page = browser.get("/admin/launches/0F0F0F").text
    assert "No registered tenant" in page
    assert "<b>fhir" not in page


def test_roles_and_accounts_are_changed_on_their_page(service: Service) -> None:
    """E11."""
    browser, eve = an_administrator(service, Role.IT_ADMIN), an_administrator(service, Role.OPERATIONS, name="Eve")
    path = f"/admin/accounts/{eve.account.account_id}"
    assert browser.post(f"{path}/roles", {"role": []}).status_code == 400
    assert browser.post(f"{path}/roles", {"role": ["compliance"]}).status_code == 303
    assert (eve.get("/audit/").status_code, eve.get("/ops/").status_code) == (200, 403)
    assert browser.post(f"{path}/disabled").status_code == 303
    assert eve.get("/audit/").status_code == 303
    assert "Disabled" in browser.get("/admin/accounts").text
    own = f"/admin/accounts/{browser.account.account_id}"
    assert browser.post(f"{own}/disabled").status_code == 400
    assert browser.post(f"{own}/roles", {"role": ["product"]}).status_code == 400


def test_nobody_gives_themselves_the_audit_trail(service: Service) -> None:
    """E11, E30: separation of duties holds against the administrator who looks after the accounts."""
    browser, eve = an_administrator(service, Role.IT_ADMIN), an_administrator(service, Role.OPERATIONS, name="Eve")
    own = f"/admin/accounts/{browser.account.account_id}/roles"
    for chosen in (["it_admin", "compliance"], ["it_admin", "product"], ["compliance"], ["it_admin"]):
        answer = browser.post(own, {"role": chosen})
        assert answer.status_code == 400
        assert "your own roles" in answer.text
    assert browser.get("/audit/").status_code == 403

    both = browser.post(f"/admin/accounts/{eve.account.account_id}/roles", {"role": ["it_admin", "compliance"]})
    assert both.status_code == 400
    assert "two accounts" in both.text.lower()
    assert eve.get("/ops/").status_code == 200


def test_the_audit_trail_is_filtered_paged_and_told_as_a_story(service: Service) -> None:
    """E30."""
    chart = service.signed()
    browser = an_administrator(service, Role.COMPLIANCE)
    everything = browser.get(f"/audit/?tenant={FILE_TENANT}").text
    assert "signed the note" in everything
    note = chart.note()
    only = browser.get("/audit/", query_string={"tenant": FILE_TENANT, "tag": "note:signed"}).text
    assert "signed the note" in only
    assert "received the AI draft" not in only.partition('class="trail"')[2]
    story = browser.get(f"/audit/{FILE_TENANT}/note:{note.note_id}").text
    assert story.index("received the AI draft") < story.index("signed the note")
    assert "ordered the note" not in story.partition('class="trail"')[2]
    mine = browser.get("/audit/", query_string={"tenant": FILE_TENANT, "actor": chart.launch().actor}).text
    assert "opened this chart" in mine
    whose = re.findall(r'<strong><a href="([^"]+actor=[^"]+)">', everything)
    assert mine.count("<li>") == browser.get(whose[0].replace("&amp;", "&")).text.count("<li>")
    assert f"countersign log export {FILE_TENANT} DIRECTORY" in everything
    day = f"{service.clock():%Y-%m-%d}"
    assert (
        "signed the note"
        in browser.get("/audit/", query_string={"tenant": FILE_TENANT, "since": day, "until": day}).text
    )
    assert "Nothing in this tenant" in browser.get(f"/audit/?tenant={FILE_TENANT}&until=2001-01-01").text
    assert browser.get(f"/audit/?tenant={FILE_TENANT}&since=yesterday").status_code == 400
    assert browser.get("/audit/?tenant=nobody").status_code == 404
    nowhere = browser.get(f"/audit/{FILE_TENANT}/note:nothing")
    assert (nowhere.status_code, 'href="/audit/">Back to the audit trail' in nowhere.text) == (404, True)


def test_a_long_trail_comes_in_pages_without_a_line_lost_or_doubled(service: Service) -> None:
    busy, browser = an_administrator(service, Role.IT_ADMIN), an_administrator(service, Role.COMPLIANCE)
    for number in range(60):
        busy.post(f"/admin/tenants/{FILE_TENANT}/switch", {"turn": "off", "reason": f"Reason {number}"})
    pages, path = [], f"/audit/?tenant={FILE_TENANT}"
    while path:
        pages.append(browser.get(path).text)
        older = re.search(r'href="([^"]+)">Older', pages[-1])
        path = older[1].replace("&amp;", "&") if older else ""
    numbers = [int(one) for page in pages for one in re.findall(r"no\. (\d+)</span>", page)]
    assert len(pages) == 2
    assert numbers == list(range(len(numbers), 0, -1))


def test_operations_shows_what_the_rows_say(service: Service) -> None:
    browser = an_administrator(service, Role.OPERATIONS)
    assert "No note was signed yet" in browser.get("/ops/").text
    service.signed()
    page = browser.get("/ops/").text
    assert "The queue does not answer" in page
    assert re.search(r'data-label="Queued" class="some">1<', page)
    assert re.search(r"<strong>1</strong> in Harbor", page)
    service.work()
    assert re.search(r'data-label="Verified" class="some">1<', browser.get("/ops/").text)


@pytest.mark.parametrize(
    "path", ["/admin/sign-in", "/admin/", "/audit/", "/ops/", "/admin/tenants/nobody", "/admin/nothing"]
)
def test_no_page_is_framed_cached_or_scripted(service: Service, path: str) -> None:
    """E23."""
    browser = an_administrator(service, Role.COMPLIANCE if path.startswith("/audit") else Role.IT_ADMIN)
    answer = browser.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script" not in answer.text
    assert "patient's chart" not in answer.text or path in ("/admin/sign-in", "/admin/nothing")


def test_what_is_displayed_is_escaped(service: Service) -> None:
    """E23."""
    browser = an_administrator(service, Role.IT_ADMIN)
    browser.register(organization="<b>Northside</b>")
    assert "<b>Northside" not in browser.get("/admin/").text
    assert "<b>Northside" not in browser.get("/admin/tenants/northside-reference").text


def test_the_moment_of_a_page_is_the_apps_clock(service: Service) -> None:
    browser = an_administrator(service, Role.OPERATIONS)
    shown = re.search(r"As of (\d+ \w+ \d{4})", browser.get("/ops/").text)
    assert shown
    assert shown[1] == f"{service.clock():%-d %b %Y}"
