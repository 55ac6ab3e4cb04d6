"""Registrations and what is switched off in them, our own keys, launches, and the sealed tokens of each."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from app.db import UTCDateTime, metadata

launch_transactions = Table(
    "launch_transactions",
    metadata,
    Column("state_digest", String(64), primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("expires_at", UTCDateTime, nullable=False, index=True),
    # Whose launch it is: so many may wait for each tenant. Counted in the index alone, as the rows are long.
    Column("tenant_id", String(64), nullable=False, server_default=""),
    Index(None, "tenant_id", "expires_at"),
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
    Column("last_seen_at", UTCDateTime, nullable=True),
    Column("away_at", UTCDateTime, nullable=True),
    Column("ended_at", UTCDateTime, nullable=True),
    Column("ended_for", String(32), nullable=True),
    Index(None, "tenant_id", "patient"),
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
    Column("renewals", Integer, nullable=False, server_default="0"),
    Column("renewing_until", UTCDateTime, nullable=True),
    Column("ended_for", String(32), nullable=True),
    Column("return_tries", Integer, nullable=False, server_default="0"),
    Column("return_due_at", UTCDateTime, nullable=True),
)

client_keys = Table(
    "client_keys",
    metadata,
    Column("kid", String(128), primary_key=True),
    Column("tenant_id", String(64), nullable=False, index=True),
    Column("algorithm", String(16), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("signs_from", UTCDateTime, nullable=False),
    Column("published_until", UTCDateTime, nullable=True),
)

registrations = Table(
    "registrations",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("document", Text, nullable=False),
    Column("revision", Integer, nullable=False, unique=True),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("retired_at", UTCDateTime, nullable=True),
)

sealed_secrets = Table(
    "sealed_secrets",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("origin", String(512), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
)

# A row is a switch that is off; an empty workflow or resource means all of them.
switches = Table(
    "switches",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("workflow", String(32), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("off_since", UTCDateTime, nullable=False),
    Column("turned_by", String(767), nullable=False),
    Column("reason", String(500), nullable=False),
)

rollout_phases = Table(
    "rollout_phases",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("workflow", String(32), primary_key=True),
    Column("phase", String(16), nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(767), nullable=False),
)

# What a tenant's EHR was seen to do that makes its silence no proof, and the first write that showed it.
ehr_habits = Table(
    "ehr_habits",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("habit", String(32), primary_key=True),
    Column("resource_type", String(64), nullable=False),
    Column("writeback_id", String(32), nullable=False),
    Column("seen_at", UTCDateTime, nullable=False),
)

# An administrator's word that the EHR at one address is the one at another now.
moved_bases = Table(
    "moved_bases",
    metadata,
    Column("tenant_id", String(64), primary_key=True),
    Column("fhir_base", String(512), primary_key=True),
    Column("moved_to", String(512), primary_key=True),
    Column("said_at", UTCDateTime, nullable=False),
    Column("said_by", String(767), nullable=False),
    Column("reason", String(500), nullable=False),
)

launch_traces = Table(
    "launch_traces",
    metadata,
    Column("trace_id", String(64), primary_key=True),
    Column("reference", String(16), nullable=False, index=True),
    Column("tenant_id", String(64), nullable=True, index=True),
    Column("happened_at", UTCDateTime, nullable=False),
    Column("step", String(32), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("detail", String(500), nullable=False),
    Column("facts", Text, nullable=False),
    Column("launch_id", String(64), nullable=True),
)
