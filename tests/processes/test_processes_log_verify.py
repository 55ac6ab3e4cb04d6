"""What `countersign log verify` finds when somebody changes the record behind its back, and what it cannot find.

It finds: a change of any byte of any event, of the sealed bytes that an event refers to, a deleted, inserted or moved
event, and a truncated tail as long as the recorded heads stand. It cannot find a tail that was cut off together with
its recorded head, nor a history that was rewritten from some event to the end: nothing inside one database can. The
signed checkpoints outside of it do, and are tested by themselves (conformance E40).
"""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from app.artifacts.verify import verify_everything
from app.db import begin_write_on_sqlite
from app.event_log.recorded import chain_hash
from app.event_log.tables import events
from app.event_log.verify import Report
from app.writebacks.state import Stage
from tests.databases import ENGINES
from tests.ehr import RunningSandbox
from tests.service import SECRET, Service, running_service

ROOT = Path(__file__).parents[2]
ROUNDS = 60
TEXTS = ("tenant_id", "stream", "tag", "actor", "causation", "previous_hash", "hash")
NUMBERS = ("sequence", "version", "schema_version")


@pytest.fixture(scope="module", params=ENGINES)
def record(
    request: pytest.FixtureRequest,
    ehr_process: RunningSandbox,
    app_port: int,
    smart_config: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A log with a launch, a draft, an edit, decisions, a signature and a verified write in it."""
    home = tmp_path_factory.mktemp("record")
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("COUNTERSIGN_LAKESIDE_SECRET", SECRET)
        if request.param == "postgresql":
            server = request.getfixturevalue("postgresql")
            url = stack.enter_context(server.fresh_database(server.migrated))
        else:
            url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), home / 'record.db')}"
        only = shutil.copytree(smart_config, home / "smart-config")
        for path in (only / "tenants").glob("*.yaml"):
            if path.stem != "harbor-epic":
                path.unlink()  # one tenant has one chain: the key of another would begin a second
        service = stack.enter_context(running_service(ehr_process, app_port, home, url, only))
        chart = service.drafted()
        claim = next(one for one in chart.note().review.claims if one.text)
        chart.post(f"/claims/{claim.claim.id}/text", revision="0", text="Written by the clinician.")
        chart.settle()
        chart.sign()
        service.work()
        assert chart.writeback().stage is Stage.VERIFIED
        yield service


@contextmanager
def behind_its_back(service: Service, *, keep: bool = False) -> Iterator[Connection]:
    """A connection of somebody who owns the database: no trigger stops them. What they do is undone unless `keep`."""
    with service.parts.database.engine.connect() as tx, tx.begin() as work:
        if tx.dialect.name == "postgresql":
            for table in ("events", "artifacts"):
                tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        else:
            begin_write_on_sqlite(tx)
            names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                tx.execute(text(f"DROP TRIGGER {name}"))
        yield tx
        if not keep:
            work.rollback()


def change(tx: Connection, statement: str, **values: Any) -> None:
    assert tx.execute(text(statement), values).rowcount == 1


def sequences(tx: Connection) -> list[int]:
    return list(tx.execute(text("SELECT sequence FROM events ORDER BY sequence")).scalars())


def named(report: Report) -> set[int]:
    return {problem.sequence for problem in report.problems}


def another_character(dice: random.Random, value: str) -> str:
    at = dice.randrange(len(value))
    new = dice.choice([one for one in "0123456789abcdefXYZ:-._ T" if one != value[at]])
    return value[:at] + new + value[at + 1 :]


def another_byte(dice: random.Random, value: bytes) -> bytes:
    at = dice.randrange(len(value))
    return value[:at] + bytes([value[at] ^ dice.randrange(1, 256)]) + value[at + 1 :]


def tampered(dice: random.Random, tx: Connection, column: str, value: Any) -> Any:
    if column == "payload":
        return another_byte(dice, bytes(value))
    if column in NUMBERS:
        return value + dice.choice([1000, 4096, 65536])
    if column == "recorded_at" and tx.dialect.name == "postgresql":
        return another_moment(dice, value)
    return another_character(dice, value)


def another_moment(dice: random.Random, value: Any) -> Any:
    return value.replace(microsecond=(value.microsecond + dice.randrange(1, 1_000_000)) % 1_000_000)


def test_one_changed_byte_in_any_column_of_any_event_is_found_and_the_event_is_named(record: Service) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    dice = random.Random(seed)
    columns = (*TEXTS, *NUMBERS, "payload", "recorded_at")
    with record.parts.database.read() as tx:
        all_events = sequences(tx)

    for round_ in range(ROUNDS):
        column, sequence = columns[round_ % len(columns)], dice.choice(all_events)
        with behind_its_back(record) as tx:
            query = text(f"SELECT {column} FROM events WHERE sequence = :sequence")
            before = tx.execute(query, {"sequence": sequence}).scalar_one()
            after = tampered(dice, tx, column, before)
            change(tx, f"UPDATE events SET {column} = :after WHERE sequence = :s", after=after, s=sequence)
            report = verify_everything(tx)
        what = f"seed {seed}: {column} of event {sequence}: {before!r} to {after!r}: {report.problems}"
        assert not report.ok, what
        assert named(report) & {sequence, after}, what

    with record.parts.database.read() as tx:
        assert verify_everything(tx).ok, "the tampering itself was not undone"


@pytest.mark.parametrize("record", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "broken",
    [
        "tag = CAST(X'FF' || CAST(tag AS BLOB) AS TEXT)",
        "tag = CAST(tag AS BLOB)",
        "payload = CAST(payload AS TEXT)",
        "payload = X'5B5D'",
        "recorded_at = 'yesterday'",
        "recorded_at = replace(recorded_at, ' ', 'T')",
        "version = 'first'",
        "sequence = 'third'",
        "previous_hash = X'00'",
    ],
)
def test_what_sqlite_lets_anybody_write_into_a_column_is_reported_not_stumbled_over(
    record: Service, broken: str
) -> None:
    with behind_its_back(record) as tx:
        change(tx, f"UPDATE events SET {broken} WHERE sequence = 3")
        report = verify_everything(tx)

    assert named(report) & {3, "third"}


def test_two_events_that_changed_places_are_found(record: Service) -> None:
    with behind_its_back(record) as tx:
        for before, after in ((3, -3), (4, 3), (-3, 4)):
            change(tx, "UPDATE events SET sequence = :after WHERE sequence = :before", before=before, after=after)
        report = verify_everything(tx)

    assert {3, 4} <= named(report)


def test_a_position_that_contradicts_the_sequence_is_found(record: Service) -> None:
    """The position is where a row stands, not what happened: it is not hashed, only its order is checked."""
    with behind_its_back(record) as tx:
        change(tx, "UPDATE events SET position = position + 5000 WHERE sequence = 3")
        report = verify_everything(tx)

    assert 4 in named(report)


@pytest.mark.parametrize("sequence", [1, 4])
def test_a_deleted_event_is_found(record: Service, sequence: int) -> None:
    with behind_its_back(record) as tx:
        change(tx, "DELETE FROM events WHERE sequence = :sequence", sequence=sequence)
        report = verify_everything(tx)

    assert named(report) == {sequence + 1}
    assert f"events {sequence} to {sequence} are missing" in [problem.what for problem in report.problems]


def test_a_tail_that_was_cut_off_is_found_while_the_recorded_head_stands(record: Service) -> None:
    with behind_its_back(record) as tx:
        last = sequences(tx)[-1]
        change(tx, "DELETE FROM events WHERE sequence = :last", last=last)
        report = verify_everything(tx)
    assert named(report) == {last - 1}

    with behind_its_back(record) as tx:
        tx.execute(text("DELETE FROM events"))
        emptied = verify_everything(tx)
    assert [problem.what for problem in emptied.problems] == ["the whole chain is missing"]


def test_a_tail_that_was_cut_off_together_with_its_head_is_not_found(record: Service) -> None:
    """The limit of every chain without a witness outside its database; `tests/flows/test_checkpoints.py` closes it."""
    with behind_its_back(record) as tx:
        last = sequences(tx)[-1]
        change(tx, "DELETE FROM events WHERE sequence = :last", last=last)
        hash_ = tx.execute(text("SELECT hash FROM events WHERE sequence = :s"), {"s": last - 1}).scalar_one()
        change(tx, "UPDATE log_heads SET sequence = :s, hash = :h", s=last - 1, h=hash_)

        assert verify_everything(tx).ok


def test_an_event_that_was_changed_and_hashed_again_breaks_the_link_of_the_next_one(record: Service) -> None:
    with behind_its_back(record) as tx:
        row = dict(tx.execute(events.select().where(events.c.sequence == 3)).mappings().one())
        again = chain_hash(row["previous_hash"], row | {"actor": "somebody#else"}, row["payload"])
        change(tx, "UPDATE events SET actor = 'somebody#else', hash = :h WHERE sequence = 3", h=again)
        report = verify_everything(tx)

    assert named(report) == {4}


def test_one_changed_byte_of_any_sealed_artifact_is_found(record: Service) -> None:
    dice = random.Random(7)
    with record.parts.database.read() as tx:
        artifacts = tx.execute(text("SELECT artifact_id, kind, ciphertext FROM artifacts")).all()
    assert {one.kind for one in artifacts} >= {"draft", "edit", "snapshot", "payload", "stored", "provenance"}

    for one in artifacts:
        with behind_its_back(record) as tx:
            changed = another_byte(dice, bytes(one.ciphertext))
            change(tx, "UPDATE artifacts SET ciphertext = :c WHERE artifact_id = :a", c=changed, a=one.artifact_id)
            report = verify_everything(tx)
        assert [problem.what for problem in report.problems] == [
            f"artifact {one.artifact_id} was changed after it was recorded"
        ]


def test_a_missing_artifact_is_found(record: Service) -> None:
    with behind_its_back(record) as tx:
        one = tx.execute(text("SELECT artifact_id FROM artifacts WHERE kind = 'snapshot'")).scalar_one()
        change(tx, "DELETE FROM artifact_keys WHERE artifact_id = :a", a=one)
        change(tx, "DELETE FROM artifacts WHERE artifact_id = :a", a=one)
        report = verify_everything(tx)

    assert [problem.what for problem in report.problems] == [f"artifact {one} is missing"]


Run = Callable[[], tuple[int, dict[str, Any]]]


@pytest.fixture
def log_verify(record: Service) -> Run:
    """`countersign log verify --json` as a process of its own: exit code, and the one JSON object that it printed."""
    settings = record.parts.settings
    environment = os.environ | {
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_DATABASE_URL": settings.database_url,
    }

    def run() -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "app.cli", "log", "verify", "--json"]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, timeout=60, check=False)
        return done.returncode, json.loads(done.stdout)

    return run


def test_the_command_says_so_and_its_exit_code_too(record: Service, log_verify: Run) -> None:
    with record.parts.database.read() as tx:
        number = len(sequences(tx))
    assert log_verify() == (0, {"ok": True, "events": number, "checkpoints": 0, "problems": []})

    with behind_its_back(record, keep=True) as tx:
        before = tx.execute(text("SELECT actor FROM events WHERE sequence = 2")).scalar_one()
        change(tx, "UPDATE events SET actor = :actor WHERE sequence = 2", actor="https://ehr.example#mallory")

    code, report = log_verify()
    with behind_its_back(record, keep=True) as tx:
        change(tx, "UPDATE events SET actor = :actor WHERE sequence = 2", actor=before)
    assert code != 0
    assert report["ok"] is False
    assert report["problems"] == [
        {"tenant_id": "harbor-epic", "sequence": 2, "what": "the event was changed after it was recorded"}
    ]
