"""Finding the note of a chart: by tenant, patient, visit and clinician, never by anything that a browser sends."""

from datetime import datetime

from sqlalchemy import Connection, select

from app.db import insert_if_absent
from app.ids import NoteId
from app.notes.tables import notes
from app.tenants.launches import Launch

NO_ENCOUNTER = ""
FIRST = 1


def note_of(tx: Connection, launch: Launch) -> NoteId | None:
    """The latest note that this launch's clinician has in this chart and visit, if any."""
    query = (
        select(notes.c.note_id)
        .where(notes.c.tenant_id == launch.tenant_id)
        .where(notes.c.patient == launch.patient, notes.c.encounter == (launch.encounter or NO_ENCOUNTER))
        .where(notes.c.author_issuer == launch.issuer, notes.c.author_subject == launch.subject)
        .order_by(notes.c.ordinal.desc())
        .limit(1)
    )
    found = tx.execute(query).scalar_one_or_none()
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
