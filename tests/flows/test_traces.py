"""Every launch leaves one trace, completed or failed, under the code that its page shows; nothing in it is secret."""

import json
import re
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest
from flask import g
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.ids import REFERENCE_ALPHABET, new_reference, read_reference
from app.tenants import traces
from app.tenants.tables import launch_traces
from app.tenants.traces import Trace
from launch.facts import LaunchFacts
from tests.service import Service

pytestmark = pytest.mark.either_database


def kept(service: Service) -> list:
    with service.parts.database.read() as tx:
        return list(tx.execute(select(launch_traces).order_by(launch_traces.c.happened_at)))


def failed(service: Service, **query: str):
    """A launch that fails: it names an EHR that nobody has registered, unless the test says otherwise."""
    query = query or {"iss": "https://elsewhere.example/fhir?secret=1", "launch": "xyz-launch-token"}
    return service.browser().get(f"/launch?{urlencode(query)}", base_url=service.origin)


def code_on(answer) -> str:
    found = re.search(r"<code>\w+ ([0-9A-Z]{8})</code>", answer.text)
    assert found
    return found[1]


@pytest.fixture
def facts(service: Service) -> None:
    """What the launch says of itself while it is under way."""

    def begin() -> None:
        g.setdefault("launch_facts", LaunchFacts(step="registration"))

    service.app.before_request_funcs.setdefault("launch", []).append(begin)


def test_a_launch_that_failed_is_found_by_the_code_on_its_page(service: Service, facts: None) -> None:
    """E22, E23: the page says little, the trace says where it stopped."""
    answer = failed(service)
    [trace] = kept(service)
    assert trace.reference == code_on(answer)
    assert trace.outcome == "unknown_issuer"
    assert trace.tenant_id is None
    assert trace.launch_id is None


def test_a_completed_launch_leaves_one_trace(service: Service, facts: None) -> None:
    """E30."""
    chart = service.open_chart()
    [trace] = kept(service)
    assert (trace.tenant_id, trace.outcome, trace.step) == ("harbor-epic", "completed", "completed")
    assert trace.launch_id == chart.launch_id


def test_no_trace_holds_what_came_with_the_launch(service: Service, facts: None) -> None:
    """E21."""
    failed(service)
    service.open_chart()
    browser = service.browser()
    browser.get("/callback/harbor-epic?code=a-code-of-the-ehr&state=a-state-of-ours", base_url=service.origin)
    everything = json.dumps([[str(value) for value in row] for row in kept(service)])
    for secret in ("secret=1", "xyz-launch-token", "a-code-of-the-ehr", "a-state-of-ours", "Rivera", "Patient/"):
        assert secret not in everything


def test_other_pages_leave_no_trace(service: Service, facts: None) -> None:
    """E21."""
    service.browser().get("/nowhere", base_url=service.origin)
    service.browser().get("/charts/nothing/", base_url=service.origin)
    assert kept(service) == []


def test_an_error_page_comes_without_the_database_too(
    service: Service, facts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E23."""
    database = service.parts.traces._database

    def away():
        raise OperationalError("INSERT", {}, Exception("no connection"))

    with monkeypatch.context() as patch:
        patch.setattr(type(database), "write", lambda _: away())
        answer = failed(service)
    assert answer.status_code == 403
    assert code_on(answer)
    assert kept(service) == []


def test_a_flood_of_failures_fills_the_log_of_nobody(
    service: Service, facts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E26: strangers use up their own share, and a tenant's launches are kept all the same."""
    monkeypatch.setattr(traces, "MOST_A_MINUTE", 3)
    said = Mock()
    monkeypatch.setattr(traces, "log", said)
    for _ in range(8):
        assert failed(service).status_code == 403
    assert len(kept(service)) == 3
    assert [call.args for call in said.warning.mock_calls] == [("traces_left_out",)]

    service.open_chart()
    assert service.parts.traces.keep(Trace(new_reference(), "harbor-epic", "token", "token_exchange_failed"))
    assert len(kept(service)) == 5
    service.clock.advance(minutes=1)
    failed(service)
    assert len(kept(service)) == 6


@pytest.mark.parametrize("junk", ["/callback/harbor-epic?state=x", "/callback/harbor-epic", "/launch/harbor-epic"])
def test_nobody_can_crowd_out_the_failures_of_a_tenants_clinicians(service: Service, junk: str) -> None:
    """E26: what anybody can cause is counted apart from what befalls a launch."""
    stranger = service.browser()
    for _ in range(traces.MOST_A_MINUTE + 1):
        stranger.get(junk, base_url=service.origin)
    answer = service.callback(service.browser(), service.authorize(service.browser()))
    assert answer.status_code == 400
    [trace] = [one for one in kept(service) if one.outcome == "browser_mismatch"]
    assert (trace.reference, trace.tenant_id) == (code_on(answer), "harbor-epic")


def test_no_number_of_failures_ends_the_trace_of_a_launch_that_completed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E26, E30: nor the trace of another kind of failure."""
    monkeypatch.setattr(traces, "MOST_OF_AN_OUTCOME", 1)
    service.open_chart()
    service.open_chart()
    for outcome in ("token_exchange_failed", "state_refused", "state_refused", "state_refused"):
        service.clock.advance(seconds=1)
        service.parts.traces.keep(Trace(new_reference(), "harbor-epic", "callback", outcome))
    assert service.parts.traces.purge() == 2
    left = sorted(trace.outcome for trace in kept(service))
    assert left == ["completed", "completed", "state_refused", "token_exchange_failed"]


def test_what_is_too_long_is_cut(service: Service) -> None:
    """E26."""
    long = Trace(new_reference(), None, "s" * 99, "o" * 99, "d" * 9999, {"redirect_uri": "x" * 99_999})
    assert service.parts.traces.keep(long)
    [trace] = kept(service)
    assert (len(trace.step), len(trace.outcome), len(trace.detail), trace.facts) == (32, 32, 500, "{}")


def test_traces_end_after_ninety_days(service: Service) -> None:
    """E33."""
    keep = service.parts.traces.keep
    keep(Trace(new_reference(), "harbor-epic", "token", "token_exchange_failed"))
    service.clock.advance(days=89)
    keep(Trace(new_reference(), "harbor-epic", "token", "token_exchange_failed"))
    assert service.parts.traces.purge() == 0
    service.clock.advance(days=2)
    assert service.parts.traces.purge() == 1
    assert len(kept(service)) == 1


def test_of_each_tenant_and_of_nobody_the_newest_are_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """E26."""
    monkeypatch.setattr(traces, "MOST_OF_AN_OUTCOME", 2)
    for _ in range(4):
        for tenant_id in (None, "harbor-epic"):
            service.parts.traces.keep(Trace(new_reference(), tenant_id, "launch", "malformed_request"))
        service.clock.advance(seconds=1)
    service.parts.traces.keep(Trace(new_reference(), "lakeside-athenaone", "launch", "malformed_request"))
    assert service.parts.traces.purge() == 4
    counts = select(launch_traces.c.tenant_id, func.count()).group_by(launch_traces.c.tenant_id)
    with service.parts.database.read() as tx:
        left = {row[0]: row[1] for row in tx.execute(counts)}
    assert left == {None: 2, "harbor-epic": 2, "lakeside-athenaone": 1}


def test_a_code_is_read_as_it_is_heard() -> None:
    """E22."""
    codes = {new_reference() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 8 and set(code) <= set(REFERENCE_ALPHABET) for code in codes)
    assert read_reference(" 7kq2-o1iL ") == "7KQ20111"
