"""What the database itself holds to: facts are only added, and the migrations build exactly what the code expects."""

from pathlib import Path

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DatabaseError

from app.db import Database, metadata
from app.settings import Settings
from app.wiring import create_app
from tests.databases import migrate
from tests.service import Service

ATTEMPTS = (
    "UPDATE events SET actor = 'somebody else'",
    "UPDATE events SET hash = hash",
    "DELETE FROM events",
    "DELETE FROM events WHERE sequence = 2",
    "UPDATE artifacts SET digest = digest",
    "UPDATE artifacts SET kind = 'draft'",
    "DELETE FROM artifacts",
)
SOMEBODY_ELSES = (
    "INSERT OR REPLACE INTO events (tenant_id, sequence, stream, version, tag, schema_version, payload, actor,"
    " causation, recorded_at, previous_hash, hash) SELECT tenant_id, {sequence}, {stream}, version, tag, 1, payload,"
    " 'somebody', causation, recorded_at, previous_hash, hash FROM events WHERE sequence = 2"
)
OF_SQLITE = (
    "REPLACE INTO events SELECT * FROM events WHERE sequence = 2",
    SOMEBODY_ELSES.format(sequence="sequence", stream="'another'"),
    SOMEBODY_ELSES.format(sequence="999", stream="stream"),
    "REPLACE INTO artifacts SELECT artifact_id, tenant_id, kind, X'00', digest, created_at FROM artifacts",
    "INSERT INTO artifacts SELECT * FROM artifacts WHERE 1 ON CONFLICT DO UPDATE SET ciphertext = X'00'",
)
OF_POSTGRESQL = ("TRUNCATE events", "TRUNCATE artifacts CASCADE", "TRUNCATE artifacts, artifact_keys")


def contents(database: Database) -> list[object]:
    with database.read() as tx:
        rows = [tx.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all() for table in ("events", "artifacts")]
    return [[tuple(row) for row in table] for table in rows]


def test_no_statement_changes_or_removes_an_event_or_an_artifact(service: Service) -> None:
    service.drafted()
    database = service.parts.database
    before = contents(database)
    assert all(before)
    more = OF_SQLITE if database.engine.dialect.name == "sqlite" else OF_POSTGRESQL

    for attempt in ATTEMPTS + more:
        with pytest.raises(DatabaseError, match="append-only"), database.write() as tx:
            tx.execute(text(attempt))

    assert contents(database) == before


def test_migrations_from_nothing_build_what_the_code_expects_and_can_run_again(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)

    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
        tables = set(inspect(connection).get_table_names())
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    engine.dispose()

    assert versions == [ScriptDirectory("migrations").get_current_head()]
    assert differences == []
    assert tables == set(metadata.tables) | {"alembic_version"}


def test_the_migrations_can_be_taken_back_to_nothing(migrated_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=migrated_url)
    app = create_app(settings)
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        engine = app.extensions["sqlalchemy"].engine
        with engine.connect() as connection:
            left = set(inspect(connection).get_table_names())
        engine.dispose()

    assert left == {"alembic_version"}
