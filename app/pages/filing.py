"""The signed note's own page: where it stands, a line that moves by itself, and the copy that some EHRs need."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.errors import NotFound
from app.ids import WritebackId
from app.notes.events import NoteSigned
from app.notes.reading import ReadNote
from app.notes.snapshot import Snapshot
from app.notes.versions import Version, did_not_hold, original_of
from app.outbox.dead_letters import put_aside
from app.pages.change_words import RETRACTING, retracted_place
from app.pages.changes_offered import offers, versions
from app.pages.chart_now import is_gone
from app.pages.entry_words import changed_there, left_before
from app.pages.filed_entries import shown_entries
from app.pages.note_page import local, local_now, required_note, shown_landing
from app.pages.screens import FiledScreen
from app.pages.sessions import collaborators, current_csrf, current_launch, open_launch_before
from app.pages.status import WORKING, Status, status
from app.pages.stopped import what_ends
from app.pages.words import banner, full_time
from app.policy.mutation import Standing
from app.policy.route import Landing as ChosenLanding
from app.policy.route import Route
from app.writebacks.commands import ConfirmCopy
from app.writebacks.events import CopyOffered
from app.writebacks.handlers import load
from app.writebacks.state import COPIED_BY_HAND, Stage, WritebackState

# Of a note that came into the chart after its signer had copied it there: only the former is retracted.
COPY_STAYS = " The copy that you made by hand is not touched."

filing = Blueprint("filing", __name__, url_prefix="/charts/<launch_id>/note")
open_launch_before(filing)


@filing.get("")
def note() -> ResponseReturnValue:
    """The page; before the first signature, the review page is the place to be."""
    read = required_note()
    if read.state.signed is None:
        return redirect(url_for("charts.review", launch_id=current_launch().launch_id), 303)
    return render_template("charts/filed.html", screen=_screen(read))


@filing.get("/status")
def moving_status() -> ResponseReturnValue:
    """The status line and the versions alone, for the page that reads them again every second."""
    screen = _screen(required_note())
    return jsonify(
        html=render_template("charts/_status.html", screen=screen),
        versions=render_template("charts/_versions.html", screen=screen),
        place=screen.landing.headline,
        settled=screen.settled,
    )


@filing.post("/copied")
def copied() -> ResponseReturnValue:
    """The clinician says that the note was copied into the chart. Said twice, it is recorded once."""
    parts, launch = collaborators(), current_launch()
    writeback_id = WritebackId(_signed(required_note()).writeback_id)
    with parts.database.write() as tx:
        parts.writebacks.by_person(tx, launch.tenant_id, writeback_id, ConfirmCopy(), launch.actor, parts.clock())
    return redirect(url_for("filing.note", launch_id=launch.launch_id), 303)


def _signed(read: ReadNote) -> NoteSigned:
    if read.state.signed is None:
        raise NotFound("This note is not signed yet.", "Go back to the draft.")
    return read.state.signed


def _ordered(state: WritebackState, snapshot: Snapshot) -> ChosenLanding:
    """What the signature ordered, which later switches do not change."""
    if isinstance(state.order, CopyOffered):
        return ChosenLanding(Route.COPY, state.order.reasons)
    return ChosenLanding(Route.FILE, file_as=snapshot.file_as)


def _line(
    versions: tuple[Version, ...], aside: Collection[WritebackId], signed_at: datetime, zone: ZoneInfo, ehr: str
) -> Status:
    """Where the latest signature stands; of a note that was retracted, where its retraction does."""
    note, latest = original_of(versions), versions[-1]
    retraction = note.retraction
    if retraction and not (retraction.stage is Stage.SETTLED and did_not_hold(retraction)):
        put_aside = note.retraction_id in aside
        line = status(retraction, signed_at, ehr, zone, RETRACTING, put_aside=put_aside)
        place = retracted_place(retraction, put_aside=put_aside).format(ehr=ehr)
        copy = COPY_STAYS if note.write.settled_as == COPIED_BY_HAND else ""
        return replace(line, place=place, sentence=f"{line.sentence}{copy}", action=None)
    shown = note if latest.standing is Standing.RETRACTED else latest  # an addendum that was taken back is not the note
    return status(shown.write, signed_at, ehr, zone, put_aside=shown.writeback_id in aside)


def _screen(read: ReadNote) -> FiledScreen:
    parts, launch, signed = collaborators(), current_launch(), _signed(read)
    with parts.database.read() as tx:
        writes = [(kind, WritebackId(one)) for kind, one in read.state.writes]
        states = {one: load(tx, read.tenant_id, one) for kind, one in writes if kind != "entry"}
        aside = put_aside(tx, [one for _, one in writes])
        snapshot = Snapshot.model_validate_json(parts.artifacts.open(tx, read.tenant_id, signed.snapshot))
    tenant, profile = parts.ehrs.tenant(launch.tenant_id), parts.ehrs.adapter(launch.tenant_id).profile
    state = states[WritebackId(signed.writeback_id)]
    signed_versions = parts.amendments.versions(read)
    line = _line(signed_versions, aside, snapshot.signed_at, tenant.zone, profile.title)
    retracted = {one.writeback_id for one in signed_versions if one.standing is Standing.RETRACTED}
    waiting = {one: state for one, state in states.items() if one not in retracted}
    is_moving = any(state.stage in WORKING for one, state in states.items() if one not in aside)
    entries = shown_entries(read, profile.title, aside)
    left = left_before(entries) if state.stage is Stage.CANCELLED and signed.entries else ""
    return FiledScreen(
        launch_id=launch.launch_id,
        csrf=current_csrf(),
        banner=banner(read.review.draft, local_now()),
        landing=replace(shown_landing(_ordered(state, snapshot)), headline=line.place),
        steps=line.steps,
        sentence=f"{line.sentence} {left}".rstrip(),
        settled=line.settled and not is_moving and all(entry.settled for entry in entries),
        action=line.action or what_ends(waiting, entries, aside),
        note_text=snapshot.text,
        chart_reference=f"DocumentReference/{state.resource_id}" if state.resource_id else "",
        gone=is_gone(state),
        signed_by=snapshot.author_name,
        signed_at=full_time(local(snapshot.signed_at)),
        entries=entries,
        change_entries=changed_there(entries, profile.title),
        offers=offers(read),
        versions=versions(read, aside),
    )
