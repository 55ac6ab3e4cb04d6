"""The idempotency ledger: one row for each logical mutation, for ever. It refuses a second execution."""

from sqlalchemy import Column, String, Table

from app.db import UTCDateTime, metadata

ledger = Table(
    "ledger",
    metadata,
    Column("idempotency_key", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("writeback_id", String(32), nullable=False, unique=True),
    Column("payload_digest", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("filed_as", String(255), nullable=True),
    Column("filed_at", UTCDateTime, nullable=True),
)
