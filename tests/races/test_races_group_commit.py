"""Writers of one process that come at once share a commit: each part stands or falls alone, and each is durable."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from tests.races.at_once import at_once


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(create_engine(f"sqlite:///{tmp_path / 'group.db'}"))
    with opened.write() as tx:
        tx.execute(text("CREATE TABLE kept (name INTEGER PRIMARY KEY)"))
    yield opened
    opened.engine.dispose()


def kept(database: Database) -> list[int]:
    with database.read() as tx:
        return list(tx.execute(text("SELECT name FROM kept ORDER BY name")).scalars())


def keep(database: Database, name: int, then: Callable[[], object] = lambda: None) -> None:
    with database.write() as tx:
        tx.execute(text("INSERT INTO kept VALUES (:name)"), {"name": name})
        then()


def fail() -> None:
    raise LookupError("this part only")


def commits(database: Database) -> list[object]:
    counted: list[object] = []
    event.listen(database.engine, "commit", counted.append)
    return counted


def behind(database: Database, *parts: Callable[[], object]) -> list[object]:
    """These parts at once, all of them waiting while one before them is at work."""
    entered, go_on = Event(), Event()

    def first() -> None:
        with suppress(OSError), database.write():
            entered.set()
            go_on.wait(10)

    holder = Thread(target=first)
    holder.start()
    entered.wait(10)

    def release() -> None:
        while len(database._group._waiting) < len(parts):  # type: ignore[union-attr]
            pass
        go_on.set()

    answers = at_once(release, *parts)
    holder.join(10)
    return answers[1:]


def test_those_who_wait_share_one_commit_and_each_finds_its_part_durable(database: Database) -> None:
    counted = commits(database)

    behind(database, *(lambda name=name: keep(database, name) for name in range(6)))

    assert kept(database) == list(range(6))
    assert len(counted) <= 3  # the one before them, theirs, and the look that this test takes


def test_a_part_that_fails_takes_no_other_with_it(database: Database) -> None:
    answers = behind(
        database,
        lambda: keep(database, 1),
        lambda: keep(database, 2, fail),
        lambda: keep(database, 3),
        lambda: keep(database, 4, fail),
    )

    assert kept(database) == [1, 3]
    assert sorted(type(one).__name__ for one in answers) == ["LookupError", "LookupError", "NoneType", "NoneType"]


def test_when_the_commit_fails_everybody_in_it_is_told_and_nothing_is_kept(database: Database) -> None:
    """F48: nobody goes on as if it were written."""

    def broken(_connection: object) -> None:
        raise OSError("no space left on device")

    event.listen(database.engine, "commit", broken)
    answers = behind(database, *(lambda name=name: keep(database, name) for name in range(3)))
    event.remove(database.engine, "commit", broken)

    assert [type(one).__name__ for one in answers] == ["OSError"] * 3
    assert kept(database) == []


def test_when_the_disk_is_full_for_one_nobody_whose_part_went_with_it_is_told_that_it_is_durable(
    database: Database,
) -> None:
    """F48: SQLite ends the whole transaction then, and a commit of none says nothing."""
    entered, go_on = Event(), Event()

    def before() -> None:
        with database.write() as tx:
            tx.execute(text("INSERT INTO kept VALUES (1)"))
            entered.set()
            go_on.wait(10)

    def too_much() -> None:
        entered.wait(10)
        with database.write() as tx:
            pages = tx.execute(text("PRAGMA page_count")).scalar_one()
            tx.execute(text(f"PRAGMA max_page_count = {pages}"))
            tx.execute(text("INSERT INTO filler VALUES (zeroblob(500000))"))

    def release() -> None:
        while not database._group._waiting:  # type: ignore[union-attr]
            pass
        go_on.set()

    with database.write() as tx:
        tx.execute(text("CREATE TABLE filler (filling BLOB)"))
    answers = at_once(before, too_much, release)

    assert kept(database) == []
    assert [isinstance(one, SQLAlchemyError) for one in answers] == [True, True, False]
    keep(database, 2)
    assert kept(database) == [2]


def test_one_alone_that_fails_leaves_nothing_and_the_next_goes_on(database: Database) -> None:
    with pytest.raises(LookupError):
        keep(database, 1, fail)

    keep(database, 2)

    assert kept(database) == [2]


def test_a_write_inside_of_a_write_is_refused_at_once_instead_of_waiting_for_itself(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write(), database.write():
        pass
    keep(database, 1)
    assert kept(database) == [1]
