"""Sealed content, written once; and the wrapped keys beside it, which rotation may rewrite and erasure may delete."""

from sqlalchemy import Column, ForeignKey, LargeBinary, String, Table

from app.db import UTCDateTime, metadata

artifacts = Table(
    "artifacts",
    metadata,
    Column("artifact_id", String(32), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
)

artifact_keys = Table(
    "artifact_keys",
    metadata,
    Column("artifact_id", String(32), ForeignKey(artifacts.c.artifact_id), primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
)
