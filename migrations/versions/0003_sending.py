"""several writes of a tenant in flight at a tenant's own pace, dead letters"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("outbox") as table:
        table.add_column(sa.Column("note_id", sa.String(64), nullable=False, server_default=""))
        table.add_column(sa.Column("waiting_since", MOMENT, nullable=True))
        table.add_column(sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("dead_since", MOMENT, nullable=True))
        table.add_column(sa.Column("dead_for", sa.String(64), nullable=True))
    op.create_index("ix_outbox_leased_until", "outbox", ["leased_until"])
    op.create_table(
        "tenant_pace",
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("held_until", MOMENT, nullable=True),
        sa.Column("held_for", sa.String(16), nullable=False, server_default=""),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_tenant_pace"),
    )
    _tell_writes_their_note()


def downgrade() -> None:
    op.drop_table("tenant_pace")
    op.drop_index("ix_outbox_leased_until", "outbox")
    with op.batch_alter_table("outbox") as table:
        for column in ("note_id", "waiting_since", "crashes", "dead_since", "dead_for"):
            table.drop_column(column)


def _tell_writes_their_note() -> None:
    """Which note a write is of, and since when somebody waits for it: said by the event that ordered it."""
    database = op.get_bind()
    told = database.execute(
        sa.text("SELECT stream, payload, recorded_at FROM events WHERE tag = 'writeback:queued'")
    ).all()
    change = sa.text(
        "UPDATE outbox SET note_id = :note_id, waiting_since = :recorded_at WHERE writeback_id = :writeback_id"
    )
    for stream, payload, recorded_at in told:
        which = {"note_id": json.loads(payload)["note_id"], "writeback_id": stream.removeprefix("writeback:")}
        database.execute(change, which | {"recorded_at": recorded_at})
