"""Finding the note of a chart: by tenant, patient, visit and clinician, never by anything that a browser sends."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from app.db import insert_if_absent
from app.ids import NoteId
from app.notes.tables import notes
from app.tenants.launches import Launch

NO_ENCOUNTER = ""
FIRST = 1
# Made once: every page of a chart begins here.
_LATEST = (
    select(notes.c.note_id)
    .where(notes.c.tenant_id == bindparam("whose"))
    .where(notes.c.patient == bindparam("about"), notes.c.encounter == bindparam("visit"))
    .where(notes.c.author_issuer == bindparam("issuer"), notes.c.author_subject == bindparam("subject"))
    .order_by(notes.c.ordinal.desc())
    .limit(1)
)
_LATEST_HELD = _LATEST.with_for_update()


def note_of(tx: Connection, launch: Launch) -> NoteId | None:
    """The latest note that this launch's clinician has in this chart and visit, if any."""
    found = tx.execute(_LATEST, _asked(launch)).scalar_one_or_none()
    return NoteId(found) if found else None


def hold_note_of(tx: Connection, launch: Launch) -> NoteId | None:
    """The same note, held until the transaction ends: whoever else holds it reads it afterwards, as it then stands.

    Two lines of one note that are saved at once are no conflict, so neither may find that the note has moved.
    """
    found = tx.execute(_LATEST_HELD, _asked(launch)).scalar_one_or_none()
    return NoteId(found) if found else None


def enter(tx: Connection, note_id: NoteId, launch: Launch, now: datetime) -> bool:
    """Enter the chart's first note; false when another one was entered at the same moment."""
    row = {
        "note_id": note_id,
        "tenant_id": launch.tenant_id,
        "patient": launch.patient,
        "encounter": launch.encounter or NO_ENCOUNTER,
        "author_issuer": launch.issuer,
        "author_subject": launch.subject,
        "ordinal": FIRST,
        "created_at": now,
    }
    return insert_if_absent(tx, notes, row)


def _asked(launch: Launch) -> dict[str, str]:
    return {
        "whose": launch.tenant_id,
        "about": launch.patient,
        "visit": launch.encounter or NO_ENCOUNTER,
        "issuer": launch.issuer,
        "subject": launch.subject,
    }
