"""The sweeper serves every tenant: what is wrong with one tenant's rows stops nothing of anybody else's."""

from typing import Any

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from app import worker
from app.collaborators import EXTENSION
from app.tenants.tables import grants, launch_traces, registrations
from app.worker import sweep_once
from tests.flows.conftest import Clinic
from tests.service import OpenChart, Service


def parked_by_its_phase(clinic: Clinic) -> OpenChart:
    """A signed note that waits until its workflow may file again."""
    clinic.register()
    clinic.tell_the_ehr()
    chart = clinic.open_chart()
    chart.draft()
    chart.settle()
    assert chart.sign().status_code == 303
    parts = clinic.service.parts
    parts.rollout.change(parts.tenants.require(clinic.tenant_id), "primary-care", "low_risk", "admin:1")
    clinic.service.work()
    assert chart.writeback().parked_for == "switched_off"
    sweep_once(parts)
    return chart


def make_unreadable(clinic: Clinic) -> None:
    """The registration as a release finds it that cannot read it."""
    with clinic.service.parts.database.write() as tx:
        mine = registrations.c.tenant_id == clinic.tenant_id
        tx.execute(update(registrations).where(mine).values(document='{"id": "x"}', revision=99))


def seal_with_a_lost_key(service: Service, chart: OpenChart) -> None:
    with service.parts.database.write() as tx:
        tx.execute(update(grants).where(grants.c.launch_id == chart.launch_id).values(key_id="lost"))


def kept(service: Service) -> set[str]:
    with service.parts.database.read() as tx:
        return set(tx.execute(select(grants.c.launch_id)).scalars())


def events(lines: Any) -> list[str]:
    return [line["event"] for line in lines if line["log_level"] in ("error", "critical")]


def test_a_registration_that_cannot_be_read_stops_nobody_elses_writes(clinic: Clinic) -> None:
    parked_by_its_phase(clinic)
    other = clinic.service.signed()
    make_unreadable(clinic)
    rung: list[str] = []
    clinic.service.parts.relay.ring = lambda partition: rung.append(partition.tenant_id)  # type: ignore[method-assign,assignment,return-value,func-returns-value]

    with capture_logs() as lines:
        assert sweep_once(clinic.service.parts) == 1

    assert rung == [other.launch().tenant_id]
    assert "sweep_failed" in events(lines)
    assert {line["tenant"] for line in lines if line["event"] == "sweep_failed"} == {clinic.tenant_id}


def test_a_bell_that_cannot_be_rung_leaves_the_others(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.signed()
    service.signed(ehr="reference")
    rung: list[str] = []

    def ring(partition: Any) -> bool:
        if not rung:
            rung.append("")
            raise ValueError("something about this tenant")
        rung.append(partition.tenant_id)
        return True

    monkeypatch.setattr(service.parts.relay, "ring", ring)
    with capture_logs() as lines:
        assert sweep_once(service.parts) == 2
    assert len(rung) == 2
    assert rung[1]
    assert events(lines) == ["sweep_failed"]


def test_a_grant_that_cannot_be_opened_keeps_no_other_from_being_given_back(service: Service) -> None:
    """A53."""
    broken, good = service.open_chart(), service.open_chart(ehr="athenaone")
    seal_with_a_lost_key(service, broken)
    service.clock.advance(hours=service.parts.settings.launch_hours)

    with capture_logs() as lines:
        assert service.parts.giving_back.sweep() == 1
        assert kept(service) == {broken.launch_id}
        service.parts.giving_back.sweep()  # it is looked at again, but not with every sweep

    assert good.launch_id not in kept(service)
    assert events(lines) == ["grant_not_returned"]
    assert lines[0]["place"].startswith("app.")


def test_a_tenant_ends_even_if_one_of_its_grants_cannot_be_opened(service: Service) -> None:
    """A53."""
    broken, good = service.open_chart(ehr="reference"), service.open_chart(ehr="reference", patient="Cho, Raymond")
    seal_with_a_lost_key(service, broken)

    ended = service.parts.giving_back.end_tenant(good.launch().tenant_id, actor="admin:1")

    assert (ended.launches, ended.returned) == (2, 1)
    assert kept(service) == {broken.launch_id}


def test_a_registration_that_no_longer_passes_lets_its_tokens_end_after_a_few_tries(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A53."""
    service = clinic.service
    chart = service.open_chart()
    service.clock.advance(hours=service.parts.settings.launch_hours)

    def revoke(*_: Any) -> bool:
        raise ValueError("an address that cannot be one")

    monkeypatch.setattr(service.parts.giving_back._servers, "revoke", revoke)
    for _ in range(5):
        service.parts.giving_back.sweep()
        service.clock.advance(minutes=11)
    assert chart.launch_id not in kept(service)


@pytest.mark.parametrize("part", ["catch_up", "resume_switched_on", "forget_what_expired"])
def test_no_part_of_a_sweep_keeps_the_others_from_their_turn(
    service: Service, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    chart = service.open_chart(ehr="athenaone")
    service.clock.advance(hours=service.parts.settings.launch_hours)
    monkeypatch.setattr(worker, part, lambda _: 1 // 0)
    with capture_logs() as lines:
        sweep_once(service.parts)
    assert chart.launch_id not in kept(service)
    assert events(lines) == ["sweep_failed"]


def test_the_process_outlives_whatever_a_sweep_meets(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[int] = []

    class Stopped:
        def set(self) -> None:
            """Nobody stops it here."""

        def wait(self, _seconds: float) -> bool:
            return len(swept) == 2

    def sweep(_: Any) -> int:
        swept.append(1)
        raise RuntimeError("of one tenant")

    monkeypatch.setattr(worker, "Event", Stopped)
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    monkeypatch.setattr(worker, "create_app", lambda _: service.app)
    monkeypatch.setattr(worker, "sweep_once", sweep)
    assert EXTENSION in service.app.extensions
    with capture_logs() as lines:
        worker.run_sweeper(service.parts.settings)
    assert events(lines) == ["sweep_failed", "sweep_failed"]


def test_a_sweep_lets_go_of_old_traces(service: Service) -> None:
    """E33."""
    service.open_chart()
    service.clock.advance(days=91)
    sweep_once(service.parts)
    with service.parts.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(launch_traces)).scalar() == 0
