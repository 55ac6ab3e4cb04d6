"""Launches that nobody finishes: they take little room each, their number is bounded, and others are served."""

import pytest
from sqlalchemy import Table, event, func, inspect, select

from app.administrators.tables import admin_sign_ins
from app.tenants import launch_ports
from app.tenants.tables import launch_transactions
from app.worker import sweep_once
from tests.service import Service

pytestmark = pytest.mark.either_database

TENANT = "harbor-epic"


def waiting(service: Service) -> int:
    with service.parts.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(launch_transactions)).scalar_one())


def begin(service: Service, launch: str = "xyz", tenant_id: str = TENANT, **headers: str):
    base = service.parts.tenants.require(tenant_id).fhir_base
    query = {"iss": base, "launch": launch}
    return service.browser().get("/launch", query_string=query, base_url=service.origin, headers=headers)


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Dest": "iframe"}])
def test_a_tenant_has_so_many_launches_under_way_and_no_more(
    service: Service, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """E26: who is refused is told to try again; other tenants' launches go on, and the next ones after a while."""
    monkeypatch.setattr(launch_ports, "MOST_WAITING", 2)
    assert [begin(service, **headers).status_code for _ in range(3)] == [303, 303, 503]
    refused = begin(service, **headers)
    assert "too_many_waiting" in refused.text
    assert "Wait a minute" in refused.text
    assert waiting(service) == 2
    assert begin(service, tenant_id="lakeside-athenaone", **headers).status_code == 303

    service.clock.advance(minutes=11)
    assert begin(service, **headers).status_code == 303


def test_beginning_a_launch_removes_nothing_so_that_a_flood_costs_its_own_rows_only(service: Service) -> None:
    """E26: what expired is the sweeper's."""
    begin(service)
    service.clock.advance(minutes=11)
    statements: list[str] = []
    engine = service.parts.database.engine
    listener = lambda *args: statements.append(args[2])  # noqa: E731
    event.listen(engine, "before_cursor_execute", listener)
    begin(service)
    event.remove(engine, "before_cursor_execute", listener)
    assert not [one for one in statements if one.startswith("DELETE")]
    assert waiting(service) == 2
    sweep_once(service.parts)
    assert waiting(service) == 1


def test_a_launch_value_is_as_long_as_real_ones_and_no_longer(service: Service) -> None:
    """A09, E26."""
    assert begin(service, "A" * 4096).status_code == 200  # a form, as the address would be too long
    assert begin(service, "A" * 4097).status_code == 400
    assert waiting(service) == 1


@pytest.mark.parametrize("table", [launch_transactions, admin_sign_ins], ids=str)
def test_what_expired_is_found_without_reading_the_rest(service: Service, table: Table) -> None:
    """E26: a full table makes no sweep slow, and no sweep keeps others from writing for long."""
    with service.parts.database.read() as tx:
        indexes = inspect(tx).get_indexes(table.name)
    assert ["expires_at"] in [index["column_names"] for index in indexes]
