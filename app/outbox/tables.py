"""What still has to leave: one row for each queued write-back. It stays when done, so that fences go on rising."""

from sqlalchemy import Column, Integer, String, Table

from app.db import UTCDateTime, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("writeback_id", String(32), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("workflow", String(32), nullable=False),
    Column("due_at", UTCDateTime, nullable=True, index=True),
    Column("fence", Integer, nullable=False, default=0),
    Column("leased_until", UTCDateTime, nullable=True, index=True),
    # Whose grant sends it; empty only for rows of a release that did not keep it and whose event is not found.
    Column("launch_id", String(64), nullable=False, server_default="", index=True),
    # What it is a write of: of two rows of one note only one is ever worked on.
    Column("note_id", String(64), nullable=False, server_default=""),
    # Since when somebody waits for it: put, or woken.
    Column("waiting_since", UTCDateTime, nullable=True),
    # Steps in a row that ended in an error of ours; at the cap it is a dead letter, until it is woken.
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("dead_since", UTCDateTime, nullable=True),
    Column("dead_for", String(64), nullable=True),
)

# How fast one tenant's EHR may be asked: one row for each tenant, locked by whoever takes work of it.
tenant_pace = Table(
    "tenant_pace",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("held_until", UTCDateTime, nullable=True),
    Column("held_for", String(16), nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", UTCDateTime, nullable=True),
)
