"""The words for entries beside a note: what each kind is called, what becomes of it, and where its write stands."""

from collections.abc import Mapping, Sequence

from app.notes.entries import PlannedEntry
from app.pages.chart_now import is_gone
from app.pages.difference_words import what_differs
from app.pages.entry_screens import FiledEntry
from app.pages.status import PARKED, PUT_ASIDE, WHO_WAKES_IT
from app.policy.entry_route import EntryLanding
from app.policy.route import Route
from app.writebacks.events import CopyOffered
from app.writebacks.state import CAME_LATE, Stage, WritebackState
from vendors.entry_values import EntryKind

KINDS: Mapping[EntryKind, str] = {
    EntryKind.VITAL_SIGN: "Vital sign",
    EntryKind.FOLLOW_UP: "To do",
    EntryKind.PROBLEM: "Problem",
    EntryKind.ALLERGY: "Allergy",
    EntryKind.MESSAGE: "Message",
    EntryKind.VISIT_REASON: "Visit",
    EntryKind.MEDICATION: "Medication",
}
# What is written where, in one sentence: what the clinician approves is this, and nothing more.
WRITTEN: Mapping[EntryKind, str] = {
    EntryKind.VITAL_SIGN: "{ehr}: a new vital sign of this visit",
    EntryKind.FOLLOW_UP: "{ehr}: a new task",
    EntryKind.PROBLEM: "{ehr}: a new entry of the problem list",
    EntryKind.ALLERGY: "{ehr}: a new allergy, marked as not confirmed",
    EntryKind.MESSAGE: "{ehr}: a message that is kept unsent",
    EntryKind.VISIT_REASON: "{ehr}: added to this visit",
    EntryKind.MEDICATION: "{ehr}: a draft proposal. It orders nothing",
}
# What the second confirmation says, where a kind wants one.
CHECKED = "I checked medication, dose and patient."
BY_HAND: Mapping[str, str] = {
    "vendor_takes_none": "{ehr} does not take this from Countersign",
    "ruleset_knows_none": "your organisation's rules for signing know no entries",
    "phase_below_full": "your organisation does not let Countersign write this yet",
    "switched_off": "writing this is switched off at the moment",
    "no_visit_open": "this belongs into a visit, and none is open",
    "write_not_granted": "{ehr} did not grant the right to write this",
    "read_back_not_granted": "{ehr} did not grant the right to read this back",
}
SENTENCES: Mapping[Stage, str] = {
    Stage.QUEUED: "Waiting to be sent.",
    Stage.SENDING: "Being sent.",
    Stage.OUTCOME_UNKNOWN: "{ehr} did not confirm. Countersign is looking in the chart.",
    Stage.FILED: "In {ehr}. Countersign is reading it back.",
    Stage.VERIFIED: "In the chart, and read back.",
    Stage.DRIFTED: "In the chart, but not as you signed it. Please look there: {differences}.",
    Stage.REJECTED: "{ehr} refused it. It is not in the chart. Enter it there by hand.",
    Stage.PARKED: "{parked}",
    Stage.CANCELLED: "Taken back before it was sent.",
    Stage.SUPERSEDED: "A later version took its place.",
    Stage.OVERRIDDEN: "Changed in {ehr} by a person after it was filed. What stands there counts.",
    Stage.MISSING: "Was in the chart, and {ehr} does not show it any more.",
    Stage.SETTLED: "Looked at by a person and ended.",
    Stage.AWAITING_COPY: "For you to enter in {ehr} by hand.",
    Stage.COPIED: "Entered in {ehr} by you.",
}
# Below them all: no vendor documents how another system changes an entry that it made.
CHANGED_THERE = (
    "To change one of these, or to take it out, use {ehr}. "
    "Countersign looks there again, and says here what was changed."
)
# The clinician may have entered it before the note was taken back, and not have said so.
ENTERED_NO_MORE = "Taken back with the note. If you entered it in {ehr} already, remove it there."
DELETED = "Deleted in {ehr} by a person after it was filed. It is not sent again."
CAME_LATE_WORDS = "{ehr} shows it after all, after it had been ended here. It stands in the chart."
STOPPED = frozenset({Stage.REJECTED, Stage.PARKED, Stage.DRIFTED, Stage.OVERRIDDEN, Stage.MISSING})
# What was sent and may stand in the chart; where a person ended it, its state says what was known (`has_left`).
LEFT = frozenset(
    {
        Stage.SENDING,
        Stage.OUTCOME_UNKNOWN,
        Stage.FILED,
        Stage.VERIFIED,
        Stage.DRIFTED,
        Stage.OVERRIDDEN,
        Stage.MISSING,
        Stage.SUPERSEDED,
    }
)
WORKING = frozenset({Stage.QUEUED, Stage.SENDING, Stage.OUTCOME_UNKNOWN, Stage.FILED})

if KINDS.keys() != set(EntryKind) or WRITTEN.keys() != set(EntryKind) or SENTENCES.keys() != set(Stage):
    raise TypeError("every kind of entry and every stage of its write needs its words")


def becomes(kind: EntryKind, landing: EntryLanding, ehr: str) -> str:
    """What becomes of an entry when the note is signed."""
    if landing.route is Route.FILE:
        return WRITTEN[kind].format(ehr=ehr)
    return f"You enter it in {ehr}: {BY_HAND[landing.reason].format(ehr=ehr)}"


def becomes_planned(plan: PlannedEntry, ehr: str) -> str:
    """The same for an approved entry."""
    return becomes(plan.reviewed.kind, plan.landing, ehr)


def has_left(state: WritebackState) -> bool:
    """Whether an entry was sent, and is in the chart or may be."""
    ended = state.stage in (Stage.PARKED, Stage.SETTLED)
    return state.stage in LEFT or (ended and (bool(state.resource_id) or state.parked_from in LEFT))


def left_before(entries: Sequence[FiledEntry]) -> str:
    """The sentence beside a note that was taken back: which entries had left already; empty where none had."""
    left = "; ".join(entry.words for entry in entries if entry.left)
    return f"Already sent when you took the note back, and not stopped: {left}." if left else ""


def changed_there(entries: Sequence[FiledEntry], ehr: str) -> str:
    """The sentence below the entries that are in the chart: who changes one, and where; empty where none is."""
    return CHANGED_THERE.format(ehr=ehr) if any(entry.left for entry in entries) else ""


def where_it_stands(state: WritebackState, ehr: str, *, put_aside: bool = False) -> str:
    """Where the write of an entry stands. `put_aside`: whether it is a dead letter."""
    stage = state.stage or Stage.QUEUED
    if put_aside and stage in PUT_ASIDE:
        return f"{PUT_ASIDE[stage]} {WHO_WAKES_IT}".format(ehr=ehr)
    if stage is Stage.CANCELLED and isinstance(state.order, CopyOffered):
        return ENTERED_NO_MORE.format(ehr=ehr)
    if state.parked_from is Stage.VERIFIED:
        stage = Stage.VERIFIED
    if stage is Stage.OVERRIDDEN and is_gone(state):
        return DELETED.format(ehr=ehr)
    if stage is Stage.OVERRIDDEN and state.change_there == CAME_LATE:
        return CAME_LATE_WORDS.format(ehr=ehr)
    parked = PARKED.get(state.parked_for, "").format(ehr=ehr).replace("the note", "it").replace("this note", "it")
    return SENTENCES[stage].format(ehr=ehr, parked=parked, differences=what_differs(state.differences))
