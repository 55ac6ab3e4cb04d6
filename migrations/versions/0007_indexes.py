"""where a write stands, and who launched in a chart, is found without reading all of them"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES = (
    ("write_status", ["tenant_id", "note_id"]),
    ("write_status", ["tenant_id", "patient"]),
    ("write_status", ["stage", "parked_for"]),
    ("launches", ["tenant_id", "patient"]),
)


def upgrade() -> None:
    for table, columns in INDEXES:
        op.create_index(_name(table, columns), table, columns)


def downgrade() -> None:
    for table, columns in reversed(INDEXES):
        op.drop_index(_name(table, columns), table)


def _name(table: str, columns: list[str]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"
