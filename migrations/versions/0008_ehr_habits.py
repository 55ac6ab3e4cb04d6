"""what an EHR was seen to do: dropping our identifier is one habit, accepting for later (202) another"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "ehr_habits",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("habit", sa.String(32), nullable=False),
        *_first_seen(),
        sa.PrimaryKeyConstraint("tenant_id", "habit", name="pk_ehr_habits"),
    )
    op.execute(
        "INSERT INTO ehr_habits (tenant_id, habit, resource_type, writeback_id, seen_at)"
        " SELECT tenant_id, 'drops_identifiers', resource_type, writeback_id, seen_at FROM lost_identifiers"
    )
    op.drop_table("lost_identifiers")


def downgrade() -> None:
    op.create_table(
        "lost_identifiers",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        *_first_seen(),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_lost_identifiers"),
    )
    op.execute(
        "INSERT INTO lost_identifiers (tenant_id, resource_type, writeback_id, seen_at)"
        " SELECT tenant_id, resource_type, writeback_id, seen_at FROM ehr_habits"
        " WHERE habit = 'drops_identifiers'"
    )
    op.drop_table("ehr_habits")


def _first_seen() -> tuple[sa.Column, ...]:  # type: ignore[type-arg]
    return (
        sa.Column("resource_type", sa.String(64), nullable=False),
        sa.Column("writeback_id", sa.String(32), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
    )
