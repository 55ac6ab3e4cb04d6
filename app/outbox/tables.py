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
    Column("leased_until", UTCDateTime, nullable=True),
    # Whose grant sends it; empty only for rows of a release that did not keep it and whose event is not found.
    Column("launch_id", String(64), nullable=False, server_default="", index=True),
)
