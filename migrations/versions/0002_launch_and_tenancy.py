"""registrations in the database, key rotation, switches, launch traces, administrators"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("launch_transactions") as table:
        table.add_column(sa.Column("tenant_id", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_launch_transactions_expires_at", "launch_transactions", ["expires_at"])
    op.create_index("ix_launch_transactions_tenant_id_expires_at", "launch_transactions", ["tenant_id", "expires_at"])
    with op.batch_alter_table("launches") as table:
        table.add_column(sa.Column("last_seen_at", MOMENT, nullable=True))
        table.add_column(sa.Column("away_at", MOMENT, nullable=True))
        table.add_column(sa.Column("ended_for", sa.String(32), nullable=True))
    with op.batch_alter_table("grants") as table:
        table.add_column(sa.Column("renewals", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("renewing_until", MOMENT, nullable=True))
        table.add_column(sa.Column("ended_for", sa.String(32), nullable=True))
        table.add_column(sa.Column("return_tries", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("return_due_at", MOMENT, nullable=True))
    _tell_writes_their_launch()
    _let_a_tenant_have_several_keys()
    op.create_table(
        "registrations",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_registrations"),
        sa.UniqueConstraint("revision", name="uq_registrations_revision"),
    )
    op.create_table(
        "sealed_secrets",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("origin", sa.String(512), nullable=False),
        *_sealed(),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", name="pk_sealed_secrets"),
    )
    op.create_table(
        "switches",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("workflow", sa.String(32), nullable=False),
        sa.Column("resource", sa.String(64), nullable=False),
        sa.Column("off_since", MOMENT, nullable=False),
        sa.Column("turned_by", sa.String(767), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workflow", "resource", name="pk_switches"),
    )
    op.create_table(
        "rollout_phases",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("workflow", sa.String(32), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.String(767), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workflow", name="pk_rollout_phases"),
    )
    op.create_table(
        "launch_traces",
        sa.Column("trace_id", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(16), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=True),
        sa.Column("happened_at", MOMENT, nullable=False),
        sa.Column("step", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("launch_id", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("trace_id", name="pk_launch_traces"),
    )
    op.create_index("ix_launch_traces_reference", "launch_traces", ["reference"])
    op.create_index("ix_launch_traces_tenant_id", "launch_traces", ["tenant_id"])
    _create_administrators()


def downgrade() -> None:
    for name in (
        "admin_sign_ins",
        "admin_sessions",
        "administrators",
        "launch_traces",
        "rollout_phases",
        "switches",
        "sealed_secrets",
        "registrations",
    ):
        op.drop_table(name)
    _keep_one_key_for_each_tenant()
    with op.batch_alter_table("grants") as table:
        for column in ("renewals", "renewing_until", "ended_for", "return_tries", "return_due_at"):
            table.drop_column(column)
    op.drop_index("ix_outbox_launch_id", "outbox")
    with op.batch_alter_table("outbox") as table:
        table.drop_column("launch_id")
    op.drop_index("ix_launch_transactions_tenant_id_expires_at", "launch_transactions")
    op.drop_index("ix_launch_transactions_expires_at", "launch_transactions")
    with op.batch_alter_table("launch_transactions") as table:
        table.drop_column("tenant_id")
    with op.batch_alter_table("launches") as table:
        for column in ("last_seen_at", "away_at", "ended_for"):
            table.drop_column(column)


def _tell_writes_their_launch() -> None:
    """Whose grant sends a write: said by the event that ordered it, or by the newest that let it go on."""
    with op.batch_alter_table("outbox") as table:
        table.add_column(sa.Column("launch_id", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_outbox_launch_id", "outbox", ["launch_id"])
    database = op.get_bind()
    told = database.execute(
        sa.text(
            "SELECT stream, payload FROM events WHERE tag IN ('writeback:queued', 'writeback:resumed')"
            " ORDER BY tenant_id, sequence"
        )
    )
    launches = {stream.removeprefix("writeback:"): json.loads(payload)["launch_id"] for stream, payload in told}
    for writeback_id, launch_id in launches.items():
        change = sa.text("UPDATE outbox SET launch_id = :launch_id WHERE writeback_id = :writeback_id")
        database.execute(change, {"launch_id": launch_id, "writeback_id": writeback_id})


def _let_a_tenant_have_several_keys() -> None:
    op.rename_table("client_keys", "client_keys_0001")
    op.create_table(
        "client_keys",
        sa.Column("kid", sa.String(128), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        *_sealed(),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("signs_from", MOMENT, nullable=False),
        sa.Column("published_until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("kid", name="pk_client_keys_kid"),
    )
    op.execute(
        "INSERT INTO client_keys (kid, tenant_id, algorithm, ciphertext, wrapped_key, key_id, created_at, signs_from)"
        " SELECT kid, tenant_id, algorithm, ciphertext, wrapped_key, key_id, created_at, created_at"
        " FROM client_keys_0001"
    )
    op.drop_table("client_keys_0001")
    op.create_index("ix_client_keys_tenant_id", "client_keys", ["tenant_id"])


def _keep_one_key_for_each_tenant() -> None:
    op.rename_table("client_keys", "client_keys_0002")
    op.create_table(
        "client_keys",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("kid", sa.String(128), nullable=False),
        *_sealed(),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "algorithm", name="pk_client_keys"),
        sa.UniqueConstraint("kid", name="uq_client_keys_kid"),
    )
    op.execute(
        "INSERT INTO client_keys (tenant_id, algorithm, kid, ciphertext, wrapped_key, key_id, created_at)"
        " SELECT tenant_id, algorithm, kid, ciphertext, wrapped_key, key_id, created_at FROM client_keys_0002 AS mine"
        " WHERE NOT EXISTS (SELECT 1 FROM client_keys_0002 AS newer WHERE newer.tenant_id = mine.tenant_id"
        " AND newer.algorithm = mine.algorithm AND newer.signs_from > mine.signs_from)"
    )
    op.drop_table("client_keys_0002")


def _create_administrators() -> None:
    op.create_table(
        "administrators",
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("issuer", sa.String(512), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("roles", sa.String(200), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_administrators"),
        sa.UniqueConstraint("issuer", "subject", name="uq_administrators_issuer_subject"),
    )
    op.create_table(
        "admin_sessions",
        sa.Column("session_digest", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("session_digest", name="pk_admin_sessions"),
    )
    op.create_index("ix_admin_sessions_account_id", "admin_sessions", ["account_id"])
    op.create_table(
        "admin_sign_ins",
        sa.Column("state_digest", sa.String(64), nullable=False),
        *_sealed(),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("state_digest", name="pk_admin_sign_ins"),
    )
    op.create_index("ix_admin_sign_ins_expires_at", "admin_sign_ins", ["expires_at"])


def _sealed() -> tuple[sa.Column[bytes], sa.Column[bytes], sa.Column[str]]:
    return (
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
    )
