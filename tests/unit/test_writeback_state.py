from datetime import timedelta

import pytest

from app.errors import Corrupt
from app.event_log.event import CATALOGUE
from app.outbox.pause import pause_after
from app.publication.next_step import STEPS, TOKEN_RENEWED, NextStep, leaves, next_command
from app.writebacks import commands
from app.writebacks.decide import decide
from app.writebacks.events import (
    AbsenceProven,
    AbsenceSeen,
    AttemptBegun,
    AttemptPostponed,
    OutcomeBecameUnknown,
    ProvenanceBegun,
    ProvenancePostponed,
    WritebackFiled,
    WritebackParked,
    WritebackQueued,
    WritebackResumed,
    WritebackVerified,
)
from app.writebacks.fold import fold
from app.writebacks.state import TRANSITIONS, Stage, WritebackState
from tests.factories import NOON, REF, an_order, recorded
from vendors import errors

BEGUN = AttemptBegun(attempt=1, fence=1, launch_id="launch-1", payload_digest="p" * 64)
FILED = WritebackFiled(
    resource_type="DocumentReference", resource_id="88", resource_version="1", status=201, reply=None, found=False
)

VERIFIED = WritebackVerified(resource_id="88", resource_version="1", stored=REF, differences=())


def state(*events) -> WritebackState:
    return fold(recorded(event, version) for version, event in enumerate((an_order(), *events), start=1))


def decided(before: WritebackState, command: commands.Command):
    return decide(before, command, lambda kind, content: REF, NOON)


def test_every_writeback_event_has_its_place_in_the_drawing() -> None:
    assert set(TRANSITIONS) == {event for tag, event in CATALOGUE.items() if tag.startswith("writeback:")}


def test_every_stage_can_be_reached() -> None:
    assert {after for _, after in TRANSITIONS.values() if after} == set(Stage)


@pytest.mark.parametrize("stage_events", [(), (BEGUN, FILED)])
def test_an_unknown_outcome_can_only_follow_a_begun_attempt(stage_events) -> None:
    """I2."""
    with pytest.raises(Corrupt):
        decided(state(*stage_events), commands.MarkUnknown("ReadTimeout", NOON))


def test_a_second_attempt_cannot_begin_while_the_first_ones_outcome_is_unknown() -> None:
    """I3."""
    unknown = state(BEGUN, OutcomeBecameUnknown(reason="ReadTimeout"))
    with pytest.raises(Corrupt):
        decided(unknown, commands.BeginAttempt(2))


def test_a_token_that_was_renewed_before_an_unclear_answer_may_be_renewed_again_after_it() -> None:
    """A67: only two refusals in a row say that renewing is of no use."""
    renewed = state(BEGUN, AttemptPostponed(reason=TOKEN_RENEWED, due_at=NOON), BEGUN)
    assert renewed.postponed_for == TOKEN_RENEWED
    answered = OutcomeBecameUnknown(reason="ReadTimeout")
    again = state(BEGUN, AttemptPostponed(reason=TOKEN_RENEWED, due_at=NOON), BEGUN, answered, AbsenceProven())
    assert (again.stage, again.postponed_for) == (Stage.QUEUED, "")


def test_absence_is_proven_only_by_asking_often_enough() -> None:
    """F26."""
    unknown = state(BEGUN, OutcomeBecameUnknown(reason="ReadTimeout"))
    first = decided(unknown, commands.NoteAbsence(needed=2, due_at=NOON + timedelta(seconds=5)))
    assert first.event.tag == "writeback:absence:seen"
    assert first.due_at == NOON + timedelta(seconds=5)
    asked_once = state(BEGUN, OutcomeBecameUnknown(reason="ReadTimeout"), first.event)
    assert decided(asked_once, commands.NoteAbsence(needed=2, due_at=NOON)).event.tag == "writeback:absence:proven"


def test_where_asking_proves_nothing_the_last_absence_stops_the_write_for_a_person() -> None:
    asked_once = state(BEGUN, OutcomeBecameUnknown(reason="x"), AbsenceSeen(times=1, due_at=NOON))
    decision = decided(asked_once, commands.NoteAbsence(needed=2, due_at=NOON, park_for="unproven"))
    assert (decision.event, decision.due_at) == (WritebackParked(reason="unproven"), None)


def test_an_absence_counts_from_when_the_one_before_it_said_and_each_attempt_starts_anew() -> None:
    seen = (BEGUN, OutcomeBecameUnknown(reason="x"), AbsenceSeen(times=1, due_at=NOON))
    assert state(*seen).absence_counts_from == NOON
    assert state(*seen, AbsenceProven(), BEGUN).absence_counts_from is None


def test_a_provenance_that_was_begun_is_unclear_until_its_end_is_recorded() -> None:
    verified = (BEGUN, FILED, VERIFIED)
    begun = ProvenanceBegun(fence=1, launch_id="launch-1")
    postponed = ProvenancePostponed(reason="Throttled", due_at=NOON)
    assert state(*verified, begun).provenance_unclear == 1
    assert state(*verified, begun).provenance_begun_at == NOON
    assert state(*verified, begun, postponed).provenance_unclear == 0
    assert state(*verified, begun, begun).provenance_unclear == 2


def test_a_verified_write_that_stops_for_its_provenance_is_verified_again_when_it_goes_on() -> None:
    parked = (BEGUN, FILED, VERIFIED, WritebackParked(reason="reauth"))
    assert state(*parked).parked_from is Stage.VERIFIED
    resumed = state(*parked, WritebackResumed(launch_id="launch-2"))
    assert (resumed.stage, resumed.launch_id, resumed.provenance_settled) == (Stage.VERIFIED, "launch-2", True)


@pytest.mark.parametrize(
    "command",
    [
        commands.MarkUnknown("x", NOON),
        commands.RejectWrite("x", 422, ()),
        commands.PostponeAttempt("x", NOON),
        commands.BeginAttempt(9),
    ],
)
def test_evidence_of_success_is_never_downgraded(command: commands.Command) -> None:
    """I4."""
    for before in (state(BEGUN, FILED), state(BEGUN, FILED, VERIFIED)):
        with pytest.raises(Corrupt):
            decided(before, command)


def test_a_resumed_write_goes_on_where_it_was_parked_under_the_new_launch() -> None:
    parked = state(WritebackParked(reason="reauth"))
    resumed = state(WritebackParked(reason="reauth"), WritebackResumed(launch_id="launch-2"))
    assert (parked.stage, resumed.stage, resumed.launch_id) == (Stage.PARKED, Stage.QUEUED, "launch-2")
    after_unknown = state(
        BEGUN,
        OutcomeBecameUnknown(reason="x"),
        WritebackParked(reason="reauth"),
        WritebackResumed(launch_id="launch-2"),
    )
    assert after_unknown.stage is Stage.OUTCOME_UNKNOWN


def test_every_vendor_error_has_a_next_step() -> None:
    assert leaves() == set(STEPS)


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (errors.NotSent("epic", "create"), commands.PostponeAttempt),
        (errors.Throttled("epic", "create", retry_after_seconds=30), commands.PostponeAttempt),
        (errors.OutcomeUnknown("epic", "create"), commands.MarkUnknown),
        (errors.InvalidResource("epic", "create", status=422), commands.RejectWrite),
        (errors.NotAuthorized("epic", "create", status=403), commands.RejectWrite),
        (errors.TokenRefused("epic", "create", status=401), commands.ParkWrite),
        (errors.VersionConflict("epic", "create", status=412), commands.MarkUnknown),
    ],
)
def test_a_failed_send_becomes_the_right_command(error: errors.VendorError, command: type) -> None:
    assert isinstance(next_command(error, 1, NOON), command)


def test_only_what_was_certainly_not_executed_is_sent_again_without_asking() -> None:
    """F09, F10, F11, I3."""
    postponed = {leaf for leaf, step in STEPS.items() if step is NextStep.POSTPONE}
    assert postponed == {errors.NotSent, errors.Throttled, errors.TokenNotRenewed}


@pytest.mark.parametrize("leaf", [errors.Throttled, errors.NotSent, errors.OutcomeUnknown])
@pytest.mark.parametrize(("asked_for", "waited"), [(30, 30), (2400, 2400), (10**9, 3600)])
def test_a_retry_after_is_obeyed_up_to_an_hour(leaf: type, asked_for: float, waited: float) -> None:
    command = next_command(leaf("e", "c", retry_after_seconds=asked_for), 1, NOON)
    assert command.due_at == NOON + timedelta(seconds=waited)


def test_looking_again_waits_as_long_again_as_was_waited_and_obeys_a_retry_after() -> None:
    waits = [pause_after(timedelta(seconds=seconds)).total_seconds() for seconds in (0, 5, 10, 20, 400)]
    assert waits == [5, 5, 10, 20, 120]
    assert pause_after(timedelta(0), 2400) == timedelta(minutes=40)


def test_the_first_event_fixes_whose_grant_may_send() -> None:
    assert isinstance(state().order, WritebackQueued)
    assert state().launch_id == "launch-1"


def test_a_write_parked_because_its_token_was_refused_goes_back_to_the_queue() -> None:
    """401 comes before execution: there is nothing to ask the EHR about."""
    refused = state(BEGUN, WritebackParked(reason="reauth"), WritebackResumed(launch_id="launch-2"))
    assert refused.stage is Stage.QUEUED


def test_unclear_outcomes_are_counted_and_postponed_ones_are_not() -> None:
    unclear = state(BEGUN, OutcomeBecameUnknown(reason="x"), AbsenceProven(), BEGUN, OutcomeBecameUnknown(reason="x"))
    postponed = state(BEGUN, AttemptPostponed(reason="NotSent", due_at=NOON))
    assert (unclear.unclear, postponed.unclear) == (2, 0)
