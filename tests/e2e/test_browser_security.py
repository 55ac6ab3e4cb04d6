"""Security as seen from the browser: what reaches it, what it may send, and who may frame the pages."""

import base64
import hashlib
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Response, Route, expect

from app.demo.running import Demo
from tests.e2e.charts import Chart, Charts, document_of, draft_in_chart, draft_in_window, reach, ready_to_sign, sign
from tests.e2e.conftest import Browsers
from tests.ehr import RunningSandbox

pytestmark = pytest.mark.browser

# In a frame of another site Chromium may close the storage altogether; that is as good as empty.
EVERYTHING_IN_THE_PAGE = """() => {
  const stored = (name) => { try { return { ...window[name] } } catch { return "closed" } }
  const kept = [document.cookie, stored("localStorage"), stored("sessionStorage"), window.name, history.state]
  return JSON.stringify([document.documentElement.outerHTML, location.href, ...kept])
}"""
FORGE = (
    """<!doctype html><form method="post" action="{url}">{fields}</form><script>document.forms[0].submit()</script>"""
)
FRAMED = """<!doctype html><title>elsewhere</title><iframe name="stolen" src="{url}"></iframe>"""
POST_WITHOUT_TOKEN = """async (url) => {
  const body = new URLSearchParams({ revision: 0, text: "Forged." })
  return (await fetch(url, { method: "POST", body })).status
}"""
ELSEWHERE = "http://elsewhere.localhost/"


class Secrets:
    """The fingerprints of everything that the browser must never see, so that seeing it can be recognised."""

    def __init__(self, sandbox: RunningSandbox, ehr: str) -> None:
        with closing(sqlite3.connect(sandbox.home / "sandbox" / f"{ehr}.sqlite")) as connection:
            rows = connection.execute("SELECT token_sha256, refresh_sha256 FROM tokens").fetchall()
        self.fingerprints = {fingerprint for row in rows for fingerprint in row if fingerprint}
        self.challenges: set[str] = set()

    def found_in(self, text: str) -> list[str]:
        """Every token, refresh token or code_verifier in the text."""
        return [word for word in words(text) if self._is_secret(word)]

    def _is_secret(self, word: str) -> bool:
        digest = hashlib.sha256(word.encode())
        challenge = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
        return digest.hexdigest() in self.fingerprints or challenge in self.challenges


def words(text: str) -> Iterable[str]:
    """Whatever could be a token, also behind `name=`, in quotes or percent-encoded."""
    return set(re.findall(r"[A-Za-z0-9_~+/-][A-Za-z0-9._~+/-]{15,}", text)) | set(re.findall(r"[\w.-]{16,}", text))


@pytest.mark.parametrize("ehr", ["epic", "athenaone"])
def test_no_token_and_no_verifier_ever_reaches_the_browser(
    page: Page, charts: Charts, sandbox: RunningSandbox, demo: Demo, ehr: str
) -> None:
    """E01, A18."""
    seen = answers_to(page)
    frame = draft_in_chart(page, charts.fresh(ehr))
    looks = [document_of(page).evaluate(EVERYTHING_IN_THE_PAGE)]
    ready_to_sign(frame)
    looks.append(document_of(page).evaluate(EVERYTHING_IN_THE_PAGE))
    frame.locator("#sign button").click()
    reach(frame, "Verified" if ehr == "epic" else "Signed")
    looks.append(document_of(page).evaluate(EVERYTHING_IN_THE_PAGE))
    frame.get_by_role("link", name="Full record").click()
    expect(frame.locator(".story")).to_be_visible()
    looks.append(document_of(page).evaluate(EVERYTHING_IN_THE_PAGE))

    secrets = Secrets(sandbox, ehr)
    asked = [parse_qs(urlsplit(one.url).query) for one in seen]
    secrets.challenges = {one["code_challenge"][0] for one in asked if "code_challenge" in one}
    assert secrets.fingerprints
    assert secrets.challenges
    ours = [one for one in seen if one.url.startswith(demo.app)]
    assert len(ours) > 5
    for text in [*looks, *map(everything_in, ours)]:
        assert secrets.found_in(text) == []


def test_the_search_for_tokens_would_find_one(page: Page, charts: Charts, sandbox: RunningSandbox) -> None:
    """E01: the search itself."""
    secrets = Secrets(sandbox, "epic")
    secrets.fingerprints = {hashlib.sha256(b"q8Vh2_a-token.of~43+characters/x").hexdigest()}
    secrets.challenges = {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}  # the example of RFC 7636, appendix B

    assert secrets.found_in('{"access_token": "q8Vh2_a-token.of~43+characters/x"}') != []
    assert secrets.found_in("code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&x=1") != []


def answers_to(page: Page) -> list[Response]:
    """Every answer that the page gets from now on, in a list that grows."""
    answers: list[Response] = []

    def note(one: Response) -> None:
        answers.append(one)

    page.on("response", note)
    return answers


def everything_in(response: Response) -> str:
    """Address, headers and body of an answer; a redirect has no body."""
    headers = "\n".join(f"{one['name']}: {one['value']}" for one in response.headers_array())
    try:
        return f"{response.url}\n{headers}\n{response.text()}"
    except PlaywrightError:
        return f"{response.url}\n{headers}"


def test_every_cookie_is_bound_to_host_tls_http_and_the_charts_site(page: Page, charts: Charts, demo: Demo) -> None:
    """E02."""
    answers = answers_to(page)
    draft_in_chart(page, charts.shared())

    headers = [one for answer in answers if answer.url.startswith(demo.app) for one in answer.headers_array()]
    lines = [one["value"] for one in headers if one["name"].lower() == "set-cookie"]
    given = [line for line in lines if "Max-Age=0" not in line]
    assert len(given) == 3  # one to see whether the frame keeps cookies, one for the sign-in, one for the launch
    for line in lines:
        attributes = {part.strip() for part in line.split(";")[1:]}
        assert line.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"} <= attributes
        assert not any(attribute.startswith("Domain") for attribute in attributes)
    assert document_of(page).evaluate("document.cookie") == ""
    [kept] = [one for one in page.context.cookies() if one["name"].startswith("__Host-countersign")]
    assert kept["partitionKey"] == "http://ehr.localhost"


def test_only_the_tenants_own_ehr_may_frame_its_pages(page: Page, charts: Charts, demo: Demo) -> None:
    """E06."""
    answers = answers_to(page)
    frame = draft_in_chart(page, charts.fresh("athenaone"))
    sign(frame)
    document_of(page).evaluate("fetch('nowhere')")
    document_of(page).evaluate("fetch('/charts/no-such-launch/')")

    policies: dict[str, set[str]] = {}
    for one in answers:
        if one.url.startswith(demo.app):
            allowed = one.headers["content-security-policy"].rpartition("frame-ancestors ")[2]
            policies.setdefault(urlsplit(one.url).path.split("/")[1], set()).add(allowed)
    assert policies["launch"] == policies["callback"] == {demo.sandbox}
    assert policies["charts"] == {demo.sandbox, "'none'"}  # nobody's, for the launch that does not exist


def test_another_site_cannot_frame_an_open_chart(page: Page, charts: Charts) -> None:
    """E06, E09."""
    draft_in_window(page, charts.shared())
    address = page.url
    page.route(ELSEWHERE, lambda route: route.fulfill(body=FRAMED.format(url=address), content_type="text/html"))
    page.goto(ELSEWHERE)

    framed = page.frame_locator("iframe")
    expect(framed.locator("[data-claim]")).to_have_count(0)
    assert "MRN" not in framed.locator("body").inner_text()


@pytest.mark.parametrize("stolen", [True, False], ids=["with a stolen token", "without a token"])
def test_a_form_of_another_site_changes_nothing(page: Page, charts: Charts, stolen: bool) -> None:
    """E08."""
    draft_in_window(page, charts.fresh("athenaone"))
    launch, line = page.url, page.locator("[data-claim]").last
    before = line.locator("[data-claim-text]").inner_text()
    token = page.locator("[name=csrf]").first.input_value() if stolen else ""
    url = line.locator("[data-editor]").evaluate("(form) => form.action")
    fields = "".join(
        f'<input name="{name}" value="{value}">'
        for name, value in {"csrf": token, "revision": "0", "text": "Forged."}.items()
    )
    page.route(ELSEWHERE, lambda route: answer(route, FORGE.format(url=url, fields=fields)))

    with page.expect_response(url) as refused:
        page.goto(ELSEWHERE)

    assert refused.value.status == 403  # with 401 the cookie would have stayed at home, and nothing were proven
    expect(page.get_by_role("heading", level=1)).to_have_text("This request was refused")
    page.goto(launch)
    expect(page.locator("[data-claim]").last.locator("[data-claim-text]")).to_have_text(before)


def test_our_own_page_without_the_token_changes_nothing(page: Page, charts: Charts) -> None:
    """E08."""
    draft_in_window(page, charts.shared())
    url = page.locator("[data-editor]").last.evaluate("(form) => form.action")

    assert page.evaluate(POST_WITHOUT_TOKEN, url) == 403


def test_looking_at_a_chart_changes_nothing_in_it(page: Page, charts: Charts, sandbox: RunningSandbox) -> None:
    chart: Chart = charts.shared()
    draft_in_window(page, chart)
    before = len(sandbox.qa("athenaone", "writes"))
    for address in ("", "sign", "draft", "claims/c001/text", "claims/c001/decision"):
        page.goto(f"{page.url.partition('/charts/')[0]}/charts/{page.url.split('/')[4]}/{address}")

    assert len(sandbox.qa("athenaone", "writes")) == before


def test_patient_data_is_neither_cached_nor_in_the_title_nor_sent_as_referrer(page: Page, charts: Charts) -> None:
    """E07."""
    answers = answers_to(page)
    draft_in_window(page, charts.shared())

    clinical = [one for one in answers if "/charts/" in one.url and "app.localhost" in one.url]
    assert clinical
    for one in clinical:
        assert one.headers["cache-control"] == "no-store"
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["referrer-policy"] == "same-origin"
    name = page.locator(".patient-name").inner_text()
    assert name.split(",")[0].lower() not in page.title().lower()


def test_a_launch_in_one_browser_gives_another_browser_no_cookie(
    page: Page, charts: Charts, new_context: Browsers
) -> None:
    """E11."""
    draft_in_window(page, charts.shared())
    names = {cookie["name"] for cookie in page.context.cookies()}
    other = new_context().new_page()
    draft_in_window(other, charts.shared())

    assert names.isdisjoint(cookie["name"] for cookie in other.context.cookies())


def answer(route: Route, body: str) -> None:
    route.fulfill(body=body, content_type="text/html")
