"""The way to the EHR's sign-in: the ladder when cookies are lost in a frame, the break-out, and the request by POST."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from launch_harness import Harness, query_of, registration_for
from small_ehr import SmallEHR
from werkzeug.test import TestResponse

from launch.handles import handle_digest
from launch.pages import OpenInWindow, SendByPost
from launch.transaction import digest

FRAME = {"Sec-Fetch-Dest": "iframe"}
POSTED = {"capabilities": ["launch-ehr", "sso-openid-connect", "permission-v2", "authorize-post"]}


def offered(harness: Harness) -> OpenInWindow:
    page = harness.pages[-1]
    assert isinstance(page, OpenInWindow)
    return page


def without_cookies(harness: Harness) -> FlaskClient:
    """A frame whose cookies the browser drops."""
    return harness.app.test_client(use_cookies=False)


def ladder(harness: Harness, ehr: SmallEHR) -> OpenInWindow:
    """What a framed launch meets where the browser drops the cookie."""
    frame = without_cookies(harness)
    checked = harness.launch(frame, ehr, dest="iframe").location
    assert frame.get(checked, headers=FRAME).status_code == 200
    return offered(harness)


def at_the_ehr(answer: TestResponse, ehr: SmallEHR) -> bool:
    return answer.status_code == 303 and answer.location.startswith(f"{ehr.origin}/oauth2/authorize?")


@pytest.mark.parametrize("dest", ["iframe", "frame", "IFRAME", "embed"])
def test_a_framed_launch_looks_whether_the_cookie_comes_back_and_goes_on(
    harness: Harness, ehr: SmallEHR, dest: str
) -> None:
    """E03: the first rung; the transaction has a cookie of its own and the look's cookie is taken back."""
    frame = harness.browser()
    looking = harness.launch(frame, ehr, dest=dest)
    assert re.fullmatch(r"/launch/check\?tx=[A-Za-z0-9_-]{43}", looking.location)
    assert not ehr.requests

    answer = frame.get(looking.location, headers=FRAME)

    assert at_the_ehr(answer, ehr)
    cookies = answer.headers.getlist("Set-Cookie")
    assert sorted("Max-Age=0" in cookie for cookie in cookies) == [False, True]
    returned = frame.get("/callback/clinic", query_string=ehr.authorize(answer.location))
    assert returned.status_code == 303
    assert harness.facts[-1].is_framed


@pytest.mark.parametrize("dest", ["", "document"])
def test_a_launch_in_a_window_of_its_own_goes_straight_to_the_ehr(harness: Harness, ehr: SmallEHR, dest: str) -> None:
    """E03."""
    assert at_the_ehr(harness.launch(harness.browser(), ehr, dest=dest), ehr)


def test_where_the_cookie_is_lost_the_launch_goes_on_in_a_new_window(harness: Harness, ehr: SmallEHR) -> None:
    """E03, E04: by a one-time handle; the window's own cookies bind the callback to it and to nothing else."""
    page = ladder(harness, ehr)
    assert page.cookie_was_lost
    assert not harness.transactions.waiting, "nothing was sent to the EHR before the browser was known to keep cookies"

    window = harness.browser()
    looked = window.get(page.continue_url)
    answer = window.get(looked.location)
    assert at_the_ehr(answer, ehr)
    returned = ehr.authorize(answer.location)
    assert without_cookies(harness).get("/callback/clinic", query_string=returned).json["code"] == "browser_mismatch"


def test_after_the_new_window_the_chart_opens_there(harness: Harness, ehr: SmallEHR) -> None:
    """E03, E04."""
    window = harness.browser()
    answer = window.get(window.get(ladder(harness, ehr).continue_url).location)

    finished = window.get("/callback/clinic", query_string=ehr.authorize(answer.location))

    assert (finished.status_code, finished.location) == (303, "/charts/the-launch/")
    assert harness.facts[-1].is_framed is False


def test_a_frame_that_may_keep_cookies_after_all_goes_on_where_it_is(harness: Harness, ehr: SmallEHR) -> None:
    """E03: after the browser granted storage access, the same handle is opened in the frame."""
    page = ladder(harness, ehr)
    assert page.storage_access_may_help

    frame = harness.browser()
    looked = frame.get(page.continue_url, headers=FRAME)
    assert at_the_ehr(frame.get(looked.location, headers=FRAME), ehr)


def test_allowing_the_cookie_is_offered_once(harness: Harness, ehr: SmallEHR) -> None:
    """E03: where it did not help, only the window is left."""
    frame = without_cookies(harness)
    looked = frame.get(ladder(harness, ehr).continue_url, headers=FRAME)

    assert frame.get(looked.location, headers=FRAME).status_code == 200
    assert not offered(harness).storage_access_may_help


def test_a_browser_without_any_cookies_ends_in_a_clear_message(harness: Harness, ehr: SmallEHR) -> None:
    """E03: the end of the ladder; no transaction was made, so no callback can arrive unbound."""
    window = without_cookies(harness)
    looked = window.get(ladder(harness, ehr).continue_url)

    answer = window.get(looked.location)

    assert (answer.status_code, answer.json["code"]) == (400, "cookies_blocked")
    assert not harness.transactions.waiting
    assert harness.facts[-1].cookie_seen is False
    assert not ehr.requests


def test_a_guessed_cookie_is_no_cookie(harness: Harness, ehr: SmallEHR) -> None:
    """E03, A17."""
    looking = harness.launch(harness.browser(), ehr, dest="iframe")
    name = looking.headers["Set-Cookie"].split("=")[0]
    answer = without_cookies(harness).get(looking.location, headers={**FRAME, "Cookie": f"{name}=guess"})

    assert answer.status_code == 200
    assert offered(harness).cookie_was_lost


def test_an_ehr_that_refuses_to_be_framed_is_signed_in_to_in_a_window(harness: Harness, ehr: SmallEHR) -> None:
    """E03, E05: at once, whatever the cookies; also when the link is opened in the frame by mistake."""
    harness.registrations.all = [registration_for(ehr, sign_in="top_window")]
    frame = harness.browser()
    answer = harness.launch(frame, ehr, dest="iframe")
    assert (answer.status_code, offered(harness).cookie_was_lost) == (200, False)
    assert not offered(harness).storage_access_may_help

    assert frame.get(offered(harness).continue_url, headers=FRAME).status_code == 200
    window = harness.browser()
    looked = window.get(offered(harness).continue_url)
    assert at_the_ehr(window.get(looked.location), ehr)


def test_an_ehr_that_refuses_to_be_framed_is_left_alone_in_a_window_of_its_own(harness: Harness, ehr: SmallEHR) -> None:
    """E05."""
    harness.registrations.all = [registration_for(ehr, sign_in="top_window")]

    assert at_the_ehr(harness.launch(harness.browser(), ehr, dest="document"), ehr)


def test_a_handle_works_once(harness: Harness, ehr: SmallEHR) -> None:
    """E04: for the look and for the window alike."""
    browser = harness.browser()
    looking = harness.launch(browser, ehr, dest="iframe").location
    assert at_the_ehr(browser.get(looking, headers=FRAME), ehr)
    assert browser.get(looking, headers=FRAME).json["code"] == "handle_refused"

    page = ladder(harness, ehr)
    assert browser.get(page.continue_url).status_code == 303
    assert browser.get(page.continue_url).json["code"] == "handle_refused"


def test_a_handle_ends_after_ten_minutes(harness: Harness, ehr: SmallEHR) -> None:
    """E04."""
    page = ladder(harness, ehr)
    harness.clock.ahead = timedelta(minutes=10)

    assert harness.browser().get(page.continue_url).json["code"] == "handle_refused"


def test_a_handle_is_no_session_no_state_and_for_nothing_else(harness: Harness, ehr: SmallEHR) -> None:
    """E04: 256 bits, stored as a digest; neither a look's handle opens a window nor is either a state."""
    page = ladder(harness, ehr)
    handle = page.continue_url.rpartition("/")[2]
    assert handle not in repr([page, *harness.waiting.waiting.values()])
    assert [*harness.waiting.waiting] == [handle_digest(handle)]
    assert handle_digest(handle) != digest(handle)

    browser = harness.browser()
    assert browser.get(f"/callback/clinic?state={handle}&code=x").json["code"] == "state_refused"
    assert browser.get(f"/launch/check?tx={handle}").json["code"] == "handle_refused"
    assert not harness.waiting.waiting, "and it is spent by the attempt"


@pytest.mark.parametrize("handle", ["x", "x" * 43, "../../launch", "%00", "é" * 43, "x" * 3000])
def test_an_invented_handle_opens_nothing(harness: Harness, handle: str) -> None:
    """E04."""
    browser = harness.browser()
    assert browser.get(f"/launch/continue/{handle}").status_code in (400, 404)
    assert browser.get("/launch/check", query_string={"tx": handle}).status_code == 400
    assert browser.get("/launch/check").json["code"] == "malformed_request"


def test_a_tenant_that_was_retired_meanwhile_has_no_launch_to_go_on_with(harness: Harness, ehr: SmallEHR) -> None:
    """E04: the handle stands for what was asked, and the registration is looked up anew."""
    page = ladder(harness, ehr)
    harness.registrations.all = []

    assert harness.browser().get(page.continue_url).json["code"] == "unknown_tenant"


def test_the_launch_value_survives_the_detour_byte_for_byte(harness: Harness, ehr: SmallEHR) -> None:
    """A09, A11."""
    frame = harness.browser()
    looking = harness.launch(frame, ehr, dest="iframe", launch="a+b/c=d%e f", iss=f"{ehr.base}/")
    asked = query_of(frame.get(looking.location, headers=FRAME).location)

    assert (asked["launch"], asked["aud"]) == ("a+b/c=d%e f", f"{ehr.base}/")
    assert "a+b" not in looking.location


def test_a_long_request_goes_by_post_where_the_ehr_takes_it(harness: Harness, ehr: SmallEHR) -> None:
    """A13, E07: the same parameters, and the form may lead to the EHR's own origins only."""
    ehr.configuration_changes = POSTED
    browser = harness.browser()
    answer = harness.launch(browser, ehr, launch="x" * 2_000)

    [page] = harness.pages
    assert isinstance(page, SendByPost)
    fields = dict(page.fields)
    assert (answer.status_code, page.action) == (200, f"{ehr.origin}/oauth2/authorize")
    assert harness.form_action_origins[-1] == (ehr.origin,)
    assert (fields["launch"], fields["aud"], fields["response_type"]) == ("x" * 2_000, ehr.base, "code")
    assert len(fields) == len(page.fields) == 10
    assert fields["state"] not in repr(page)
    ehr.nonce = fields["nonce"]
    assert browser.get("/callback/clinic", query_string={"code": "c", "state": fields["state"]}).status_code == 303


@pytest.mark.parametrize(("changes", "launch"), [({}, "x" * 2_000), (POSTED, "short")])
def test_a_short_request_or_an_ehr_without_post_gets_an_address(
    harness: Harness, ehr: SmallEHR, changes: dict[str, list[str]], launch: str
) -> None:
    """A13: both methods."""
    ehr.configuration_changes = changes

    assert at_the_ehr(harness.launch(harness.browser(), ehr, launch=launch), ehr)
    assert harness.form_action_origins[-1] == ()


def test_a_sign_in_on_another_registered_host_is_named_with_the_form(harness: Harness, ehr: SmallEHR) -> None:
    """A13, E07."""
    ehr.configuration_changes = {**POSTED, "authorization_endpoint": "https://login.example/authorize"}
    harness.registrations.all = [registration_for(ehr, endpoint_origins=frozenset({"https://login.example"}))]
    harness.launch(harness.browser(), ehr, launch="x" * 2_000)

    assert harness.form_action_origins[-1] == ("https://login.example", ehr.origin)


@pytest.mark.parametrize(
    "path", ["/launch", "/launch/clinic", "/launch/standalone", "/launch/check", "/callback/clinic"]
)
def test_asking_for_headers_only_uses_nothing_up(harness: Harness, ehr: SmallEHR, path: str) -> None:
    """A17, A22: a link checker's HEAD does not run the launch."""
    browser = harness.browser()
    returned = ehr.authorize(harness.launch(browser, ehr).location)
    before = harness.sessions

    answer = browser.head(path, query_string={"iss": ehr.base, "launch": "x", "tenant": "clinic", **returned})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert harness.sessions == before
    assert browser.get("/callback/clinic", query_string=returned).status_code == 303


def test_a_head_request_leaves_a_handle_unused(harness: Harness, ehr: SmallEHR) -> None:
    """E04."""
    page, browser = ladder(harness, ehr), harness.browser()

    assert browser.head(page.continue_url).status_code == 405
    assert browser.get(page.continue_url).status_code == 303


@pytest.mark.parametrize("changed", [{"client_id": "another"}, {"fhir_base": "http://127.0.0.1:1/fhir"}])
def test_a_registration_changed_while_a_launch_waits_ends_it(
    harness: Harness, ehr: SmallEHR, changed: dict[str, str]
) -> None:
    """E04, A17: at the look and at the way on; the handle was for the registration as it was, and nothing leaves."""
    frame = harness.browser()
    looking = harness.launch(frame, ehr, dest="iframe")
    page = ladder(harness, ehr)
    harness.registrations.all = [registration_for(ehr, **changed)]

    for answer in (frame.get(looking.location, headers=FRAME), harness.browser().get(page.continue_url)):
        assert answer.json["code"] == "handle_refused", answer.json
        assert "changed" in answer.json["detail"]
    assert not ehr.requests
    assert not harness.transactions.waiting
