"""What is signed acts on what was read just before, or not at all."""

import pytest

from app.errors import StaleReview
from app.notes.events import NoteSigned
from app.notes.orders import Ordered
from app.notes.plan import Plan
from app.notes.snapshot import Snapshot
from app.notes.versions import Version
from app.policy.mutation import Asked, ChangeFacts, Standing, choose_change
from app.policy.route import Landing, Route
from app.writebacks.state import Stage, WritebackState
from tests.factories import REF
from vendors.contract import Stored

SIGNED = NoteSigned(
    launch_id="launch-1", note_version=1, displayed_hash="h", snapshot=REF, text_digest="t", meaning="m",
    policy_version="standard-2", writeback_id="w",
)  # fmt: skip


def a_plan(way: str, resource_id: str = "88") -> Plan:
    """A correction that goes this way, of a note that the EHR calls so."""
    landing = Landing(Route.FILE)
    facts = ChangeFacts(Asked.CORRECT, Standing.FILED, landing, (way,), "none", update_granted=True)
    original = Version(SIGNED, WritebackState(stage=Stage.VERIFIED, resource_id=resource_id))
    return Plan(choose_change(facts), original, Snapshot.model_construct(), landing)


def read(resource_id: str) -> Stored:
    return Stored({"resourceType": "DocumentReference"}, resource_id, "1", None, b"{}")


@pytest.mark.parametrize(
    ("plan", "base"),
    [
        (a_plan("in_place"), None),  # it was to be replaced when it was read
        (a_plan("in_place", "99"), read("88")),  # another version counts by now
        (a_plan("replaces"), read("88")),  # the right to change it went meanwhile
        (None, read("88")),
    ],
)
def test_a_plan_that_came_out_otherwise_the_second_time_is_stale(plan: Plan | None, base: Stored | None) -> None:
    """C11, E37: it is planned before the chart is read and again in the transaction that signs."""
    with pytest.raises(StaleReview):
        Ordered(plan, base)


def test_a_plan_that_came_out_the_same_goes_on() -> None:
    assert Ordered(a_plan("in_place"), read("88")).mutation == "amend"
    assert Ordered(a_plan("replaces")).plan is not None
    assert Ordered().mutation == "create"
