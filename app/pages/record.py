"""The record of one note: the story from launch to chart, and everything that was kept of it."""

import json

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.drafting.template import TITLES
from app.event_log.event import CATALOGUE, ArtifactRef
from app.ids import WritebackId
from app.notes.reading import ReadNote
from app.notes.reading import stream_of as note_stream
from app.pages.note_page import local, local_now, required_note
from app.pages.screens import Kept, RecordScreen, StoryLine
from app.pages.sessions import collaborators, current_launch, open_launch_before
from app.pages.words import banner, full_time, quoted
from app.projections import follower
from app.projections.audit_trail import AuditLine, story
from app.writebacks.events import WritebackQueued
from app.writebacks.handlers import load
from app.writebacks.handlers import stream_of as writeback_stream
from app.writebacks.state import WritebackState

record = Blueprint("record", __name__, url_prefix="/charts/<launch_id>/record")
open_launch_before(record)

WORDS = {
    "launch:completed": "opened this chart with Countersign",
    "launch:ended": "ended the session",
    "launch:grant:renewed": "renewed the access to the EHR",
    "launch:grant:ended": "found that the access to the EHR had ended",
    "launch:grant:returned": "erased the tokens of the session",
    "note:draft:recorded": "received the AI draft",
    "note:claim:edited": "edited a statement",
    "note:claim:confirmed": "confirmed a statement",
    "note:claim:removed": "removed a statement",
    "note:claim:restored": "put a statement back as drafted",
    "note:proposal:approved": "approved an entry for the chart",
    "note:proposal:declined": "declined a proposed entry",
    "note:proposal:reopened": "took a decision on a proposed entry back",
    "note:proposal:changed": "changed a proposed entry",
    "note:signed": "signed the note",
    "note:amendment:begun": "began to change the signed note",
    "note:addendum:written": "wrote the text of an addendum",
    "note:amendment:dropped": "gave the change up",
    "note:retracted": "retracted the note: entered in error",
    "writeback:queued": "ordered what was signed to be filed",
    "writeback:copy:offered": "received what was signed to enter by hand",
    "writeback:copy:confirmed": "copied the note into the chart",
    "writeback:attempt:begun": "began to send",
    "writeback:attempt:postponed": "postponed the sending: certainly not executed",
    "writeback:outcome:unknown": "got no trustworthy answer",
    "writeback:absence:seen": "asked the EHR: the note is not there",
    "writeback:absence:proven": "asked the EHR again: the note was not filed and may be sent",
    "writeback:filed": "found the note in the EHR's answer",
    "writeback:regenerated": "rendered it anew under another mapping, before anything was sent",
    "writeback:cancelled": "took the note back before it was sent",
    "writeback:superseded": "filed a later version in its place",
    "writeback:overridden": "found in the EHR what its signer should look at",
    "writeback:missing": "found that the EHR does not show it any more",
    "writeback:restored": "found it in the EHR again as it was signed",
    "writeback:settled": "looked at it and ended it",
    "writeback:verified": "read the note back: it is what was signed",
    "writeback:drifted": "read the note back: it is not what was signed",
    "writeback:rejected": "was refused by the EHR",
    "writeback:parked": "stopped and waits for a person",
    "writeback:resumed": "let the sending go on",
    "writeback:provenance:begun": "began to send the Provenance",
    "writeback:provenance:postponed": "postponed the Provenance: certainly not executed",
    "writeback:provenance:filed": "filed the Provenance",
    "writeback:provenance:refused": "kept the Provenance here: the EHR did not take it, or gave no clear answer",
}
# Of the other events none belongs to one note.
OF_A_NOTE = ("launch:", "note:", "writeback:")
if missing := {tag for tag in CATALOGUE if tag.startswith(OF_A_NOTE)} - WORDS.keys():
    raise TypeError(f"these events have no words: {sorted(missing)}")

# What the page names of an event: versions, attempts and digests, in this order.
DETAILS = (
    "drafter", "drafter_version", "prompt_version", "template_version", "gate_version", "policy_version", "profile",
    "profile_version", "mapping_version", "note_version", "attempt", "reason", "resource_id",
    "resource_version", "status", "displayed_hash", "payload_digest",
)  # fmt: skip
SHORT_DIGEST = 12


@record.get("")
def show() -> ResponseReturnValue:
    """The record page."""
    parts, launch, note = collaborators(), current_launch(), required_note()
    follower.follow(parts.database, launch.tenant_id)
    screen = RecordScreen(
        launch_id=launch.launch_id,
        banner=banner(note.review.draft, local_now()),
        story=_story(note),
        kept=tuple(_kept(note)),
    )
    return render_template("charts/record.html", screen=screen)


def _story(note: ReadNote) -> tuple[StoryLine, ...]:
    recorded = note.state.draft_recorded
    streams = [f"launch:{recorded.launch_id}", note_stream(note.note_id)]
    streams += [writeback_stream(WritebackId(writeback_id)) for _, writeback_id in note.state.writes]
    with collaborators().database.read() as tx:
        lines = story(tx, note.tenant_id, streams)
    return tuple(_line(line, note) for line in lines)


def _line(line: AuditLine, note: ReadNote) -> StoryLine:
    who = "Countersign" if line.actor.startswith("system:") else note.review.draft.clinician.name
    details = [f"{name.replace('_', ' ')} {_short(line.details[name])}" for name in DETAILS if line.details.get(name)]
    if line.details.get("proposal_id"):
        details.insert(0, _entry(note, str(line.details["proposal_id"])))
    if line.details.get("claim_id"):
        details.insert(0, _statement(note, str(line.details["claim_id"])))
    return StoryLine(full_time(local(line.recorded_at)), who, WORDS[line.tag], " · ".join(details))


def _entry(note: ReadNote, proposal_id: str) -> str:
    """The entry in the words that it has now."""
    words = {one.proposal.id: one.words for one in note.review.proposals}
    return quoted(words.get(proposal_id, proposal_id))


def _statement(note: ReadNote, claim_id: str) -> str:
    """The statement by its section and the words that the AI drafted: an id says nothing to a person."""
    drafted = {claim.id: claim for claim in note.review.draft.claims}
    claim = drafted.get(claim_id)
    if claim is None:
        return claim_id
    return f"{TITLES[claim.section]}: {quoted(' '.join(claim.text.split())) or 'left blank by the AI'}"


def _short(value: object) -> str:
    text = str(value)
    return text[:SHORT_DIGEST] if len(text) == 64 else text


def _kept(note: ReadNote) -> list[Kept]:
    refs: list[tuple[str, ArtifactRef | None]] = [("AI draft", note.state.draft_recorded.draft)]
    refs += [(f"Edit in {_statement(note, claim_id)}", mark.text) for claim_id, mark in note.state.marks if mark.text]
    refs += [
        (f"Change of “{_entry(note, proposal_id)}”", mark.content)
        for proposal_id, mark in note.state.proposal_marks
        if mark.content
    ]
    refs += [(f"Signed snapshot{_of(one.kind)}", one.snapshot) for one in note.state.signatures]
    parts = collaborators()
    with parts.database.read() as tx:
        for kind, writeback_id in note.state.writes:
            refs += _of_write(load(tx, note.tenant_id, WritebackId(writeback_id)), _of(kind))
        return [
            Kept(title, ref.digest[:SHORT_DIGEST], _readable(parts.artifacts.open(tx, note.tenant_id, ref)))
            for title, ref in refs
            if ref
        ]


def _of_write(state: WritebackState, suffix: str) -> list[tuple[str, ArtifactRef | None]]:
    order = state.order
    queued = order if isinstance(order, WritebackQueued) else None
    return [
        (f"What the EHR held before{suffix}", queued.base if queued else None),
        (f"Submitted payload{suffix}", queued.payload if queued else None),
        (f"The EHR's reply{suffix}", state.reply),
        (f"What the EHR stored{suffix}", state.stored),
        (f"Provenance{suffix}", order.provenance if order else None),
    ]


def _of(kind: str) -> str:
    """What the kept thing belongs to, where it is not the note itself."""
    return "" if kind == "note" else f" of the {kind}"


def _readable(content: bytes) -> str:
    try:
        return json.dumps(json.loads(content), indent=2, ensure_ascii=False)
    except ValueError:
        return content.decode(errors="replace")
