"""Which note belongs to which chart: one row for each note, so that a second launch finds the draft of the first."""

from sqlalchemy import Column, Integer, String, Table, UniqueConstraint

from app.db import UTCDateTime, metadata

notes = Table(
    "notes",
    metadata,
    Column("note_id", String(32), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("patient", String(255), nullable=False),
    Column("encounter", String(255), nullable=False),
    Column("author_issuer", String(512), nullable=False),
    Column("author_subject", String(255), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    UniqueConstraint(
        "tenant_id",
        "patient",
        "encounter",
        "author_issuer",
        "author_subject",
        "ordinal",
        name="uq_notes_chart",
    ),
)
