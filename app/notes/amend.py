"""Changing a signed note, until the change is signed itself: begin, write, give up; or stop what has not left yet."""

from sqlalchemy import Connection

from app.artifacts.store import ArtifactKind, ArtifactStore
from app.clock import Clock
from app.db import Database
from app.errors import BadInput, NotFound, Refused
from app.event_log.append import append
from app.event_log.event import Event
from app.ids import NoteId, WritebackId
from app.notes import chart_index
from app.notes.changes import Changes
from app.notes.commands import BeginAmendment, CancelNote, DropAmendment, WriteAddendum
from app.notes.events import AddendumWritten, AmendmentBegun, AmendmentDropped
from app.notes.handlers import clean
from app.notes.plan import ASKED, Plan
from app.notes.reading import ReadNote, read_note, stream_of
from app.notes.state import Stage
from app.notes.versions import Version, versions_of
from app.policy.mutation import Asked, Move, sentence
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch, hold_open
from app.writebacks.handlers import WritebackCommands, load
from app.writebacks.state import Stage as Written

OFFERED = (Asked.CORRECT, Asked.ADD, Asked.RETRACT, Asked.TAKE_BACK)
LONGEST_ADDENDUM = 20_000
TAKEN_BACK = "taken_back_by_signer"


class AmendmentCommands:
    """Issues these commands. All raise `NotFound` for another chart's note, `LaunchEnded` when the session is over.

    Only the clinician whose note it is finds it: notes are found by tenant, chart and clinician.
    """

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        changes: Changes,
        writebacks: WritebackCommands,
        ehrs: EHRs,
        clock: Clock,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._changes = changes
        self._writebacks = writebacks
        self._ehrs = ehrs
        self._clock = clock

    def plan(self, launch: Launch, note: ReadNote, asked: Asked, of: WritebackId | None = None) -> Plan:
        """What would become of a change now, for the page that offers it."""
        with self._database.read() as tx:
            return self._changes.plan(tx, asked, launch, note, of)

    def plans(self, launch: Launch, note: ReadNote) -> dict[Asked, Plan]:
        """What would become of each change of a signed note now."""
        with self._database.read() as tx:
            return self._changes.plans(tx, OFFERED, launch, note)

    def versions(self, note: ReadNote) -> tuple[Version, ...]:
        """Every signed version with where it stands, oldest first."""
        with self._database.read() as tx:
            return versions_of(tx, note.tenant_id, note.state)

    def begin(self, command: BeginAmendment) -> ReadNote:
        """Begin a correction or an addendum; the same one begun twice is begun once.

        Raises `Refused` with the table's sentence where this note cannot be changed from here now.
        """
        with self._database.write() as tx:
            note = self._held(tx, command.launch, command.note_id)
            if note.state.stage is Stage.AMENDING and note.state.amendment:
                if note.state.amendment.kind == command.kind:
                    return note
                raise Refused("Another change of this note is under way.", "Sign it or give it up first.")
            self._require(tx, command.launch, note, ASKED[command.kind], {Move.SEND, Move.COPY})
            event = AmendmentBegun(launch_id=command.launch.launch_id, kind=command.kind, reason=command.reason)
            return self._append(tx, command.launch, note, event)

    def write(self, command: WriteAddendum) -> ReadNote:
        """Keep the text of the addendum. Raises `BadInput` for one that is too long, `Refused` where none is begun."""
        if len(command.text) > LONGEST_ADDENDUM:
            raise BadInput(
                f"An addendum can hold {LONGEST_ADDENDUM} characters; this one has {len(command.text)}.",
                "Shorten it. Your text is still in the field.",
            )
        text = clean(command.text)
        with self._database.write() as tx:
            note = self._held(tx, command.launch, command.note_id)
            if not note.is_addendum:
                raise Refused("No addendum to this note is being written.", "Open the note and begin one.")
            if text == note.addendum:
                return note
            kept = self._artifacts.keep(tx, note.tenant_id, ArtifactKind.EDIT, text.encode(), self._clock())
            return self._append(tx, command.launch, note, AddendumWritten(text=kept))

    def drop(self, command: DropAmendment) -> ReadNote:
        """Give the change up; where none is under way, nothing is to be done."""
        with self._database.write() as tx:
            note = self._held(tx, command.launch, command.note_id)
            if note.state.stage is not Stage.AMENDING:
                return note
            return self._append(tx, command.launch, note, AmendmentDropped())

    def cancel(self, command: CancelNote) -> None:
        """Stop the latest signed version before anything of it leaves: at once, or not at all (F42).

        Its entries are stopped with it, as far as certainly nothing of them was executed, and those that wait to be
        entered by hand are to be entered no more; those that had left stay.
        Said twice, it is done once. Raises `Refused` with the way that is left where it is too late.
        """
        launch = command.launch
        with self._database.write() as tx:
            note = self._held(tx, launch, command.note_id)
            if note.state.signed is None:
                raise NotFound("This note is not signed yet.", "Go back to the draft.")
            latest, now = WritebackId(note.state.signed.writeback_id), self._clock()
            signed_with_it = (WritebackId(entry) for _, entry, _ in note.state.signed.entries)
            stopped = (latest, *signed_with_it)
            self._writebacks.hold(tx, launch.tenant_id, stopped)
            if load(tx, launch.tenant_id, latest).stage is not Written.CANCELLED:
                self._require(tx, launch, note, Asked.TAKE_BACK, {Move.CANCEL}, latest)
                self._writebacks.cancel(tx, launch.tenant_id, stopped, TAKEN_BACK, launch.actor, now)

    def _require(
        self,
        tx: Connection,
        launch: Launch,
        note: ReadNote,
        asked: Asked,
        moves: set[Move],
        of: WritebackId | None = None,
    ) -> Plan:
        """The plan. Raises `Refused` with its sentence unless its move is one of these."""
        if note.state.signed is None:
            raise Refused("This note is not signed yet.", "Go back to the draft; it can still be changed freely.")
        plan = self._changes.plan(tx, asked, launch, note, of)
        if plan.change.move not in moves:
            ehr = self._ehrs.adapter(launch.tenant_id).profile.title
            raise Refused(sentence(plan.change, ehr), "Go back to the note to see where it stands.")
        return plan

    def _held(self, tx: Connection, launch: Launch, note_id: NoteId) -> ReadNote:
        hold_open(tx, launch.launch_id, self._clock())
        if chart_index.hold_note_of(tx, launch) != note_id:
            raise NotFound("This note does not belong to this chart.")
        return read_note(tx, self._artifacts, launch.tenant_id, note_id)

    def _append(self, tx: Connection, launch: Launch, note: ReadNote, event: Event) -> ReadNote:
        append(
            tx,
            launch.tenant_id,
            stream_of(note.note_id),
            note.state.version,
            [event],
            actor=launch.actor,
            causation=f"launch:{launch.launch_id}",
            now=self._clock(),
        )
        return read_note(tx, self._artifacts, launch.tenant_id, note.note_id)
