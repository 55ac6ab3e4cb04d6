"""Read models. All of them can be emptied and rebuilt from the log."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from app.db import UTCDateTime, metadata

projection_positions = Table(
    "projection_positions",
    metadata,
    Column("projection", String(32), primary_key=True),
    Column("tenant_id", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

write_status = Table(
    "write_status",
    metadata,
    Column("writeback_id", String(32), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("note_id", String(32), nullable=False),
    Column("patient", String(255), nullable=False),
    Column("author_issuer", String(512), nullable=False),
    Column("author_subject", String(255), nullable=False),
    Column("stage", String(32), nullable=False),
    Column("parked_for", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since", UTCDateTime, nullable=False),
    # By note for its page, by patient for a launch, by stage for every sweep: the table holds all years.
    Index(None, "tenant_id", "note_id"),
    Index(None, "tenant_id", "patient"),
    Index(None, "stage", "parked_for"),
)

audit_trail = Table(
    "audit_trail",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", UTCDateTime, nullable=False),
    Column("actor", String(767), nullable=False),
    Column("tag", String(64), nullable=False),
    Column("stream", String(96), nullable=False, index=True),
    Column("causation", String(96), nullable=False),
    Column("details", Text, nullable=False),
)
