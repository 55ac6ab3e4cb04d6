"""A log of many stories, told again: what a release must be able to do with years of a hospital's record."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from app.artifacts.tables import artifacts
from app.artifacts.verify import verify_everything
from app.collaborators import EXTENSION, Collaborators
from app.projections.follower import catch_up
from app.projections.tables import write_status
from app.replay.payloads import ReplayedPayloads, replay_payloads
from app.replay.projections import ReplayedLog, replay_projections
from app.settings import Settings
from app.wiring import create_app
from tests.long_log import ENDINGS, grow
from tests.service import SEALING_KEY, SECRET

EVENTS = 2000


@pytest.fixture
def parts(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collaborators]:
    """The app without anybody in front of it, and a log that its read models followed part by part."""
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", SECRET)
    app = create_app(Settings(home=tmp_path, database_url=migrated_url, sealing_keys=SEALING_KEY))
    built: Collaborators = app.extensions[EXTENSION]
    for _ in grow(built, "harbor-epic", EVENTS, at_once=EVENTS // 3):
        catch_up(built.database)
    yield built
    built.database.engine.dispose()


def test_a_long_log_is_told_again_to_the_row_and_to_the_byte_and_one_that_differs_is_found(
    parts: Collaborators,
) -> None:
    """A replay is streamed and asks for many at once, so that it ends in time over years of events."""
    log, payloads = replayed(parts)
    with parts.database.read() as tx:
        found = verify_everything(tx)
    writes = log.read_models["write_status"].rows
    assert log.ok
    assert log.events == log.read_models["audit_trail"].rows >= EVENTS
    assert payloads.ok
    assert payloads.identical == writes - writes // len(ENDINGS)  # the copied ones have none
    assert (found.ok, found.events) == (True, log.events)

    changed = change_one_row_and_one_payload(parts)
    log, payloads = replayed(parts)

    assert log.read_models["write_status"].different == (changed,)
    assert len(payloads.different) == 1


def replayed(parts: Collaborators) -> tuple[ReplayedLog, ReplayedPayloads]:
    log = replay_projections(parts.database)
    with parts.database.read() as tx:
        return log, replay_payloads(tx, parts.artifacts, parts.ehrs)


def change_one_row_and_one_payload(parts: Collaborators) -> str:
    """What somebody does who owns the database; returns which write's row it was."""
    with parts.database.write() as tx:
        one: str = tx.execute(select(write_status.c.writeback_id).limit(1)).scalar_one()
        tx.execute(update(write_status).where(write_status.c.writeback_id == one).values(attempts=9))
        postgresql = tx.dialect.name == "postgresql"
        unlock = "ALTER TABLE artifacts DISABLE TRIGGER USER" if postgresql else "DROP TRIGGER artifacts_no_update"
        tx.execute(text(unlock))
        lost = select(artifacts.c.artifact_id).where(artifacts.c.kind == "payload").limit(1).scalar_subquery()
        tx.execute(update(artifacts).where(artifacts.c.artifact_id == lost).values(ciphertext=b"gone"))
    return one
