"""What becomes of a change: the table in the docstring is the code, and every row of it has its sentence."""

import inspect
import itertools
import re

import pytest

from app.notes.versions import STANDINGS
from app.policy.mutation import (
    SENTENCES,
    Asked,
    Change,
    ChangeFacts,
    Move,
    Standing,
    choose_change,
    sentence,
)
from app.policy.route import Landing, Route
from app.publication.turn import GATES, Gate, gate
from app.writebacks.state import IN_CHART, Stage, WritebackState
from tests.docs.tables import between

FILED, NOT_NOW = Landing(Route.FILE), ("draft_only", "switched_off")
COPIED_FOR = ("vendor_takes_no_notes", "write_not_granted", "read_back_not_granted", "preliminary_not_taken", *NOT_NOW)
LANDINGS = (
    FILED,
    Landing(Route.FILE, ("low_risk",), "preliminary"),
    Landing(Route.REFUSE, ("read_only",)),
    *(Landing(Route.COPY, (reason,)) for reason in COPIED_FOR),
)
WAYS = (*((way,) for way in ("replaces", "in_place", "addendum")), ("replaces", "in_place", "addendum"), ())
DOCUMENTED = inspect.getdoc(choose_change) or ""
ROWS = [[cell.strip() for cell in line[1:-1].split("|")] for line in re.findall(r"^\|.*\|$", DOCUMENTED, re.M)[2:]]


def facts_of_all_kinds() -> list[ChangeFacts]:
    several = itertools.product(Asked, Standing, LANDINGS, WAYS, ("update", "patch", "none"), (True, False))
    return [
        ChangeFacts(
            asked,
            standing,
            landing,
            ways,
            retraction,  # type: ignore[arg-type]
            update_granted=granted,
        )
        for asked, standing, landing, ways, retraction, granted in several
    ]


def applies(row: list[str], facts: ChangeFacts) -> bool:
    asked, stands, new_note, takes, may_update = row[:5]
    route, why = facts.landing.route, facts.landing.reasons
    lands = not new_note or new_note == route or (new_note.endswith("switch") and set(why) & set(NOT_NOW))
    taken = (facts.retraction,) if facts.asked is Asked.RETRACT else facts.ways
    return bool(
        (not asked or asked == facts.asked)
        and (not stands or facts.standing in stands.split(", "))
        and lands
        and (not takes or takes.removesuffix(" (1)") in taken)
        and (not may_update or facts.may_update)
    )


def told(row: list[str], facts: ChangeFacts) -> tuple[str, str]:
    move, reason = row[5], row[7]
    if ":" in move:
        move = "by_hand" if facts.asked is Asked.RETRACT else "copy"
    return move, reason


def test_the_table_is_what_the_code_does() -> None:
    """C11, C36 to C38, F41, F42: for every combination the first line that applies is what is chosen."""
    for facts in facts_of_all_kinds():
        chosen = choose_change(facts)
        row = next(row for row in ROWS if applies(row, facts))
        assert (chosen.move, chosen.reason) == told(row, facts), facts


def test_the_table_stands_in_the_document() -> None:
    table = "".join(f"{line}\n" for line in re.findall(r"^\|.*\|$", DOCUMENTED, re.MULTILINE))
    assert between("docs/mutations.md", "changes") == table
    sentences = "".join(f"| {reason} | {words.format(ehr='the EHR')} |\n" for reason, words in SENTENCES.items())
    assert between("docs/mutations.md", "sentences").partition("---|\n")[2] == sentences


def test_every_reason_has_one_sentence_and_every_sentence_a_row() -> None:
    assert {row[7] for row in ROWS} == SENTENCES.keys()
    for reason in SENTENCES:
        assert "{" not in sentence(Change(Move.REFUSE, reason), "Epic")


@pytest.mark.parametrize(
    ("ways", "reason"),
    [
        (("replaces", "in_place"), "replaces"),
        (("in_place", "replaces"), "in_place"),
        (("addendum", "replaces"), "correct_by_addendum"),
    ],
)
def test_of_several_ways_the_first_of_the_profile_is_gone(ways: tuple, reason: str) -> None:
    facts = ChangeFacts(Asked.CORRECT, Standing.FILED, FILED, ways, update_granted=True)
    assert choose_change(facts).reason == reason


def test_nothing_is_sent_that_would_overwrite_what_somebody_else_changed() -> None:
    """Only an addendum goes beside what a person changed, replaced or removed."""
    for facts in facts_of_all_kinds():
        if facts.standing in (Standing.CHANGED, Standing.MISSING, Standing.RETRACTED):
            chosen = choose_change(facts)
            assert chosen.move is not Move.SEND or chosen.relation == "appends", facts


def test_amended_is_said_only_of_an_update_of_the_filed_note() -> None:
    """C37."""
    for facts in facts_of_all_kinds():
        chosen = choose_change(facts)
        assert (chosen.doc_status == "amended") == (chosen.reason == "in_place")


def test_a_follower_goes_only_where_its_original_stands_in_the_chart() -> None:
    """F41."""
    going = {stage for stage, gate in GATES.items() if gate is Gate.GO}
    assert going == (IN_CHART - {Stage.MISSING}) | {Stage.SUPERSEDED}
    assert STANDINGS.keys() == GATES.keys()


def test_an_older_signature_does_not_put_aside_what_a_person_changed_since() -> None:
    """F28, F41: signed before the change was seen; an addendum goes beside it all the same."""
    changed = WritebackState(stage=Stage.OVERRIDDEN)
    assert gate(changed, takes_its_place=True) is Gate.ASK
    assert gate(changed, takes_its_place=False) is Gate.GO
