"""Carrying out what the clinician decides about proposed entries, one transaction each."""

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.clock import Clock
from app.db import Database
from app.drafting.entry_fields import with_fields
from app.errors import NotFound
from app.event_log.append import append
from app.event_log.canonical import canonical_json
from app.event_log.event import Event
from app.ids import NoteId
from app.notes import chart_index, decide
from app.notes.commands import ChangeProposal, DecideProposals
from app.notes.reading import ReadNote, read_note, stream_of
from app.tenants.launches import Launch, hold_open


class ProposalCommands:
    """Issues commands on the proposals of a note and answers with the note as it then stands.

    All raise `LaunchEnded` when the launch ended after its request was let in, `NotFound` for what is not there.
    """

    def __init__(self, database: Database, artifacts: ArtifactStore, clock: Clock) -> None:
        self._database = database
        self._artifacts = artifacts
        self._clock = clock

    def decide(self, command: DecideProposals) -> ReadNote:
        """Approve, decline or reopen. Raises `StaleEdit`, or `Refused` for what may not be approved so."""
        with self._database.write() as tx:
            note = self._held(tx, command.launch, command.note_id, [one for one, _ in command.proposals])
            events = decide.decide_proposals(note.state, note.review.proposals, command)
            return self._append(tx, command.launch, note, list(events))

    def change(self, command: ChangeProposal) -> ReadNote:
        """Change fields of an entry. Raises `BadInput`, `StaleEdit`, or `Refused` once the note is signed."""
        with self._database.write() as tx:
            note = self._held(tx, command.launch, command.note_id, [command.proposal_id])
            shown = next(one for one in note.review.proposals if one.proposal.id == command.proposal_id)
            content = with_fields(shown.content, dict(command.fields))
            if content == shown.content:
                return note
            body = canonical_json(content.model_dump(mode="json"))
            kept = self._artifacts.keep(tx, command.launch.tenant_id, ArtifactKind.EDIT, body, self._clock())
            return self._append(tx, command.launch, note, [decide.change_proposal(note.state, command, kept)])

    def _held(self, tx: Connection, launch: Launch, note_id: NoteId, proposals: list[str]) -> ReadNote:
        hold_open(tx, launch.launch_id, self._clock())
        if chart_index.hold_note_of(tx, launch) != note_id:
            raise NotFound("This note does not belong to this chart.")
        note = read_note(tx, self._artifacts, launch.tenant_id, note_id)
        if not proposals or any(note.review.draft.proposal(one) is None for one in proposals):
            raise NotFound("There is no such entry beside this note.")
        return note

    def _append(self, tx: Connection, launch: Launch, note: ReadNote, events: list[Event]) -> ReadNote:
        append(
            tx,
            launch.tenant_id,
            stream_of(note.note_id),
            note.state.version,
            events,
            actor=launch.actor,
            causation=f"launch:{launch.launch_id}",
            now=self._clock(),
        )
        return read_note(tx, self._artifacts, launch.tenant_id, note.note_id)
