"""Two administrators who say at the same moment where an EHR moved."""

from functools import partial

from app.errors import BadInput
from app.tenants import moved_bases
from tests.flows.admin_browser import log_of
from tests.flows.test_moved_bases import EHR, PATIENT, TENANT, move, say_same
from tests.races.at_once import at_once, failures
from tests.service import Service


def test_what_several_administrators_say_at_once_of_an_address_is_recorded_once(service: Service) -> None:
    """F45: the others read that it was said already."""
    service.open_chart(ehr=EHR, patient=PATIENT)
    before = move(service)

    answers = at_once(*[partial(say_same, service, before)] * 4)

    assert [type(one) for one in failures(answers)] == [BadInput] * 3
    with service.parts.database.read() as tx:
        assert [one.fhir_base for one in moved_bases.said(tx, TENANT)] == [before]
    assert [one.event.tag for one in log_of(service, TENANT)].count("tenant:moved") == 1
