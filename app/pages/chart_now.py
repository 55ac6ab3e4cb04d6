"""What became of a filed write in the EHR: what changed, who changed it, which version counts, what to do now."""

import base64
import json
from typing import Any

from app.pages.difference_words import what_differs
from app.pages.stopped_screens import Answer
from app.reconciliation.changes import ChangeThere
from app.writebacks.state import ABANDONED, COPIED_BY_HAND, Stage, WritebackState
from vendors.renderings import shown_text

NOTE = "DocumentReference"
CHANGES = {
    ChangeThere.MERGED: "The patient was merged into another one in {ehr}, and this went with them.",
    ChangeThere.MOVED: "It was moved to another patient's chart in {ehr}.",
    ChangeThere.INVALIDATED: "It was marked in {ehr} as entered in error.",
    ChangeThere.REPLACED: "Another document took its place in {ehr}.",
    ChangeThere.AMENDED: "It was amended in {ehr}.",
    ChangeThere.SIGNED: "It was signed in {ehr}.",
    ChangeThere.EDITED: "It was changed in {ehr}.",
    ChangeThere.DELETED: "It was deleted in {ehr}.",
    ChangeThere.DOUBLED: "Another copy of it was brought back in {ehr}. It stands there twice.",
    ChangeThere.LEFT_CURRENT: "A later version of yours replaces it, and {ehr} still shows this one as current.",
    ChangeThere.CAME_LATE: "{ehr} shows it after all, after it had been ended here.",
}
if missing := set(ChangeThere) - CHANGES.keys():
    raise TypeError(f"these changes have no words: {sorted(missing)}")
THERE_COUNTS = "What stands in the chart now counts, and nothing is overwritten."
# The others: what stands there counts.
SINCE_THEN = {
    ChangeThere.DELETED: "It is not sent again.",
    ChangeThere.LEFT_CURRENT: "Two of them count there.",
    ChangeThere.CAME_LATE: "Look in the chart.",
}
COUNTS = {
    Stage.DRIFTED: "What stands in the chart of {ehr} is what others read. It is not what you signed.",
    Stage.OVERRIDDEN: "The one in {ehr}. What you signed is kept here, and nothing is overwritten.",
    Stage.MISSING: "None is in {ehr} now. What you signed is kept here, and it is not sent again.",
}
SEE = {
    Stage.DRIFTED: "Compare the two in the chart. If it must change, change it there.",
    Stage.OVERRIDDEN: "Look whether you agree. If you do, say so here. If not, change it in {ehr}.",
    Stage.MISSING: "Look for it in the chart. Ask your administrator whether {ehr} was restored from a backup.",
}
COUNTS_LATER = "The later one, where it stands in the chart. But whoever opens this one in {ehr} is not told so there."
SEE_BOTH = (
    "If the later version stands in the chart, mark this one in {ehr} as replaced, or retract it on the note's page, "
    "under All versions. If this one may stay as it is, say so here."
)
# By how a person had ended it.
COUNTS_LATE = {
    COPIED_BY_HAND: "Both: your copy, and this one.",
    ABANDONED: "This one stands in {ehr}, although it was given up.",
}
SEE_LATE = {
    COPIED_BY_HAND: "Look in the chart. If it stands there twice, mark your copy in {ehr} as entered in error, or "
    "retract this one on the note's page. If it is right as it stands, say so here.",
    ABANDONED: "If it is not to stand there, retract it on the note's page. If it may stay, say so here.",
}
SEE_LATE_ENTRY = "If it is not to stand there, mark it in {ehr} as entered in error. If it may stay, say so here."
SEE_DELETED = "Look whether you agree. If you do, say so here. If not, write it again in {ehr}."
STAYED = (
    "The patient was merged into another one in {ehr}, or their record was closed. This still stands in the old record."
)
READERS = {"signer": "Your own.", "backend": "That of your organisation, for reading only."}
A_VISITOR = "That of a colleague who opened this chart."


def answers(state: WritebackState, ehr: str) -> tuple[Answer, ...]:
    """The answers about what was filed and is not as it was signed; nothing for any other write."""
    if state.stage not in COUNTS:
        return ()
    counts, see = _advice(state.stage, state)
    found = [
        ("What changed?", _what(state).format(ehr=ehr)),
        ("Who changed it?", _who(state, ehr)),
        ("Which version counts?", counts.format(ehr=ehr)),
        ("What should you do now?", see.format(ehr=ehr)),
    ]
    if state.read_under:
        found.append(("Under whose access was it read?", READERS.get(state.read_under, A_VISITOR)))
    return tuple(Answer(question, answer) for question, answer in found)


def change_and_what_counts(state: WritebackState, ehr: str) -> str:
    """What a person changed there, and what counts since then."""
    if not state.change_there:
        return THERE_COUNTS
    change = ChangeThere(state.change_there)
    return f"{CHANGES[change]} {SINCE_THEN.get(change, THERE_COUNTS)}".format(ehr=ehr)


def is_gone(state: WritebackState) -> bool:
    """Whether it was in the chart and, as far as we know, is not there any more."""
    return state.stage is Stage.MISSING or _is_deleted(state)


def text_there(stored: bytes) -> str:
    """The text that a stored note shows; empty where it is kept elsewhere, or is no note."""
    resource: dict[str, Any] = json.loads(stored)
    for content in resource.get("content") or ():
        data = content.get("attachment", {}).get("data")
        if isinstance(data, str):
            text = base64.b64decode(data).decode("utf-8", "replace")
            return shown_text(text) or text
    return ""


def _advice(stage: Stage, state: WritebackState) -> tuple[str, str]:
    """Which version counts, and what to do."""
    if _is_deleted(state):  # as far from the chart as what is missing
        return COUNTS[Stage.MISSING], SEE_DELETED
    if state.stage is Stage.OVERRIDDEN and state.change_there == ChangeThere.CAME_LATE:
        see = SEE_LATE[state.settled_as] if state.queued.resource_type == NOTE else SEE_LATE_ENTRY
        return COUNTS_LATE[state.settled_as], see
    return (COUNTS_LATER, SEE_BOTH) if state.is_left_current else (COUNTS[stage], SEE[stage])


def _is_deleted(state: WritebackState) -> bool:
    return state.stage is Stage.OVERRIDDEN and state.change_there == ChangeThere.DELETED


def _what(state: WritebackState) -> str:
    differences = f" What differs: {what_differs(state.differences)}." if state.differences else ""
    if state.stage is Stage.MISSING:
        return "{ehr} does not show it any more."
    if state.stage is Stage.DRIFTED:
        return "{ehr} stored something else than you signed." + differences
    if state.change_there == ChangeThere.MERGED and not state.differences:
        return STAYED
    return CHANGES[ChangeThere(state.change_there)] + differences


def _who(state: WritebackState, ehr: str) -> str:
    if state.stage is Stage.DRIFTED:
        return f"{ehr} itself, when it stored it."
    if state.is_left_current:
        return f"Nobody. {ehr} left it as it was."
    if state.change_there == ChangeThere.CAME_LATE:
        return f"Nobody. {ehr} shows it only now."
    if not state.changed_by:
        return f"{ehr} does not say."
    return "You." if state.changed_by == state.queued.author else f"{ehr} names {state.changed_by}."
