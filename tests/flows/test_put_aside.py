"""A write that our own code broke on is put aside: its signer reads so, operations see it, and one act wakes it."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from app.administrators.roles import Role
from app.cli import reconcile as reconcile_command
from app.outbox.dead_letters import dead_letters
from app.outbox.rows import MOST_CRASHES
from app.publication.giving_back import unfinished_writes
from app.writebacks.state import Stage
from tests.flows.admin_browser import an_administrator, log_of
from tests.service import OpenChart, Service

pytestmark = pytest.mark.either_database


@pytest.fixture
def mend(service: Service) -> Any:
    """Our own mistake at the stage where a write is sent; calling it takes the mistake away again."""
    work: Any = service.parts.drain._work
    real = work[Stage.QUEUED]

    def broken(lease: Any, state: Any) -> None:
        raise KeyError("ours")

    work[Stage.QUEUED] = broken
    return lambda: work.update({Stage.QUEUED: real})


@pytest.fixture
def chart(service: Service, mend: Any) -> OpenChart:
    """A signed note that was put aside."""
    chart = service.signed()
    for _ in range(MOST_CRASHES):
        service.work()
        service.clock.advance(minutes=1)
    return chart


def put_aside(service: Service) -> list[str]:
    with service.parts.database.read() as tx:
        return [one.writeback_id for one in dead_letters(tx)]


def test_the_signer_reads_that_it_was_put_aside_and_operations_wake_it(
    service: Service, chart: OpenChart, mend: Any
) -> None:
    """F46, I7: it is never called waiting; one act has it go on, under the name of whoever did it."""
    written, tenant = chart.note().state.signed.writeback_id, chart.launch().tenant_id
    page = chart.get("/note").text
    assert "an error of Countersign itself stopped it" in page
    assert not [words for words in ("Waiting to be sent", "on its way into the chart") if words in page]
    assert [words for words in ("Stopped", "Take it back") if words in page] == ["Stopped", "Take it back"]
    assert 'href="note/stopped"' in page
    stopped = chart.get("/note/stopped").text
    assert [words for words in ("Ask your administrator", f"<code>{written}</code>") if words not in stopped] == []
    with service.parts.database.read() as tx:
        assert unfinished_writes(tx, tenant, chart.launch_id) == (written,)

    operator = an_administrator(service, Role.OPERATIONS)
    wake = f"/ops/writes/{tenant}/{written}/wake"
    assert wake in operator.get("/ops/").text
    service.parts.switches.turn_off(service.parts.tenants.require(tenant), "", "Provenance", "a drill", "cli:test")
    health = operator.get("/admin/").text
    assert [words in health for words in ("1 stopped by an error of Countersign", "switched off: a drill")] == [
        True
    ] * 2
    service.parts.switches.turn_on(service.parts.tenants.require(tenant), "", "Provenance", "over", "cli:test")
    mend()
    assert "Woken." in operator.get(operator.post(wake).location).text
    assert operator.post(wake).status_code == 400
    assert wake not in operator.get("/ops/").text
    woken = [one for one in log_of(service, tenant) if one.event.tag == "tenant:write:woken"]
    assert [(one.actor, one.event.fields()) for one in woken] == [(operator.account.actor, {"writeback_id": written})]
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
    assert "stopped it" not in chart.get("/note").text


def test_who_signs_out_is_not_told_that_it_goes_on_by_itself(chart: OpenChart) -> None:
    """F46, I7."""
    page = chart.post("/end").text
    assert "One signed note was stopped by an error of Countersign itself." in page
    assert "goes on without you" not in page


def test_what_its_signer_takes_back_is_no_dead_letter_any_more(service: Service, chart: OpenChart) -> None:
    """F42, F46."""
    assert chart.post("/note/take-back").status_code == 303
    assert (chart.writeback().stage, put_aside(service)) == (Stage.CANCELLED, [])
    operator = an_administrator(service, Role.OPERATIONS)
    written = chart.note().state.signed.writeback_id
    assert operator.post(f"/ops/writes/{chart.launch().tenant_id}/{written}/wake").status_code == 400


def test_a_command_lists_it_and_wakes_it(
    service: Service, chart: OpenChart, mend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F46."""
    monkeypatch.setattr(reconcile_command, "wired", lambda: service.parts)
    written, tenant = chart.note().state.signed.writeback_id, chart.launch().tenant_id
    runner = CliRunner()
    listed = json.loads(runner.invoke(reconcile_command.reconcile, [tenant, "--json"]).stdout)
    assert [(one["writeback"], one["put_aside_for"]) for one in listed["writes"]] == [(written, "KeyError")]
    assert runner.invoke(reconcile_command.reconcile, [tenant, "--wake", "0" * 32]).exit_code != 0
    mend()
    woken = runner.invoke(reconcile_command.reconcile, [tenant, "--wake", written, "--json"]).stdout
    assert (json.loads(woken.splitlines()[-1])["woken"], put_aside(service)) == ([written], [])
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
