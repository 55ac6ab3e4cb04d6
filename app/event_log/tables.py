"""The log's tables. `events` refuses UPDATE and DELETE by trigger; `log_heads` is a cache that `verify` distrusts."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, UniqueConstraint

from app.db import UTCDateTime, metadata

events = Table(
    "events",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("tenant_id", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("stream", String(96), nullable=False),
    Column("version", Integer, nullable=False),
    Column("tag", String(64), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("actor", String(767), nullable=False),
    Column("causation", String(96), nullable=False),
    Column("recorded_at", UTCDateTime, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("tenant_id", "sequence"),
    UniqueConstraint("tenant_id", "stream", "version"),
)

log_heads = Table(
    "log_heads",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
