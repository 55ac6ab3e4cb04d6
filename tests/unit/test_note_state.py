import pytest

from app.errors import Corrupt, Refused, StaleEdit
from app.event_log.event import CATALOGUE
from app.notes import decide
from app.notes.events import (
    AmendmentBegun,
    AmendmentDropped,
    ClaimConfirmed,
    ClaimEdited,
    ClaimRemoved,
    ClaimRestored,
    DraftRecorded,
    NoteRetracted,
    NoteSigned,
)
from app.notes.state import TRANSITIONS, Stage, fold
from tests.factories import REF, recorded

DRAFTED = DraftRecorded(
    launch_id="l",
    patient="Patient/1",
    encounter="Encounter/9",
    author_issuer="i",
    author_subject="s",
    author="Practitioner/7",
    workflow="primary-care",
    draft=REF,
    claims=1,
    drafter="extractive",
    drafter_version="1",
    prompt_version="none",
    template_version="t",
    gate_version="g",
    sources=(("Patient/1", "1"),),
)
SIGNED = NoteSigned(
    launch_id="l",
    note_version=1,
    displayed_hash="h",
    snapshot=REF,
    text_digest="t",
    meaning="author",
    policy_version="p",
    writeback_id="w",
)


def history(*events):
    return [recorded(event, version) for version, event in enumerate(events, start=1)]


def test_every_note_event_has_its_place_in_the_drawing() -> None:
    assert set(TRANSITIONS) == {event for tag, event in CATALOGUE.items() if tag.startswith("note:")}


def test_a_note_goes_from_ready_through_review_to_signed() -> None:
    assert fold(history(DRAFTED)).stage is Stage.READY
    assert fold(history(DRAFTED, ClaimConfirmed(claim_id="c1"))).stage is Stage.IN_REVIEW
    assert fold(history(DRAFTED, ClaimConfirmed(claim_id="c1"), SIGNED)).stage is Stage.SIGNED


def test_an_edit_takes_a_confirmation_back() -> None:
    state = fold(history(DRAFTED, ClaimConfirmed(claim_id="c1"), ClaimEdited(claim_id="c1", text=REF)))
    assert not state.mark("c1").confirmed
    assert state.mark("c1").revision == 2


def test_restoring_brings_back_the_ai_text_undecided() -> None:
    state = fold(
        history(
            DRAFTED, ClaimEdited(claim_id="c1", text=REF), ClaimRemoved(claim_id="c1"), ClaimRestored(claim_id="c1")
        )
    )
    mark = state.mark("c1")
    assert (mark.text, mark.removed, mark.confirmed, mark.revision) == (None, False, False, 3)


@pytest.mark.parametrize("after", [DRAFTED, ClaimConfirmed(claim_id="c1"), SIGNED])
def test_nothing_may_follow_a_signature(after) -> None:
    with pytest.raises(Corrupt):
        fold(history(DRAFTED, SIGNED, after))


def test_a_stale_revision_is_a_conflict_and_a_signed_note_a_refusal() -> None:
    edited = fold(history(DRAFTED, ClaimEdited(claim_id="c1", text=REF)))
    with pytest.raises(StaleEdit):
        decide.edit_claim(edited, "c1", 0, REF)
    with pytest.raises(Refused):
        decide.edit_claim(fold(history(DRAFTED, SIGNED)), "c1", 0, REF)


CORRECTING = AmendmentBegun(launch_id="l", kind="correction", reason="mistake")
ADDING = AmendmentBegun(launch_id="l", kind="addendum", reason="omission")


def test_a_signed_note_changes_only_under_a_correction_that_was_begun() -> None:
    """C37."""
    signed = history(DRAFTED, SIGNED)
    with pytest.raises(Corrupt):
        fold([*signed, *history(DRAFTED, SIGNED, ClaimConfirmed(claim_id="c1"))[2:]])
    correcting = fold(history(DRAFTED, SIGNED, CORRECTING, ClaimEdited(claim_id="c1", text=REF)))
    assert (correcting.stage, correcting.lines_may_change) == (Stage.AMENDING, True)
    assert not fold(history(DRAFTED, SIGNED, ADDING)).lines_may_change


def test_a_correction_given_up_leaves_no_trace_in_the_lines_but_a_higher_revision() -> None:
    confirmed, edited = ClaimConfirmed(claim_id="c1"), ClaimEdited(claim_id="c1", text=REF)
    dropped = fold(history(DRAFTED, confirmed, SIGNED, CORRECTING, edited, AmendmentDropped()))
    mark = dropped.mark("c1")
    assert (dropped.stage, mark.confirmed, mark.text, mark.revision) == (Stage.SIGNED, True, None, 3)


def test_each_signature_and_each_retraction_is_a_version_with_a_write_of_its_own() -> None:
    """F40."""
    corrected = SIGNED.model_copy(update={"note_version": 2, "kind": "correction", "writeback_id": "w2"})
    retracted = NoteRetracted(launch_id="l", note_version=3, retracts="w2", reason="duplicate", writeback_id="w3")
    state = fold(history(DRAFTED, SIGNED, CORRECTING, corrected, retracted))
    assert state.stage is Stage.RETRACTED
    assert state.writes == (("note", "w"), ("correction", "w2"), ("retraction", "w3"))
    assert state.next_version == 4
