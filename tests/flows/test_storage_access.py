"""Cookies that the browser may send and holds back: it is asked for them before anything is used up."""

import pytest

from tests.service import Service

pytestmark = pytest.mark.either_database

HELD_BACK = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Storage-Access": "inactive"}
SENT = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Storage-Access": "active"}


def test_an_answer_whose_cookie_is_held_back_is_asked_for_again_and_still_counts(service: Service) -> None:
    """E03, A17: the state is not used up by the request without its cookie."""
    client = service.browser()
    url = service.authorize(client)
    path = url.removeprefix(service.origin)

    without = service.app.test_client(use_cookies=False)
    held = without.get(path, base_url=service.origin, headers=HELD_BACK)
    assert (held.status_code, held.headers["Activate-Storage-Access"]) == (401, "retry; allowed-origin=*")
    assert held.text == ""

    answer = client.get(path, base_url=service.origin, headers=SENT)
    assert (answer.status_code, answer.headers["Activate-Storage-Access"]) == (303, "load")
    assert "/charts/" in answer.headers["Location"]


def test_nothing_is_asked_again_where_the_browser_offers_nothing_or_sent_its_cookie(service: Service) -> None:
    """E03: no loop, and no answer where a form was sent."""
    chart = service.open_chart()
    assert chart.get("/", headers=HELD_BACK, follow_redirects=True).status_code == 200
    stranger = service.browser()
    none = stranger.get(f"{chart.path}/", base_url=service.origin, headers={"Sec-Fetch-Storage-Access": "none"})
    assert "Activate-Storage-Access" not in none.headers
    posted = stranger.post(f"{chart.path}/draft", base_url=service.origin, headers=HELD_BACK)
    assert "Activate-Storage-Access" not in posted.headers
