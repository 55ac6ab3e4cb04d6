"""A write that stopped for want of a token goes on under its signer's newer launch, whichever of the two came first."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from app.event_log.read import read_stream
from app.resuming import newer_launches
from app.tenants.tables import launches
from app.worker import sweep_once
from app.writebacks.events import WritebackResumed
from app.writebacks.handlers import SWEEPER
from app.writebacks.state import Stage
from tests.flows.test_changing import correct, writes
from tests.service import TENANTS, OpenChart, Service

pytestmark = pytest.mark.either_database
EHR = "reference"


@pytest.fixture
def chart(service: Service) -> OpenChart:
    return service.signed(ehr=EHR, patient="Cho, Raymond")


def comes_back(service: Service, **choice: str) -> OpenChart:
    """A newer launch in the same chart, which finds nothing parked yet."""
    service.clock.advance(seconds=1)
    return service.open_chart(ehr=EHR, patient="Cho, Raymond", **choice)


def end_token_of(service: Service, chart: OpenChart) -> None:
    with service.parts.database.write() as tx:
        launch = chart.launch()
        stored = service.parts.grants.find(tx, launch.tenant_id, launch.launch_id)
        assert stored is not None
        ended = replace(stored.tokens, refresh_token=None, expires_at=service.clock())
        service.parts.grants.keep(tx, launch, ended)


def sweep_and_work(service: Service) -> None:
    sweep_once(service.parts)
    service.work()
    service.work()


def parked_for(chart: OpenChart) -> str:
    state = chart.writeback()
    assert state.stage is Stage.PARKED
    return str(state.parked_for)


def test_what_stops_just_after_its_signers_launch_looked_goes_on_under_it(service: Service, chart: OpenChart) -> None:
    """F20, I6: the launch found nothing that waited; the worker was still about to say that it has no token."""
    again = comes_back(service)
    end_token_of(service, chart)
    service.work()
    assert parked_for(chart) == "reauth"

    sweep_and_work(service)

    assert (chart.writeback().stage, chart.writeback().launch_id) == (Stage.VERIFIED, again.launch_id)
    assert newer_launches(service.parts) == {}
    stream = f"writeback:{chart.note().state.signed.writeback_id}"
    with service.parts.database.read() as tx:
        (resumed,) = (one for one in read_stream(tx, TENANTS[EHR], stream) if isinstance(one.event, WritebackResumed))
    assert resumed.actor == SWEEPER


def test_a_correction_that_waited_for_its_original_goes_on_under_the_launch_that_woke_the_original(
    service: Service, chart: OpenChart
) -> None:
    """F20, F41, I6: its turn, and so its stop, come after the signer's launch looked for what waits."""
    correct(chart)
    end_token_of(service, chart)
    service.work()
    again = comes_back(service)
    for _ in range(4):
        service.work()
        service.clock.advance(minutes=1)
    original, correction = writes(chart)
    assert (original.stage, original.launch_id) == (Stage.VERIFIED, again.launch_id)
    assert (correction.stage, correction.parked_for) == (Stage.PARKED, "reauth")

    sweep_and_work(service)

    original, correction = writes(chart)
    assert (original.stage, correction.stage) == (Stage.SUPERSEDED, Stage.VERIFIED)
    assert correction.launch_id == again.launch_id


def test_nothing_goes_on_under_another_persons_launch_nor_under_one_that_ended(
    service: Service, chart: OpenChart
) -> None:
    """F20, I7, A63."""
    comes_back(service, user=service.another_practitioner(chart, EHR))
    ended = comes_back(service)
    with service.parts.database.write() as tx:
        over = update(launches).where(launches.c.launch_id == ended.launch_id)
        tx.execute(over.values(ended_at=service.clock(), ended_for="signed_out"))
    end_token_of(service, chart)
    service.work()

    sweep_and_work(service)

    assert parked_for(chart) == "reauth"
    assert newer_launches(service.parts) == {}


def test_one_whose_newest_token_is_refused_too_waits_and_is_not_tried_again_and_again(
    service: Service, chart: OpenChart
) -> None:
    """F20: from a launch to a newer one only."""
    again = comes_back(service)
    for one in (chart, again):
        end_token_of(service, one)
    service.work()

    sweep_and_work(service)

    assert parked_for(chart) == "reauth"
    assert chart.writeback().launch_id == again.launch_id
    version = chart.writeback().version
    sweep_and_work(service)
    assert chart.writeback().version == version
