"""Machines whose clocks differ: what depends on how long ago something was goes by the clock that they share."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.outbox.tables import outbox
from app.tenants.renewal import LEASE
from app.writebacks.state import Stage
from tests.flows.test_changing import partition_of
from tests.service import Service

SLOW = timedelta(seconds=-200)  # more than this EHR's longest execution, two minutes


@pytest.fixture
def shared(service: Service) -> Service:
    """Several machines, one PostgreSQL: leases go by its clock."""
    database = service.parts.database
    database._writer = database._writer.execution_options(countersign_own_clock=True)
    database._reader = database._reader.execution_options(countersign_own_clock=True)
    return service


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_an_absence_does_not_count_sooner_because_the_clock_of_whoever_sent_it_was_slow(
    shared: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F39, F26, I3: the EHR may still be executing what left a moment ago."""
    chart = shared.signed(ehr="reference")
    adapter = shared.parts.ehrs.adapter(chart.launch().tenant_id)

    def killed(*_: Any) -> None:
        raise SystemExit

    shared.clock.ahead = SLOW
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "send", killed)
        with pytest.raises(SystemExit):
            shared.parts.drain.run(partition_of(chart))
    with shared.parts.database.write() as tx:
        tx.execute(update(outbox).values(leased_until=None))

    shared.clock.ahead = timedelta(0)
    shared.work()

    state = chart.writeback()
    assert (state.stage, state.absences) == (Stage.OUTCOME_UNKNOWN, 0)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_an_absence_does_not_count_sooner_because_the_clock_of_whoever_restored_the_database_was_slow(
    shared: Service,
) -> None:
    """F39, F50, I3: what left just before the restore may still be being executed."""
    chart = shared.signed(ehr="reference")
    tenant = shared.parts.tenants.require(chart.launch().tenant_id)

    shared.clock.ahead = SLOW
    assert shared.parts.after_restore.begin(tenant, "cli:test") == 1
    shared.clock.ahead = timedelta(0)
    shared.work()

    state = chart.writeback()
    assert (state.stage, state.absences) == (Stage.OUTCOME_UNKNOWN, 0)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_a_refresh_token_is_not_spent_twice_because_the_clock_of_one_machine_is_slow(shared: Service) -> None:
    """F39, A51: used twice, many servers end everything that came from it."""
    chart = shared.open_chart(ehr="reference")
    grants, now, tenant = shared.parts.grants, shared.clock(), chart.launch().tenant_id

    with shared.parts.database.write() as tx:
        stored = grants.find(tx, tenant, chart.launch().launch_id)
        assert stored is not None
        assert grants.lease(tx, stored, now + SLOW, LEASE)
        assert not grants.lease(tx, stored, now, LEASE)
        grants.rest(tx, stored, now + SLOW, LEASE)
        assert not grants.lease(tx, stored, now, LEASE)
