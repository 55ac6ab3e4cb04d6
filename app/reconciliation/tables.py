"""What was filed and is looked at again, and the notices that EHRs sent about it."""

from sqlalchemy import Column, Index, Integer, String, Table

from app.db import UTCDateTime, metadata

# One row for each write that stood in the chart once; never due again where `next_at` is empty.
followed = Table(
    "followed",
    metadata,
    Column("writeback_id", String(32), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("patient", String(255), nullable=False),
    Column("resource", String(320), nullable=False),
    Column("next_at", UTCDateTime, nullable=True),
    Column("checks", Integer, nullable=False, server_default="0"),
    Column("absences", Integer, nullable=False, server_default="0"),
    Column("last_version", String(128), nullable=True),
    Column("last_read_at", UTCDateTime, nullable=True),
    Column("read_under", String(96), nullable=False, server_default=""),
    Index(None, "tenant_id", "next_at"),
    Index(None, "tenant_id", "patient"),
    Index(None, "tenant_id", "resource"),
)

# A notice is known by the id that the EHR gave it and by the hash of what it says.
notices = Table(
    "notices",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("source_id", String(255), primary_key=True),
    Column("event_hash", String(64), primary_key=True),
    Column("received_at", UTCDateTime, nullable=False, index=True),
)
