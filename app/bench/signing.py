"""P3 and P4: the transaction that signs, and sixteen signers at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Thread
from time import perf_counter

from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool

from app.artifacts.store import ArtifactStore
from app.bench import databases
from app.bench.measure import Bar, Round, Wrong, alternate, percentile, rate
from app.bench.naive_orm import NaiveSigning
from app.bench.signatures import Signature, prepare, sign, sign_in
from app.db import Database
from app.event_log.tables import events
from app.event_log.verify import verify
from app.outbox.tables import outbox
from app.sealing import Keyring

KEYRING = Keyring({"bench": bytes(32)})
SIGNERS = 16


def signing_bars(folder: Path, postgresql: str, notes: int) -> Iterator[Bar]:
    """P3 on each database that there is."""
    for engine, url, orm, bare in (("SQLite", "", 4.0, 0.35), ("PostgreSQL", postgresql, 3.0, 0.25)):
        if not url and engine != "SQLite":
            continue
        with databases.fresh(folder, url) as address:
            against_orm, against_bare = _one_by_one(address, notes)
        limit = "a commit waits for the disk; what is left is SQLAlchemy's work for each statement"
        what = f"sign transaction on {engine}, durable"
        yield Bar(
            f"P3 {engine} ORM",
            f"{what}, against the same through Flask-SQLAlchemy models",
            "notes/s",
            orm,
            against_orm,
            limit,
        )
        yield Bar(
            f"P3 {engine} bare", f"{what}, against one bare INSERT and commit", "notes/s", bare, against_bare, limit
        )


def _one_by_one(address: str, notes: int) -> tuple[tuple[Round, ...], tuple[Round, ...]]:
    database, artifacts = databases.opened(address), ArtifactStore(KEYRING)
    naive = NaiveSigning(address, KEYRING)
    signed = 0

    def each(work: Callable[[Signature], object]) -> float:
        prepared = prepare(notes)
        return rate(lambda: [work(one) for one in prepared], notes)

    def ours() -> float:
        nonlocal signed
        signed += notes
        return each(lambda one: sign(database, artifacts, one))

    with _bare_inserts(address) as bare:
        found = alternate(ours, lambda: each(naive.sign), lambda: each(bare))
    _check(database, signed)
    if naive.count() != signed:
        raise Wrong("the peer lost a note")
    naive.close()
    database.engine.dispose()
    return found[0], found[1]


@contextmanager
def _bare_inserts(address: str) -> Iterator[Callable[[Signature], object]]:
    """One INSERT of an event's size and a commit, by the driver, without a library between."""
    database = databases.opened(address)
    with database.write() as tx:
        tx.exec_driver_sql("CREATE TABLE bare (id VARCHAR(40) PRIMARY KEY, payload TEXT)")
    connection = database.engine.raw_connection()
    driver = connection.driver_connection
    mark = "?" if database.engine.dialect.name == "sqlite" else "%s"

    def one(signature: Signature) -> None:
        cursor = driver.cursor()  # type: ignore[union-attr]
        if mark == "?":
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(
            f"INSERT INTO bare VALUES ({mark}, {mark})",  # noqa: S608 - two marks
            (signature.note_id, signature.snapshot[:1100].decode()),
        )
        cursor.execute("COMMIT") if mark == "?" else connection.commit()

    yield one
    connection.close()
    database.engine.dispose()


def _check(database: Database, signed: int) -> None:
    """Every note is in a chain that verifies, and in the outbox, once."""
    with database.read() as tx:
        report = verify(tx)
        waiting = tx.execute(select(func.count()).select_from(outbox)).scalar_one()
        logged = tx.execute(select(func.count()).select_from(events)).scalar_one()
    if not report.ok or waiting != signed or logged != 2 * signed:
        raise Wrong("the log of the signed notes is not what it should be")


def signers_bars(folder: Path, postgresql: str, notes: int) -> Iterator[Bar]:
    """P4 on each database that there is: throughput, and how long the slowest had to wait."""
    for engine, url, wait_bar in (("SQLite", "", 1 / 20), ("PostgreSQL", postgresql, 1 / 5)):
        if not url and engine != "SQLite":
            continue
        with databases.fresh(folder, url) as address:
            throughput, waits = _all_at_once(address, notes, worst=not url)
        what = f"{SIGNERS} signers of one tenant at once on {engine}, against a connection for each"
        limit = "one log of one tenant is written by one at a time; a group of waiting signers shares a commit"
        yield Bar(f"P4 {engine}", what, "notes/s", 2.5, throughput, limit)
        slowest = "worst wait" if not url else "99th percentile of the wait"
        yield Bar(f"P4 {engine} wait", f"{what}: {slowest}", "s", wait_bar, waits, limit, is_ceiling=True)


def _all_at_once(address: str, notes: int, *, worst: bool) -> tuple[tuple[Round, ...], tuple[Round, ...]]:
    database, artifacts = databases.opened(address), ArtifactStore(KEYRING)
    alone = Database(create_engine(address, poolclass=NullPool if worst else None), together=False)
    signed = 0
    throughput, waiting = [], []
    for number in range(5):
        pair: dict[str, tuple[float, float]] = {}
        for side in ("ours", "peer") if number % 2 == 0 else ("peer", "ours"):
            prepared = prepare(notes)
            begun = perf_counter()
            waited = _signers(database if side == "ours" else alone, artifacts, prepared)
            signed += notes
            took = perf_counter() - begun
            pair[side] = notes / took, (max(waited) if worst else percentile(waited, 0.99))
        throughput.append(Round(pair["ours"][0], pair["peer"][0]))
        waiting.append(Round(pair["ours"][1], pair["peer"][1]))
    _check(database, signed)
    database.engine.dispose()
    alone.engine.dispose()
    return tuple(throughput), tuple(waiting)


def _signers(database: Database, artifacts: ArtifactStore, prepared: list[Signature]) -> list[float]:
    """Sixteen threads sign their shares; how long each signature took."""
    barrier, waited = Barrier(SIGNERS), list[float]()

    def signer(share: list[Signature]) -> None:
        barrier.wait()
        for one in share:
            begun = perf_counter()
            with database.write() as tx:
                sign_in(tx, artifacts, one)
            waited.append(perf_counter() - begun)

    threads = [Thread(target=signer, args=(prepared[index::SIGNERS],)) for index in range(SIGNERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(waited) != len(prepared):
        raise Wrong("a signer failed")
    return waited
