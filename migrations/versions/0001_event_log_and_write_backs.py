"""event log and write-backs"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Facts are only ever added. The keys beside the artifacts may go, the sealed bytes that the log commits to may not.
APPEND_ONLY = ("events", "artifacts")
# SQLite's INSERT OR REPLACE removes the row in the way without asking the DELETE trigger.
IN_THE_WAY = {
    "events": "position = NEW.position OR (tenant_id = NEW.tenant_id AND sequence = NEW.sequence)"
    " OR (tenant_id = NEW.tenant_id AND stream = NEW.stream AND version = NEW.version)",
    "artifacts": "artifact_id = NEW.artifact_id",
}


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("artifact_id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("artifact_id", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "audit_trail",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=767), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=96), nullable=False),
        sa.Column("causation", sa.String(length=96), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "sequence", name=op.f("pk_audit_trail")),
    )
    op.create_index("ix_audit_trail_stream", "audit_trail", ["stream"])

    op.create_table(
        "client_keys",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("kid", sa.String(length=128), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "algorithm", name=op.f("pk_client_keys")),
        sa.UniqueConstraint("kid", name=op.f("uq_client_keys_kid")),
    )
    op.create_table(
        "events",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.String(length=96), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.String(length=767), nullable=False),
        sa.Column("causation", sa.String(length=96), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_events")),
        sa.UniqueConstraint("tenant_id", "sequence", name=op.f("uq_events_tenant_id_sequence")),
        sa.UniqueConstraint("tenant_id", "stream", "version", name=op.f("uq_events_tenant_id_stream_version")),
    )
    op.create_table(
        "grants",
        sa.Column("launch_id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("fhir_base", sa.String(length=512), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("launch_id", name=op.f("pk_grants")),
    )
    op.create_table(
        "launch_transactions",
        sa.Column("state_digest", sa.String(length=64), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_digest", name=op.f("pk_launch_transactions")),
    )
    op.create_table(
        "launches",
        sa.Column("launch_id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("browser_digest", sa.String(length=64), nullable=False),
        sa.Column("fhir_base", sa.String(length=512), nullable=False),
        sa.Column("issuer", sa.String(length=512), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("fhir_user", sa.String(length=255), nullable=False),
        sa.Column("user_name", sa.String(length=255), nullable=False),
        sa.Column("patient", sa.String(length=255), nullable=False),
        sa.Column("encounter", sa.String(length=255), nullable=True),
        sa.Column("scopes", sa.String(length=4096), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("launch_id", name=op.f("pk_launches")),
    )
    op.create_table(
        "ledger",
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("writeback_id", sa.String(length=32), nullable=False),
        sa.Column("payload_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filed_as", sa.String(length=255), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_ledger")),
        sa.UniqueConstraint("writeback_id", name=op.f("uq_ledger_writeback_id")),
    )
    op.create_table(
        "log_heads",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_log_heads")),
    )
    op.create_table(
        "notes",
        sa.Column("note_id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=255), nullable=False),
        sa.Column("encounter", sa.String(length=255), nullable=False),
        sa.Column("author_issuer", sa.String(length=512), nullable=False),
        sa.Column("author_subject", sa.String(length=255), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name=op.f("pk_notes")),
        sa.UniqueConstraint(
            "tenant_id",
            "patient",
            "encounter",
            "author_issuer",
            "author_subject",
            "ordinal",
            name="uq_notes_chart",
        ),
    )
    op.create_table(
        "outbox",
        sa.Column("writeback_id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("workflow", sa.String(length=32), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("writeback_id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])

    op.create_table(
        "projection_positions",
        sa.Column("projection", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("projection", "tenant_id", name=op.f("pk_projection_positions")),
    )
    op.create_table(
        "write_status",
        sa.Column("writeback_id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("note_id", sa.String(length=32), nullable=False),
        sa.Column("patient", sa.String(length=255), nullable=False),
        sa.Column("author_issuer", sa.String(length=512), nullable=False),
        sa.Column("author_subject", sa.String(length=255), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("parked_for", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("writeback_id", name=op.f("pk_write_status")),
    )
    op.create_table(
        "artifact_keys",
        sa.Column("artifact_id", sa.String(length=32), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.artifact_id"], name=op.f("fk_artifact_keys_artifact_id")),
        sa.PrimaryKeyConstraint("artifact_id", name=op.f("pk_artifact_keys")),
    )
    refuse_changes()


def refuse_changes() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(
            "CREATE FUNCTION countersign_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    for table in APPEND_ONLY:
        if postgresql:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION countersign_append_only()"
            )
            continue
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        present = f"SELECT 1 FROM {table} WHERE {IN_THE_WAY[table]}"  # noqa: S608 - our own names
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({present}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def downgrade() -> None:
    op.drop_table("artifact_keys")
    op.drop_table("write_status")
    op.drop_table("projection_positions")
    op.drop_index("ix_outbox_due_at", "outbox")

    op.drop_table("outbox")
    op.drop_table("notes")
    op.drop_table("log_heads")
    op.drop_table("ledger")
    op.drop_table("launches")
    op.drop_table("launch_transactions")
    op.drop_table("grants")
    op.drop_table("events")
    op.drop_table("client_keys")
    op.drop_index("ix_audit_trail_stream", "audit_trail")

    op.drop_table("audit_trail")
    op.drop_table("artifacts")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION countersign_append_only()")
