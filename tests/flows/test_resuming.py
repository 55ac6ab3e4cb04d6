"""A write that stopped for want of a token goes on under its signer's newer launch, whichever of the two came first."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from app.event_log.read import read_stream
from app.ids import WritebackId
from app.projections.follower import catch_up
from app.resuming import newer_launches, resume_under_newest
from app.tenants.launches import Launch
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


def test_a_tenant_whose_registration_is_gone_does_not_stop_the_others(service: Service, chart: OpenChart) -> None:
    """F20: each tenant stands alone in a sweep."""
    theirs = service.signed(ehr="epic", patient="Rivera, Ana")
    again = comes_back(service)
    service.open_chart(ehr="epic", patient="Rivera, Ana")
    for one in (chart, theirs):
        end_token_of(service, one)
    service.work()
    assert (parked_for(chart), parked_for(theirs)) == ("reauth", "reauth")
    tenants = service.parts.tenants
    del tenants._files[TENANTS["epic"]]  # its file was removed
    tenants._known = tenants._with({}, {}, 0)

    sweep_and_work(service)

    assert (chart.writeback().stage, chart.writeback().launch_id) == (Stage.VERIFIED, again.launch_id)


def test_a_newest_launch_that_does_not_fit_does_not_hide_one_that_does(service: Service, chart: OpenChart) -> None:
    """F20, A63: the same login came last as another practitioner; the launch before is the author's own, and open."""
    good, other = comes_back(service), comes_back(service)
    with service.parts.database.write() as tx:
        which = update(launches).where(launches.c.launch_id == other.launch_id)
        tx.execute(which.values(fhir_user="https://ehr.example/fhir/PractitionerRole/9"))
    end_token_of(service, chart)
    service.work()

    sweep_and_work(service)

    assert (chart.writeback().stage, chart.writeback().launch_id) == (Stage.VERIFIED, good.launch_id)


def test_a_sweep_that_looked_before_does_not_bring_a_write_back_to_an_older_launch(
    service: Service, chart: OpenChart
) -> None:
    """F20: its signer was back meanwhile, and it stopped again."""
    comes_back(service)
    looked = stops_and_is_looked_for(service, chart)
    newest = comes_back(service)
    end_token_of(service, newest)
    service.work()
    assert (parked_for(chart), chart.writeback().launch_id) == ("reauth", newest.launch_id)

    resume_under_newest(service.parts, *looked)

    assert chart.writeback().launch_id == newest.launch_id


def test_a_sweep_that_looked_before_its_signer_signed_out_goes_on_with_nothing(
    service: Service, chart: OpenChart
) -> None:
    """F20, A72: under a launch that ended nothing is begun again."""
    again = comes_back(service)
    looked = stops_and_is_looked_for(service, chart)
    assert again.post("/end").status_code in (200, 303)

    resume_under_newest(service.parts, *looked)
    service.work()

    assert parked_for(chart) == "reauth"


def stops_and_is_looked_for(service: Service, chart: OpenChart) -> tuple[WritebackId, tuple[Launch, ...]]:
    """The write stops for want of a token; returns what a sweep finds that does not go on yet."""
    end_token_of(service, chart)
    service.work()
    catch_up(service.parts.database)
    (found,) = newer_launches(service.parts).items()
    return found
