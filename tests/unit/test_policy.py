import itertools
from dataclasses import replace

import pytest

from app.pages.landing import REASONS
from app.policy.route import Landing, Route, RouteFacts, choose_route
from app.policy.rules import NO_ROUTE
from app.policy.rulesets import RULESETS, refusals
from app.tenants.registrations import Phase
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


GRANTED = RouteFacts(True, True, True, True, True)


@pytest.mark.parametrize(
    ("changed", "route", "reason", "file_as"),
    [
        ({"phase": Phase.READ_ONLY, "vendor_takes_notes": False}, Route.REFUSE, "read_only", "final"),
        ({"phase": Phase.READ_ONLY, "switched_off": True}, Route.REFUSE, "read_only", "final"),
        ({"phase": Phase.DRAFT_ONLY}, Route.COPY, "draft_only", "final"),
        ({"phase": Phase.DRAFT_ONLY, "vendor_takes_notes": False}, Route.COPY, "vendor_takes_no_notes", "final"),
        ({"phase": Phase.DRAFT_ONLY, "has_encounter": False}, Route.COPY, "draft_only", "final"),
        ({"phase": Phase.FULL, "switched_off": True}, Route.COPY, "switched_off", "final"),
        ({"switched_off": True, "has_encounter": False}, Route.COPY, "switched_off", "final"),
        ({"phase": Phase.LOW_RISK}, Route.FILE, "low_risk", "preliminary"),
        ({"phase": Phase.LOW_RISK, "takes_preliminary": False}, Route.COPY, "preliminary_not_taken", "final"),
        ({"phase": Phase.LOW_RISK, "write_granted": False}, Route.COPY, "write_not_granted", "final"),
        ({"phase": Phase.FULL, "takes_preliminary": False}, Route.FILE, None, "final"),
        ({"phase": Phase.FULL, "file_as": "preliminary"}, Route.FILE, None, "preliminary"),
    ],
)
def test_phase_and_switch_have_their_lines_in_the_table(
    changed: dict, route: Route, reason: str | None, file_as: str
) -> None:
    landing = choose_route(replace(GRANTED, **changed))
    assert (landing.route, landing.reasons, landing.file_as) == (route, (reason,) if reason else (), file_as)


def test_every_reason_of_the_table_has_words_on_the_page() -> None:
    facts = itertools.product(*[[True, False]] * 5, Phase, [True, False], [True, False])
    reasons = {reason for one in itertools.starmap(RouteFacts, facts) for reason in choose_route(one).reasons}
    assert reasons == REASONS.keys()
    refusing = {reason for reason in reasons if reason in NO_ROUTE}
    assert refusing == {
        reason
        for one in itertools.starmap(RouteFacts, itertools.product(*[[True, False]] * 5, Phase))
        if choose_route(one).route is Route.REFUSE
        for reason in choose_route(one).reasons
    }


def test_nothing_is_ever_filed_as_final_below_full_or_while_switched_off() -> None:
    facts = itertools.product(*[[True, False]] * 5, Phase, [True, False], [True, False])
    for one in itertools.starmap(RouteFacts, facts):
        landing = choose_route(one)
        if landing.route is Route.FILE:
            assert not one.switched_off
            assert one.phase is Phase.FULL or (one.phase is Phase.LOW_RISK and landing.file_as == "preliminary")


def test_nothing_is_ever_filed_without_vendor_write_and_read_back() -> None:
    for facts in itertools.starmap(RouteFacts, itertools.product([True, False], repeat=5)):
        if choose_route(facts).route is Route.FILE:
            assert facts.vendor_takes_notes
            assert facts.write_granted
            assert facts.read_granted
            assert facts.has_encounter or not facts.encounter_required
