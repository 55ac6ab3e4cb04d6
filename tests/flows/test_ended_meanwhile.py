"""A session that ends while something is on its way: nothing is written in its name after its end."""

from collections.abc import Callable
from typing import Any

import pytest

from app.errors import LaunchEnded
from app.notes.commands import DecideClaim, EditClaim, RecordDraft
from app.notes.entering import Entering
from app.notes.sign import Signing
from tests.service import OpenChart, Service


def ready(service: Service) -> OpenChart:
    chart = service.drafted()
    chart.settle()
    return chart


def sign_out(chart: OpenChart) -> None:
    assert chart.post("/end").status_code in (200, 303)


def expire(chart: OpenChart) -> None:
    chart.service.clock.advance(hours=chart.service.parts.settings.launch_hours)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Does something after the EHR was asked and before the note is signed."""
    ask = Signing._ask_chart

    def install(act: Callable[[], Any]) -> None:
        def slowly(self: Signing, launch: Any) -> Any:
            standing = ask(self, launch)
            act()
            return standing

        monkeypatch.setattr(Signing, "_ask_chart", slowly)

    return install


@pytest.mark.parametrize("end", [sign_out, expire])
def test_a_note_is_not_signed_in_a_session_that_ended_while_the_ehr_was_asked(
    service: Service, meanwhile: Any, end: Callable[[OpenChart], None]
) -> None:
    """E12, A53."""
    chart = ready(service)
    form, token = chart.sign_form(), chart.csrf()
    meanwhile(lambda: end(chart))

    answer = chart.post("/sign", token=token, **form)

    assert answer.status_code == 401
    assert "session" in answer.text
    assert chart.note().state.signed is None


@pytest.fixture
def before_it_is_entered(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Does something once after the note was read and rendered, and before its signature is entered."""
    enter = Entering.enter

    def install(act: Callable[[], Any]) -> None:
        def late(self: Entering, *signature: Any) -> None:
            monkeypatch.setattr(Entering, "enter", enter)
            act()
            enter(self, *signature)

        monkeypatch.setattr(Entering, "enter", late)

    return install


def test_a_session_that_ends_just_before_the_signature_is_entered_signs_nothing(
    service: Service, before_it_is_entered: Any
) -> None:
    """E12."""
    chart = ready(service)
    form, token = chart.sign_form(), chart.csrf()
    before_it_is_entered(lambda: sign_out(chart))

    assert chart.post("/sign", token=token, **form).status_code == 401
    assert chart.note().state.signed is None


def test_what_is_edited_just_before_the_signature_is_entered_is_not_signed_over(
    service: Service, before_it_is_entered: Any
) -> None:
    """What was displayed is what is signed, or nothing is."""
    chart = ready(service)
    form, note = chart.sign_form(), chart.note()
    claim = note.review.claims[0]
    change = EditClaim(chart.launch(), note.note_id, claim.claim.id, claim.decision.revision, "Something else.")
    before_it_is_entered(lambda: service.parts.notes.edit_claim(change))

    assert chart.post("/sign", **form).status_code == 409
    assert chart.note().state.signed is None


def test_of_two_signatures_at_one_moment_the_later_one_finds_that_the_note_is_signed(
    service: Service, before_it_is_entered: Any
) -> None:
    """F40."""
    chart = ready(service)
    form = chart.sign_form()
    before_it_is_entered(lambda: chart.post("/sign", **form))

    assert chart.post("/sign", **form).status_code == 303
    assert len(chart.note().state.signatures) == 1


@pytest.mark.parametrize("end", [sign_out, expire])
def test_no_draft_is_kept_and_none_edited_in_a_session_that_has_ended(
    service: Service, end: Callable[[OpenChart], None]
) -> None:
    """E12: however the request got past the door before."""
    chart = ready(service)
    note, launch = chart.note(), chart.launch()
    claim = note.review.claims[0]
    end(chart)
    notes = service.parts.notes
    revision = claim.decision.revision

    with pytest.raises(LaunchEnded):
        notes.edit_claim(EditClaim(launch, note.note_id, claim.claim.id, revision, "Something else."))
    with pytest.raises(LaunchEnded):
        notes.decide_claim(DecideClaim(launch, note.note_id, claim.claim.id, revision, "remove"))
    with pytest.raises(LaunchEnded):
        notes.record_draft(RecordDraft(launch, note.review.draft), "primary-care")

    assert notes.find(launch).state.version == note.state.version  # type: ignore[union-attr]
