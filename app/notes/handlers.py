"""Carrying out commands on notes until signature, one transaction each. Signing has a file of its own."""

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.clock import Clock
from app.db import Database
from app.drafting.draft import Draft
from app.errors import BadInput, NotFound
from app.event_log.append import append
from app.event_log.event import Event
from app.ids import NoteId, new_note_id
from app.notes import chart_index, decide
from app.notes.commands import DecideClaim, EditClaim, RecordDraft
from app.notes.events import DraftRecorded
from app.notes.reading import ReadNote, read_note, stream_of
from app.notes.state import NoteState
from app.tenants.launches import Launch, hold_open

LONGEST_CLAIM = 4000


class NoteCommands:
    """Issues commands on notes and answers with the note as it then stands.

    Whatever writes raises `LaunchEnded` when the launch ended after its request was let in.
    """

    def __init__(self, database: Database, artifacts: ArtifactStore, clock: Clock) -> None:
        self._database = database
        self._artifacts = artifacts
        self._clock = clock

    def find(self, launch: Launch) -> ReadNote | None:
        """The note of this launch's chart, visit and clinician, if there is one."""
        with self._database.read() as tx:
            note_id = chart_index.note_of(tx, launch)
            return read_note(tx, self._artifacts, launch.tenant_id, note_id) if note_id else None

    def require(self, launch: Launch) -> ReadNote:
        """The note of this launch's chart. Raises `NotFound` when no draft was made yet."""
        note = self.find(launch)
        if note is None:
            raise NotFound("No draft has been made for this visit yet.", "Go back to the chart page to make one.")
        return note

    def record_draft(self, command: RecordDraft, workflow: str) -> NoteId:
        """Keep a draft as the chart's note. Of two at the same moment the first wins and both callers get it.

        Raises `LaunchEnded` when the session ended while the draft was made.
        """
        launch, now = command.launch, self._clock()
        with self._database.write() as tx:
            hold_open(tx, launch.launch_id, now)
            note_id = new_note_id()
            known = chart_index.note_of(tx, launch)
            if known is None and not chart_index.enter(tx, note_id, launch, now):
                known = chart_index.note_of(tx, launch)
            if known:
                return known
            kept = self._artifacts.keep(tx, launch.tenant_id, ArtifactKind.DRAFT, command.draft.canonical(), now)
            event = _recorded(launch, command.draft, workflow, kept.model_dump())
            self._append(tx, launch, note_id, NoteState(), event)
        return note_id

    def edit_claim(self, command: EditClaim) -> ReadNote:
        """Replace a claim's text. Raises `BadInput`, `StaleEdit`, or `Refused` once the note is signed."""
        if len(command.text) > LONGEST_CLAIM:
            raise BadInput(
                f"One statement can hold {LONGEST_CLAIM} characters; this one has {len(command.text)}.",
                "Shorten it or split it. Your text is still in the field.",
            )
        text = clean(command.text)
        with self._database.write() as tx:
            state = self._held(tx, command.launch, command.note_id, command.claim_id)
            kept = self._artifacts.keep(tx, command.launch.tenant_id, ArtifactKind.EDIT, text.encode(), self._clock())
            event = decide.edit_claim(state, command.claim_id, command.revision, kept)
            self._append(tx, command.launch, command.note_id, state, event)
            return read_note(tx, self._artifacts, command.launch.tenant_id, command.note_id)

    def decide_claim(self, command: DecideClaim) -> ReadNote:
        """Confirm, remove or restore a claim. Raises `StaleEdit`, or `Refused` once the note is signed."""
        with self._database.write() as tx:
            state = self._held(tx, command.launch, command.note_id, command.claim_id)
            self._append(tx, command.launch, command.note_id, state, decide.decide_claim(state, command))
            return read_note(tx, self._artifacts, command.launch.tenant_id, command.note_id)

    def _held(self, tx: Connection, launch: Launch, note_id: NoteId, claim_id: str) -> NoteState:
        hold_open(tx, launch.launch_id, self._clock())
        if chart_index.hold_note_of(tx, launch) != note_id:
            raise NotFound("This note does not belong to this chart.")
        note = read_note(tx, self._artifacts, launch.tenant_id, note_id)
        if note.review.draft.claim(claim_id) is None:
            raise NotFound("There is no such statement in this note.")
        return note.state

    def _append(self, tx: Connection, launch: Launch, note_id: NoteId, state: NoteState, event: Event) -> None:
        stream = stream_of(note_id)
        because = f"launch:{launch.launch_id}"
        append(
            tx,
            launch.tenant_id,
            stream,
            state.version,
            [event],
            actor=launch.actor,
            causation=because,
            now=self._clock(),
        )


def _recorded(launch: Launch, draft: Draft, workflow: str, kept: dict[str, str]) -> DraftRecorded:
    return DraftRecorded.model_validate(
        {
            "launch_id": launch.launch_id,
            "patient": launch.patient,
            "encounter": launch.encounter,
            "author_issuer": launch.issuer,
            "author_subject": launch.subject,
            "author": draft.clinician.reference,
            "workflow": workflow,
            "draft": kept,
            "claims": len(draft.claims),
            "drafter": draft.drafter,
            "drafter_version": draft.drafter_version,
            "prompt_version": draft.prompt_version,
            "template_version": draft.template_version,
            "gate_version": draft.gate_version,
            "sources": [(source.reference, source.version) for source in draft.sources],
        }
    )


def clean(text: str) -> str:
    """Line ends as line feeds, every other white space as a space, no control characters.

    What is kept is what can be displayed and filed; nothing that separates words or figures disappears.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("".join(_displayable(character) for character in line) for line in lines).strip()


def _displayable(character: str) -> str:
    if character.isspace():
        return " "
    return character if character.isprintable() else ""
