"""the ledger never forgets; a role for the application that can change no fact"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLE = "countersign_app"
# What was ordered under a key stays so for ever; only that the EHR holds it is entered later, once.
FIXED = ("idempotency_key", "tenant_id", "writeback_id", "payload_digest", "created_at")
# Facts. The owner's triggers refuse a change to everybody; this role may not even ask, nor switch a trigger off.
NEVER_CHANGED = ("events", "artifacts")
NEVER_REMOVED = ("ledger", "log_heads", "notes")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
        if _role_is_there():
            _grant()
    else:
        _refuse_on_sqlite()


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        for name in ("ledger_no_delete", "ledger_no_update"):
            op.execute(f"DROP TRIGGER {name}")
        return
    op.execute("DROP TRIGGER ledger_no_delete ON ledger")
    op.execute("DROP TRIGGER ledger_no_update ON ledger")
    op.execute("DROP FUNCTION countersign_never_forgets()")
    if _has_role():  # the role stays: another database of this server may use it
        op.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {ROLE}")
        op.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM {ROLE}")
        for kind in ("TABLES", "SEQUENCES"):
            op.execute(f"REVOKE ALL ON ALL {kind} IN SCHEMA {_schema()} FROM {ROLE}")
        op.execute(f"REVOKE ALL ON SCHEMA {_schema()} FROM {ROLE}")


def _refuse_on_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'ledger never forgets'); END"
    op.execute(f"CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger {refuse}")
    op.execute(f"CREATE TRIGGER ledger_no_update BEFORE UPDATE OF {', '.join(FIXED)} ON ledger {refuse}")


def _refuse_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION countersign_never_forgets() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% never forgets', TG_TABLE_NAME; END $$"
    )
    run = "FOR EACH STATEMENT EXECUTE FUNCTION countersign_never_forgets()"
    op.execute(f"CREATE TRIGGER ledger_no_delete BEFORE DELETE OR TRUNCATE ON ledger {run}")
    op.execute(f"CREATE TRIGGER ledger_no_update BEFORE UPDATE OF {', '.join(FIXED)} ON ledger {run}")


def _role_is_there() -> bool:
    """Make the role where we may. Where we may not, the database's administrator makes it before this migration."""
    op.execute(
        f"DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL; END $$"
    )
    return _has_role()


def _has_role() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": ROLE})
    return found.scalar_one_or_none() is not None


def _grant() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA {_schema()} TO {ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {_schema()} TO {ROLE}")
    op.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {_schema()} TO {ROLE}")
    # Tables of later versions; a later table of facts takes UPDATE and DELETE away in its own migration.
    op.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {ROLE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO {ROLE}")
    op.execute(f"REVOKE UPDATE, DELETE ON {', '.join(NEVER_CHANGED)} FROM {ROLE}")
    op.execute(f"REVOKE DELETE ON {', '.join(NEVER_REMOVED)} FROM {ROLE}")
    op.execute(f"REVOKE UPDATE ON ledger FROM {ROLE}")
    op.execute(f"GRANT UPDATE (filed_as, filed_at) ON ledger TO {ROLE}")
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {ROLE}")


def _schema() -> str:
    return str(op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one())
