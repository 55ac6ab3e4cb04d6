"""Launches in progress, launches completed, and the sealed tokens of each."""

from sqlalchemy import Column, LargeBinary, String, Table

from app.db import UTCDateTime, metadata

launch_transactions = Table(
    "launch_transactions",
    metadata,
    Column("state_digest", String(64), primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
)

launches = Table(
    "launches",
    metadata,
    Column("launch_id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("browser_digest", String(64), nullable=False),
    Column("fhir_base", String(512), nullable=False),
    Column("issuer", String(512), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("fhir_user", String(255), nullable=False),
    Column("user_name", String(255), nullable=False),
    Column("patient", String(255), nullable=False),
    Column("encounter", String(255), nullable=True),
    Column("scopes", String(4096), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("ended_at", UTCDateTime, nullable=True),
)

grants = Table(
    "grants",
    metadata,
    Column("launch_id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("fhir_base", String(512), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
)

client_keys = Table(
    "client_keys",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("algorithm", String(16), primary_key=True),
    Column("kid", String(128), nullable=False, unique=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
)
