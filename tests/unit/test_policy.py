import itertools

import pytest

from app.policy.route import Landing, Route, RouteFacts, choose_route
from app.policy.rulesets import RULESETS, refusals
from tests.factories import signing_facts


def test_a_note_in_order_may_be_signed() -> None:
    assert refusals("standard-1", signing_facts()) == ()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"launch_actor": "issuer#other"}, "another_author"),
        ({"launch_user": "Practitioner/8"}, "another_provider_record"),
        ({"posted_patient": "Patient/2"}, "patient_changed"),
        ({"chart_patient": "Patient/2"}, "patient_changed"),
        ({"note_patient": "Patient/2"}, "patient_changed"),
        ({"posted_encounter": "Encounter/8"}, "encounter_changed"),
        ({"note_encounter": "Encounter/8"}, "encounter_changed"),
        ({"chart_encounter_status": "cancelled"}, "encounter_cancelled"),
        ({"chart_encounter_status": "entered-in-error"}, "encounter_cancelled"),
        ({"open_claims": 2}, "open_claims"),
        ({"statements": 0}, "empty_note"),
        ({"landing": Landing(Route.REFUSE, ("encounter_missing",))}, "no_route"),
    ],
)
def test_each_rule_refuses_with_its_code(changed: dict, code: str) -> None:
    assert [refusal.code for refusal in refusals("standard-1", signing_facts(**changed))] == [code]


def test_all_reasons_are_given_at_once() -> None:
    facts = signing_facts(open_claims=1, posted_patient="Patient/2", chart_encounter_status="cancelled")
    assert len(refusals("standard-1", facts)) == 3


def test_every_rule_of_every_ruleset_can_refuse() -> None:
    assert all(rule.__doc__ for ruleset in RULESETS.values() for rule in ruleset)


@pytest.mark.parametrize(
    ("facts", "route", "reason"),
    [
        (RouteFacts(False, True, True, True, True), Route.COPY, "vendor_takes_no_notes"),
        (RouteFacts(True, True, True, True, False), Route.REFUSE, "encounter_missing"),
        (RouteFacts(True, False, True, True, True), Route.COPY, "write_not_granted"),
        (RouteFacts(True, True, False, True, True), Route.COPY, "read_back_not_granted"),
        (RouteFacts(True, True, True, True, True), Route.FILE, None),
        (RouteFacts(True, True, True, False, False), Route.FILE, None),
    ],
)
def test_the_route_follows_its_table(facts: RouteFacts, route: Route, reason: str | None) -> None:
    landing = choose_route(facts)
    assert (landing.route, landing.reasons) == (route, (reason,) if reason else ())


def test_nothing_is_ever_filed_without_vendor_write_and_read_back() -> None:
    for facts in itertools.starmap(RouteFacts, itertools.product([True, False], repeat=5)):
        if choose_route(facts).route is Route.FILE:
            assert facts.vendor_takes_notes
            assert facts.write_granted
            assert facts.read_granted
            assert facts.has_encounter or not facts.encounter_required
