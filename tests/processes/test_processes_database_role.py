"""The role that the application runs under on PostgreSQL: it does the whole job, and can change no fact."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DatabaseError

from app.db import Database, metadata
from app.writebacks.state import Stage
from tests.databases import PostgreSQLServer
from tests.ehr import RunningSandbox
from tests.service import SECRET, Service, running_service

REFUSED = (
    "UPDATE events SET actor = actor",
    "DELETE FROM events",
    "TRUNCATE events",
    "UPDATE artifacts SET kind = kind",
    "DELETE FROM artifacts",
    "DELETE FROM ledger",
    "UPDATE ledger SET payload_digest = payload_digest",
    "DELETE FROM log_heads",
    "DELETE FROM notes",
    "ALTER TABLE events DISABLE TRIGGER USER",
    "ALTER TABLE ledger DISABLE TRIGGER USER",
    "DROP TABLE events",
    "DROP TRIGGER events_append_only ON events",
    "CREATE OR REPLACE FUNCTION countersign_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
    "SET session_replication_role = replica",
    "UPDATE alembic_version SET version_num = '0001'",
)
NEVER_REMOVED = {"events", "artifacts", "ledger", "log_heads", "notes"}


@pytest.fixture
def as_the_application(postgresql: PostgreSQLServer) -> Iterator[str]:
    """The URL of a migrated database for a login that is a member of the application's role, and nothing more."""
    login = f"web_{secrets.token_hex(4)}"
    with postgresql.fresh_database(postgresql.migrated) as url:
        postgresql.execute(f"CREATE ROLE {login} LOGIN IN ROLE countersign_app")
        yield make_url(url).set(username=login).render_as_string(hide_password=False)
    postgresql.execute(f"DROP ROLE {login}")


@pytest.fixture
def service(
    as_the_application: str,
    ehr: RunningSandbox,
    app_port: int,
    tmp_path: Path,
    smart_config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", SECRET)
    with running_service(ehr, app_port, tmp_path, as_the_application, smart_config) as running:
        yield running


def test_the_applications_role_does_the_whole_job_and_cannot_change_a_fact(service: Service) -> None:
    """E43: an insert-only role; the triggers are there too, and this role can neither change nor remove them."""
    chart = service.signed()
    service.work()
    assert chart.writeback().stage is Stage.VERIFIED
    database = service.parts.database

    for statement in REFUSED:
        with pytest.raises(DatabaseError, match=r"permission denied|must be owner"), database.write() as tx:
            tx.execute(text(statement))

    may = rights(database)
    assert set(metadata.tables) <= may.keys()
    assert {name for name, rights in may.items() if rights == {"SELECT", "INSERT"}} == {"events", "artifacts", "ledger"}
    assert {name for name, rights in may.items() if "DELETE" not in rights} == NEVER_REMOVED


def rights(database: Database) -> dict[str, set[str]]:
    """What the application may do to each whole table."""
    query = (
        "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = 'countersign_app'"
    )
    found: dict[str, set[str]] = {}
    with database.read() as tx:
        for name, right in tx.execute(text(query)):
            if name != "alembic_version":
                found.setdefault(name, set()).add(right)
    return found


def test_nobody_removes_a_row_of_the_ledger_or_changes_its_key(migrated_url: str) -> None:
    """The ledger has no age at which it forgets: on both databases, for the owner too."""
    engine = create_engine(migrated_url)
    database = Database(engine)
    row = "'k', 't', 'w', 'd', '2026-01-01 00:00:00'"
    columns = "(idempotency_key, tenant_id, writeback_id, payload_digest, created_at)"
    with database.write() as tx:
        tx.execute(text(f"INSERT INTO ledger {columns} VALUES ({row})"))
    statements = ["DELETE FROM ledger", "UPDATE ledger SET payload_digest = 'e'", "UPDATE ledger SET tenant_id = 'u'"]
    statements += ["TRUNCATE ledger"] if engine.dialect.name == "postgresql" else []

    for statement in statements:
        with pytest.raises(DatabaseError, match="never forgets"), database.write() as tx:
            tx.execute(text(statement))
    with database.write() as tx:
        tx.execute(text("UPDATE ledger SET filed_as = 'DocumentReference/1'"))
    engine.dispose()
