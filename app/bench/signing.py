"""P3 and P4: the transaction that signs, and sixteen signers at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Thread
from time import perf_counter

from sqlalchemy import create_engine, func, select

from app.artifacts.store import ArtifactStore
from app.bench import databases
from app.bench.measure import Bar, Round, Wrong, alternate, percentile, rate
from app.bench.naive_orm import NaiveSigning
from app.bench.notes import bench_launch
from app.bench.signatures import TENANT, Signature, docket_of, prepare, sign
from app.clock import system_clock
from app.db import Database
from app.event_log.tables import events
from app.event_log.verify import verify
from app.ids import LaunchId
from app.notes.entering import Entering
from app.outbox.tables import outbox
from app.sealing import Keyring
from app.tenants.launches import hold_open, new_launch, record
from app.writebacks.docket import Docket, enter

KEYRING = Keyring({"bench": bytes(32)})
SIGNERS = 16
EVENT_BYTES = 1100
EVENTS = 1600  # both, without what every row repeats


def signing_bars(folder: Path, postgresql: str, notes: int) -> Iterator[Bar]:
    """P3 on each database that there is."""
    for engine, url, orm, bare in (("SQLite", "", 4.0, 0.35), ("PostgreSQL", postgresql, 3.0, 0.25)):
        if not url and engine != "SQLite":
            continue
        with databases.fresh(folder, url) as address:
            against = _one_by_one(address, notes)
        peers = {
            "ORM": ("the same through Flask-SQLAlchemy models", orm, "SQLAlchemy's work for each of eight statements"),
            "bare": ("one bare INSERT of an event's size and commit", bare, "ten rows of 14 KB against one of 1 KB"),
            "bytes": (
                "one bare INSERT of the same bytes and commit",
                bare,
                "ten sealed and chained rows against one",
            ),
        }
        for (peer, (what, least, limit)), rounds in zip(peers.items(), against, strict=True):
            title = f"sign transaction on {engine}, durable, against {what}"
            yield Bar(f"P3 {engine} {peer}", title, "notes/s", least, rounds, limit)


def _one_by_one(address: str, notes: int) -> list[tuple[Round, ...]]:
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

    with _bare_insert(address) as insert:
        found = alternate(
            ours,
            lambda: each(naive.sign),
            lambda: each(lambda one: insert(one.note_id, one.snapshot[:EVENT_BYTES])),
            lambda: each(lambda one: insert(one.note_id, one.snapshot + one.payload + one.provenance + bytes(EVENTS))),
        )
    _check(database, signed)
    if naive.count() != signed:
        raise Wrong("the peer lost a note")
    naive.close()
    database.engine.dispose()
    return found


@contextmanager
def _bare_insert(address: str) -> Iterator[Callable[[str, bytes], None]]:
    """One INSERT and a commit, by the driver, without a library between."""
    database = databases.opened(address)
    is_sqlite = database.engine.dialect.name == "sqlite"
    kind, mark = ("BLOB", "?") if is_sqlite else ("BYTEA", "%s")
    with database.write() as tx:
        tx.exec_driver_sql(f"CREATE TABLE bare (id VARCHAR(40) PRIMARY KEY, payload {kind})")
    connection = database.engine.raw_connection()
    driver = connection.driver_connection

    def insert(name: str, content: bytes) -> None:
        cursor = driver.cursor()  # type: ignore[union-attr]
        if is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(f"INSERT INTO bare VALUES ({mark}, {mark})", (name, content))  # noqa: S608 - two marks
        cursor.execute("COMMIT") if is_sqlite else connection.commit()

    yield insert
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
        limit = "one log of one tenant is written by one at a time; those who wait are entered together, by one of them"
        yield Bar(f"P4 {engine}", what, "notes/s", 2.5, throughput, limit)
        slowest = "worst wait" if not url else "99th percentile of the wait"
        yield Bar(f"P4 {engine} wait", f"{what}: {slowest}", "s", wait_bar, waits, limit, is_ceiling=True)


def _all_at_once(address: str, notes: int, *, worst: bool) -> tuple[tuple[Round, ...], tuple[Round, ...]]:
    database, artifacts = databases.opened(address), ArtifactStore(KEYRING)
    alone = Database(create_engine(address, pool_size=SIGNERS), together=False)
    launches = _open_launches(database)
    together = Entering(database, system_clock)
    sides = {"ours": together.enter, "peer": lambda launch, docket: _enter_alone(alone, launch, docket)}
    signed = 0
    throughput, waiting = [], []
    for number in range(5):
        pair: dict[str, tuple[float, float]] = {}
        for side in sides if number % 2 == 0 else reversed(sides):
            prepared = prepare(notes)
            begun = perf_counter()
            waited = _signers(sides[side], artifacts, launches, prepared)
            signed += notes
            took = perf_counter() - begun
            pair[side] = notes / took, (max(waited) if worst else percentile(waited, 0.99))
        throughput.append(Round(pair["ours"][0], pair["peer"][0]))
        waiting.append(Round(pair["ours"][1], pair["peer"][1]))
    _check(database, signed)
    database.engine.dispose()
    alone.engine.dispose()
    return tuple(throughput), tuple(waiting)


def _open_launches(database: Database) -> list[LaunchId]:
    """Each signer's session, which both sides hold open while they enter."""
    now = system_clock()
    opened = [bench_launch(TENANT, "https://ehr.example", now, f"signer-{index}") for index in range(SIGNERS)]
    with database.write() as tx:
        for one in opened:
            record(tx, new_launch(one))
    return [one.launch_id for one in opened]


def _enter_alone(database: Database, launch: LaunchId, docket: Docket) -> None:
    with database.write() as tx:
        hold_open(tx, launch, system_clock())
        enter(tx, docket)


def _signers(
    enter_one: Callable[[LaunchId, Docket], None],
    artifacts: ArtifactStore,
    launches: list[LaunchId],
    prepared: list[Signature],
) -> list[float]:
    """A thread for each signer signs its share; how long each signature took."""
    barrier, waited = Barrier(SIGNERS), list[float]()

    def signer(launch: LaunchId, share: list[Signature]) -> None:
        barrier.wait()
        for one in share:
            begun = perf_counter()
            enter_one(launch, docket_of(artifacts, one))
            waited.append(perf_counter() - begun)

    shares = [(launch, prepared[index::SIGNERS]) for index, launch in enumerate(launches)]
    threads = [Thread(target=signer, args=share) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(waited) != len(prepared):
        raise Wrong("a signer failed")
    return waited
