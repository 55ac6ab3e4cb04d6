"""From the release before to this one, with what a hospital had in its database: nothing is lost on the way or back.

`tests/releases/0002.json` was written by that release itself: signed, copied, filed, adopted and parked writes, sealed
under the key of these tests.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import Connection, DateTime, LargeBinary, MetaData, Table, insert, select, text

from app.artifacts.verify import verify_everything
from app.collaborators import EXTENSION, Collaborators
from app.db import Database
from app.replay.payloads import replay_payloads
from app.replay.projections import replay_projections
from app.settings import Settings
from app.wiring import create_app
from app.writebacks.handlers import load
from tests.service import SEALING_KEY, SECRET

RELEASE = "0002"
DATA = json.loads((Path(__file__).parents[1] / "releases" / f"{RELEASE}.json").read_text())
# What a release of today may add to a row of then, and takes away again.
WRITES = {row["writeback_id"]: row for row in DATA["write_status"]}


@pytest.fixture
def app(database_url: str, tmp_path: Path, smart_config: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """This release in front of an empty database."""
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", SECRET)
    settings = Settings(home=tmp_path, database_url=database_url, sealing_keys=SEALING_KEY, smart_config=smart_config)
    built = create_app(settings)
    yield built
    built.extensions[EXTENSION].database.engine.dispose()


def test_a_database_of_the_release_before_is_brought_here_with_its_data_and_back(app: Flask) -> None:
    parts: Collaborators = app.extensions[EXTENSION]
    with app.app_context():
        flask_migrate.upgrade(revision=RELEASE)
        fill(parts.database)
        flask_migrate.upgrade()

    with parts.database.read() as tx:
        stages = {name: load(tx, row["tenant_id"], name) for name, row in WRITES.items()}  # type: ignore[arg-type]
        assert {name: (one.stage, one.parked_for, one.attempts) for name, one in stages.items()} == {
            name: (row["stage"], row["parked_for"], row["attempts"]) for name, row in WRITES.items()
        }
        assert verify_everything(tx).ok
        payloads = replay_payloads(tx, parts.artifacts, parts.ehrs)
    assert (payloads.different, payloads.identical + payloads.other_version) == ((), len(DATA["ledger"]))
    replayed = replay_projections(parts.database)
    assert (replayed.ok, replayed.events) == (True, len(DATA["events"]))

    with app.app_context():
        flask_migrate.downgrade(revision=RELEASE)
    with parts.database.read() as tx:
        assert {name: rows(tx, name) for name in DATA} == {name: in_order(DATA[name]) for name in DATA}


def fill(database: Database) -> None:
    with database.write() as tx:
        for name in ("artifacts", *(name for name in DATA if name != "artifacts")):
            table = reflected(tx, name)
            tx.execute(insert(table), [for_database(table, row) for row in DATA[name]])
        if tx.dialect.name == "postgresql":
            tx.execute(text("SELECT setval('events_position_seq', (SELECT max(position) FROM events))"))


def reflected(tx: Connection, name: str) -> Table:
    """The table as it is now, not as the code of today knows it."""
    return Table(name, MetaData(), autoload_with=tx)


def for_database(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(table, name, value) for name, value in row.items()}


def _value(table: Table, name: str, value: Any) -> Any:
    kind = table.c[name].type
    if isinstance(kind, LargeBinary) and value is not None:
        return base64.b64decode(value["b64"])
    if isinstance(kind, DateTime) and value is not None:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value


def rows(tx: Connection, name: str) -> list[dict[str, Any]]:
    return in_order(
        [
            {key: _written(value) for key, value in row.items()}
            for row in tx.execute(select(reflected(tx, name))).mappings()
        ]
    )


def _written(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        utc = value.astimezone(UTC) if value.tzinfo else value
        return utc.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return value


def in_order(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))
