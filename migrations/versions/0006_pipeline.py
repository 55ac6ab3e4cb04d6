"""an EHR that drops our identifier is remembered, and one that moved to another address"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "lost_identifiers",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("resource_type", sa.String(64), nullable=False),
        sa.Column("writeback_id", sa.String(32), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_lost_identifiers"),
    )
    op.create_table(
        "moved_bases",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("fhir_base", sa.String(512), nullable=False),
        sa.Column("moved_to", sa.String(512), nullable=False),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.Column("said_by", sa.String(767), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "fhir_base", "moved_to", name="pk_moved_bases"),
    )


def downgrade() -> None:
    op.drop_table("moved_bases")
    op.drop_table("lost_identifiers")
