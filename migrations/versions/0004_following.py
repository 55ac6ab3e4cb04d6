"""what became of what was filed"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "followed",
        sa.Column("writeback_id", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(255), nullable=False),
        sa.Column("resource", sa.String(320), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("absences", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("last_version", sa.String(128), nullable=True),
        sa.Column("last_read_at", MOMENT, nullable=True),
        sa.Column("read_under", sa.String(96), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("writeback_id", name="pk_followed"),
    )
    op.create_index("ix_followed_tenant_id_next_at", "followed", ["tenant_id", "next_at"])
    op.create_index("ix_followed_tenant_id_patient", "followed", ["tenant_id", "patient"])
    op.create_index("ix_followed_tenant_id_resource", "followed", ["tenant_id", "resource"])
    op.create_table(
        "notices",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("source_id", sa.String(255), nullable=False),
        sa.Column("event_hash", sa.String(64), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "source_id", "event_hash", name="pk_notices"),
    )
    op.create_index("ix_notices_received_at", "notices", ["received_at"])
    _follow_what_was_filed_before()


def downgrade() -> None:
    op.drop_table("notices")
    op.drop_table("followed")


def _follow_what_was_filed_before() -> None:
    """What an earlier release filed is looked at too; whose chart it is in, the first look says where it is unknown."""
    op.execute(
        "INSERT INTO followed (writeback_id, tenant_id, patient, resource, next_at)"
        " SELECT ledger.writeback_id, ledger.tenant_id, COALESCE(write_status.patient, ''), ledger.filed_as,"
        " ledger.filed_at FROM ledger LEFT JOIN write_status ON write_status.writeback_id = ledger.writeback_id"
        " WHERE ledger.filed_as IS NOT NULL"
    )
