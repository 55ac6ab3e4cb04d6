"""Where a signed note stands, in words: the steps of its life after signature, one sentence, at most one action."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from app.pages.chart_now import change_and_what_counts, is_gone
from app.pages.difference_words import what_differs
from app.pages.screens import Action, Step
from app.pages.words import clock_time
from app.writebacks.state import ABANDONED, ACCEPTED_NOT_FILED, CAME_LATE, COPIED_BY_HAND, Stage, WritebackState

Line = tuple[tuple[Stage, str], ...]

FILING: Line = (
    (Stage.QUEUED, "Queued"),
    (Stage.SENDING, "Sending"),
    (Stage.FILED, "Filed"),
    (Stage.VERIFIED, "Verified"),
)
DONE = {"Sending": "Sent"}
COPYING: Line = ((Stage.AWAITING_COPY, "Copy"), (Stage.COPIED, "Copied"))

SENTENCES = {
    Stage.QUEUED: "Signed. Waiting to be sent to {ehr}.",
    Stage.SENDING: "Being sent to {ehr}.",
    Stage.OUTCOME_UNKNOWN: "{ehr} did not confirm. Countersign is looking in the chart before it does anything else.",
    Stage.FILED: "{ehr} has the note. Countersign is reading it back to check it.",
    Stage.VERIFIED: "In the chart. What {ehr} holds was read back and is what you signed.",
    Stage.DRIFTED: "In the chart, but {ehr} holds something else than you signed. Please look there: {differences}.",
    Stage.REJECTED: "{ehr} refused the note. It is signed and kept here, and it is not in the chart.",
    Stage.PARKED: "{parked}",
    Stage.AWAITING_COPY: "Signed and kept here. Copy the note into {ehr}, then say so here.",
    Stage.COPIED: "Signed, and copied into {ehr} by you.",
    Stage.CANCELLED: "Taken back by you before it was sent. It is signed and kept here, and it is not in the chart.",
    Stage.SUPERSEDED: "Your later version took its place in {ehr}. This one is kept here as you signed it.",
    Stage.OVERRIDDEN: "{changed}",
    Stage.MISSING: "It was in the chart, and {ehr} does not show it any more. It is not sent again. Look in the chart.",
    Stage.SETTLED: "{ended} It is signed and kept here.",
}
ACCEPTED_AND_NOT_SEEN = (
    "{ehr} took this to file it later, and does not show it yet. It may still appear at any time, so it is not sent "
    "again. Countersign looks for it and goes on by itself when it is there. Copied into the chart now, it may stand "
    "there twice."
)
ACCEPTED = "{ehr} took this to file it later; it is not in the chart yet. Countersign looks until it is."
# How a person ended it, by the outcome that was written down.
ENDED = {
    "filed_by_hand": "You looked, and it is in the chart of {ehr}.",
    COPIED_BY_HAND: "You copied it into the chart of {ehr}.",
    "accepted": "You looked, and what stands in the chart of {ehr} is right.",
    ABANDONED: "Given up: Countersign sends nothing any more.",
}
PARKED = {
    "reauth": "Your access to {ehr} ended before this was done. Start Countersign again from this chart and it "
    "goes on by itself.",
    "address_changed": "{ehr} has another address now than when you signed, and nothing is sent. First your "
    "administrator says that it is the same EHR. Then start Countersign again from this chart and it goes on.",
    "switched_off": "Your organisation has filing switched off at the moment. Nothing is lost: when it is switched on "
    "again, the note goes on by itself.",
    "conflict": "{ehr} shows something in the way of this note: it stands there twice, or somebody changed it. Look in "
    "the chart, and ask your administrator. Nothing is sent until then.",
    "manual": "Countersign could not file this safely and stopped. Look in the chart whether it is there, and ask your "
    "administrator. Nothing is sent until then.",
    "original_not_filed": "The earlier version that this was to change is not in {ehr}, so it was not sent. Look in "
    "the chart.",
    "missing": "{ehr} said that it took the note and does not show it. Countersign looks now and then, and goes on by "
    "itself when it is there. Look in the chart before writing it again.",
    "unproven": "{ehr} did not confirm the note and does not show it. It is not sent again, because it may still be "
    "there. Countersign looks now and then, and goes on by itself when it is. Look in the chart too, and copy the note "
    "into it if it is not there.",
    "unreadable": "{ehr} does not let Countersign look for the note. It is not sent again. Look in the chart whether "
    "it is there, and ask your administrator.",
}
# Signed and not sent yet, for a reason that the clinician can do nothing about and should know.
WAITING = {
    "client_refused": "Signed. {ehr} does not accept Countersign itself at the moment, and your administrator is told. "
    "The note is sent as soon as it does.",
    "not_renewed": "Signed. {ehr} could not be asked to renew your access. Countersign keeps trying.",
}
# The header's line once the note is signed: where the note is now, no longer where it would go.
PLACES = {
    Stage.QUEUED: "{ehr}: signed, on its way into the chart",
    Stage.SENDING: "{ehr}: signed, on its way into the chart",
    Stage.OUTCOME_UNKNOWN: "{ehr}: signed; whether it is in the chart is being looked up",
    Stage.FILED: "{ehr}: filed in the chart",
    Stage.VERIFIED: "{ehr}: filed in the chart and read back",
    Stage.DRIFTED: "{ehr}: filed in the chart, and changed there",
    Stage.REJECTED: "{ehr}: signed, and not in the chart",
    Stage.PARKED: "{ehr}: signed; the filing has stopped",
    Stage.AWAITING_COPY: "{ehr}: signed; you copy it into the chart",
    Stage.COPIED: "{ehr}: copied into the chart by you",
    Stage.CANCELLED: "{ehr}: taken back; not in the chart",
    Stage.SUPERSEDED: "{ehr}: replaced by your later version",
    Stage.OVERRIDDEN: "{ehr}: filed in the chart, and changed there by a person",
    Stage.MISSING: "{ehr}: was in the chart, and is not shown any more",
    Stage.SETTLED: "{ehr}: looked at by a person and ended",
}
DELETED_PLACE = "{ehr}: was in the chart, and was deleted there by a person"
CAME_LATE_PLACE = "{ehr}: in the chart after it was ended here"
LEFT_CURRENT_PLACE = "{ehr}: still shown as current beside a later version"
# The note itself is done: what waits is the record of who wrote it and what assisted.
PROVENANCE_WAITS = {
    "reauth": " Its Provenance is still to be filed. Start Countersign again from this chart and it goes on by itself.",
    "switched_off": " Its Provenance is still to be filed: that is switched off at the moment, and goes on by itself.",
    "address_changed": " Its Provenance was not filed: {ehr} has another address now. When your administrator has said "
    "that it is the same EHR, start Countersign again from this chart.",
}
# A step that broke on an error of ours, again and again: nothing goes on by itself until an administrator wakes it.
PUT_ASIDE = {
    Stage.QUEUED: "Signed and kept here, and not sent: an error of Countersign itself stopped it.",
    Stage.SENDING: "It may be in the chart of {ehr}: an error of Countersign itself stopped it before that was clear.",
    Stage.OUTCOME_UNKNOWN: "It may be in the chart of {ehr}: an error of Countersign itself stopped it before that was "
    "clear.",
    Stage.FILED: "{ehr} took it. An error of Countersign itself stopped it from being read back.",
    Stage.VERIFIED: "It is in the chart. An error of Countersign itself stopped its Provenance.",
}
WHO_WAKES_IT = "Ask your administrator to have it go on."
STOPPED = frozenset({Stage.REJECTED, Stage.PARKED, Stage.DRIFTED, Stage.CANCELLED, Stage.OVERRIDDEN, Stage.MISSING})
WORKING = frozenset({Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED})
# Which step of the line a stage stands at when it is not a step itself.
STANDS_AT = {
    Stage.OUTCOME_UNKNOWN: Stage.SENDING,
    Stage.REJECTED: Stage.SENDING,
    Stage.DRIFTED: Stage.VERIFIED,
    Stage.CANCELLED: Stage.QUEUED,
    Stage.SUPERSEDED: Stage.VERIFIED,
    Stage.OVERRIDDEN: Stage.VERIFIED,
    Stage.MISSING: Stage.VERIFIED,
}

if not SENTENCES.keys() == PLACES.keys() == set(Stage):
    raise TypeError("every stage of a write needs its sentence and its place")
if PUT_ASIDE.keys() != WORKING | {Stage.VERIFIED}:
    raise TypeError("every stage at which a worker can break needs its sentence")


@dataclass(frozen=True)
class Status:
    """The status line, and what the header says of where the note is."""

    place: str
    steps: tuple[Step, ...]
    sentence: str
    settled: bool
    action: Action | None


def status(
    state: WritebackState,
    signed_at: datetime,
    ehr: str,
    zone: ZoneInfo,
    sentences: Mapping[Stage, str] = MappingProxyType(SENTENCES),
    *,
    put_aside: bool = False,
) -> Status:
    """Where the write stands. `ehr` is its name as people say it; times are shown in `zone`.

    `sentences`: for what is no note, such as a retraction. `put_aside`: whether it is a dead letter.
    """
    stage = state.stage or Stage.QUEUED
    waits = ""
    if state.parked_from is Stage.VERIFIED:
        stage, waits = Stage.VERIFIED, PROVENANCE_WAITS[state.parked_for].format(ehr=ehr)
    is_accepted = state.unknown_for == ACCEPTED_NOT_FILED and state.parked_for == "unproven"
    parked = (ACCEPTED_AND_NOT_SEEN if is_accepted else PARKED.get(state.parked_for, "")).format(ehr=ehr)
    words = sentences[stage]
    if stage is Stage.QUEUED:
        words = WAITING.get(state.postponed_for, words)
    elif stage is Stage.OUTCOME_UNKNOWN and state.unknown_for == ACCEPTED_NOT_FILED:
        words = ACCEPTED
    if put_aside and stage in PUT_ASIDE:
        words = f"{PUT_ASIDE[stage]} {WHO_WAKES_IT}"
    sentence = (
        words.format(
            ehr=ehr,
            parked=parked,
            differences=what_differs(state.differences),
            changed=change_and_what_counts(state, ehr),
            ended=ENDED.get(state.settled_as, "A person looked at this and ended it.").format(ehr=ehr),
        )
        + waits
    )
    line = COPYING if stage in (Stage.AWAITING_COPY, Stage.COPIED) else FILING
    signed = Step("signed", "Signed", "done", clock_time(signed_at.astimezone(zone)), "")
    stops = stage in STOPPED or (put_aside and stage in WORKING)
    settled = stops or stage not in WORKING
    steps = (signed, *_steps(line, state, stage, zone, stops=stops))
    return Status(place(state, put_aside=put_aside).format(ehr=ehr), steps, sentence, settled, _action(stage))


def place(state: WritebackState, *, put_aside: bool) -> str:
    """The header's line, still with `{ehr}` in it."""
    stage = state.in_chart_as or Stage.QUEUED
    if stage is Stage.OVERRIDDEN and is_gone(state):
        return DELETED_PLACE
    if state.is_left_current:
        return LEFT_CURRENT_PLACE
    if state.stage is Stage.OVERRIDDEN and state.change_there == CAME_LATE:
        return CAME_LATE_PLACE
    return PLACES[Stage.PARKED if put_aside and stage in WORKING else stage]


def _steps(line: Line, state: WritebackState, stage: Stage, zone: ZoneInfo, *, stops: bool) -> list[Step]:
    if stage is Stage.SETTLED:
        # A person ended it: the steps that it came to, and no other is called done.
        reached = [_step(step, label, state, "done", zone) for step, label in line if state.reached(step)]
        return [*reached, _step(stage, "Ended", state, "done", zone)]
    order = [step for step, _ in line]
    here = STANDS_AT.get(stage, stage)
    if stage is Stage.PARKED:
        here = STANDS_AT.get(state.parked_from or Stage.QUEUED, state.parked_from or Stage.QUEUED)
    at = order.index(here)
    return [
        _step(step, label, state, _standing(index, at, stage, last=len(order) - 1, stops=stops), zone)
        for index, (step, label) in enumerate(line)
    ]


def _standing(index: int, at: int, stage: Stage, *, last: int, stops: bool) -> str:
    if index != at:
        return "done" if index < at else "todo"
    if stops:
        return "stopped"
    return "done" if index == last or stage is Stage.COPIED else "now"


def _step(step: Stage, label: str, state: WritebackState, standing: str, zone: ZoneInfo) -> Step:
    when = state.since(step) if step is Stage.SENDING else state.reached(step)
    words = ""
    if step is Stage.SENDING and state.attempts > 1:
        words = f"Attempt {state.attempts}"
    if step is Stage.VERIFIED and standing == "done" and state.differences and state.stage is not Stage.SETTLED:
        words = f"Harmless differences: {what_differs(state.differences)}"
    label = DONE.get(label, label) if standing == "done" else label
    return Step(step, label, standing, clock_time(when.astimezone(zone)) if when and standing != "todo" else "", words)


def _action(stage: Stage) -> Action | None:
    return Action("Copy the note", "copy", "note/copied") if stage is Stage.AWAITING_COPY else None
