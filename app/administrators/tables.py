"""Administrators, their sessions, and sign-ins that wait for their identity provider's answer."""

from sqlalchemy import Column, LargeBinary, String, Table, UniqueConstraint

from app.db import UTCDateTime, metadata

administrators = Table(
    "administrators",
    metadata,
    Column("account_id", String(32), primary_key=True),
    Column("issuer", String(512), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("name", String(200), nullable=False),
    Column("roles", String(200), nullable=False),
    Column("password_hash", String(255), nullable=True),
    Column("created_at", UTCDateTime, nullable=False),
    Column("disabled_at", UTCDateTime, nullable=True),
    UniqueConstraint("issuer", "subject"),
)

admin_sessions = Table(
    "admin_sessions",
    metadata,
    Column("session_digest", String(64), primary_key=True),
    Column("account_id", String(32), nullable=False, index=True),
    Column("created_at", UTCDateTime, nullable=False),
    Column("last_seen_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("ended_at", UTCDateTime, nullable=True),
)

admin_sign_ins = Table(
    "admin_sign_ins",
    metadata,
    Column("state_digest", String(64), primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("expires_at", UTCDateTime, nullable=False, index=True),
)
