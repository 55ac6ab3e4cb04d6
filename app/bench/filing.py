"""P1 and P2: signed notes filed, read back, given their Provenance and recorded, by one worker's drain."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

import requests
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import func, select

from app.bench import databases
from app.bench.measure import Bar, Wrong, alternate
from app.bench.notes import TENANT_FILE, Note, open_launch, order_all, prepare_notes
from app.collaborators import Collaborators
from app.demo.redis_server import EmbeddedRedis
from app.event_log.verify import verify
from app.ids import TenantId
from app.outbox.rows import Partition
from app.projections import follower, write_status
from app.settings import ROOT
from app.tenants.ehr import Signer
from app.writebacks.tables import ledger
from vendors.contract import VendorAdapter, Write

IN_FLIGHT = 32
TENANT = TenantId("bench-hospital")
LATENCY_SECONDS = 0.1
STARTED_WITHIN_SECONDS = 30
WHOLE = "the whole pipeline: lease, begun attempt, send, ledger, chain, read-back, Provenance"
STOCK_NOTES, SIMPLE_NOTES = 12, 150


def latency_bars(folder: Path, notes: int) -> Iterator[Bar]:
    """P1, at the latency of an EHR."""
    with _measured(folder, LATENCY_SECONDS) as bench:
        against_client, against_stock = alternate(
            lambda: bench.drain(notes),
            lambda: bench.client_alone(notes),
            lambda: bench.rq_worker(STOCK_NOTES, "rq.worker.Worker"),
        )
    limit = (
        f"{IN_FLIGHT} in flight and four exchanges of {LATENCY_SECONDS * 1000:.0f} ms allow 80 a second; besides, the "
        f"durable transactions of {IN_FLIGHT} notes wait for one writer and one interpreter"
    )
    yield Bar(
        "P1 client",
        f"notes a second at {LATENCY_SECONDS * 1000:.0f} ms, {WHOLE}, against the same client "
        "and exchanges without a database",
        "notes/s",
        0.9,
        against_client,
        limit,
    )
    yield Bar(
        "P1 RQ",
        "the same, against a stock rq worker: a job and one POST for each note, nothing recorded",
        "notes/s",
        30,
        against_stock,
        limit,
    )


def no_latency_bar(folder: Path, notes: int) -> Iterator[Bar]:
    """P2, where nothing is waited for."""
    with _measured(folder, 0) as bench:
        [against_simple] = alternate(
            lambda: bench.drain(notes), lambda: bench.rq_worker(SIMPLE_NOTES, "rq.worker.SimpleWorker")
        )
    yield Bar(
        "P2",
        f"notes a second at 0 ms, {WHOLE}, against RQ's SimpleWorker: a job and one POST for each note",
        "notes/s",
        5,
        against_simple,
        "the interpreter's time for each note: four exchanges and five durable transactions against one POST",
    )


@dataclass
class _Measured:
    """One stub EHR, and the sides that send to it."""

    folder: Path
    origin: str

    def drain(self, notes: int) -> float:
        """Ours: sign orders are placed, then one worker's drain until nothing is due; notes a second."""
        self._ask("/forget")
        with databases.fresh(self.folder) as address:
            parts = self._parts(address)
            order_all(parts, TENANT, prepare_notes(notes, parts.ehrs.adapter(TENANT)), self.origin)
            partition = Partition(TENANT, "primary-care")
            begun = perf_counter()
            while not parts.drain.run(partition).is_empty:
                pass
            took = perf_counter() - begun
            self._check(parts, notes)
            parts.database.engine.dispose()
        return notes / took

    def client_alone(self, notes: int) -> float:
        """The same exchanges through the same adapter and transport, without a database while they last."""
        self._ask("/forget")
        with databases.fresh(self.folder) as address:
            parts = self._parts(address)
            adapter = parts.ehrs.adapter(TENANT)
            launch = open_launch(parts, TENANT, self.origin)
            signer = Signer(launch.issuer, launch.subject, launch.fhir_user, launch.patient, launch.fhir_base)
            transport = parts.ehrs.under_signers_grant(TENANT, launch.launch_id, signer)
            parts.database.engine.dispose()
        prepared = prepare_notes(notes, adapter)

        def one(note: Note) -> None:
            receipt = adapter.send(transport, Write("DocumentReference", "create", note.payload))
            adapter.read_note(transport, str(receipt.resource_id))
            adapter.find_provenance(transport, f"DocumentReference/{receipt.resource_id}")
            adapter.create_provenance(transport, note.provenance)

        with ThreadPoolExecutor(IN_FLIGHT) as crew:
            begun = perf_counter()
            list(crew.map(one, prepared))
            took = perf_counter() - begun
        self._require({"documents": notes, "identifiers": notes, "provenances": notes})
        return notes / took

    def rq_worker(self, notes: int, worker: str) -> float:
        """A job for each note; counted from the first POST to the last, so that nobody's start counts."""
        self._ask("/forget")
        prepared = prepare_notes(notes, self._adapter())
        home = self.folder / f"rq-{os.urandom(3).hex()}"
        home.mkdir()
        redis = EmbeddedRedis(home)
        redis.start()
        connection = Redis.from_url(redis.url)
        queue = Queue("bench", connection=connection, serializer=JSONSerializer)
        url = f"{self._address}/fhir/DocumentReference"
        for note in prepared:
            queue.enqueue("app.bench.rq_jobs.post_note", url, note.payload.decode())
        arguments = ["-m", "rq.cli", "worker", "bench", "--burst", "--url", redis.url, "--quiet"]
        arguments += ["--worker-class", worker, "--serializer", "rq.serializers.JSONSerializer"]
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            return self._paced(notes)
        finally:
            process.wait()
            connection.close()
            redis.stop()

    def _paced(self, notes: int) -> float:
        first, deadline = 0.0, perf_counter() + 120
        while perf_counter() < deadline:
            seen = self._ask("/counts")["documents"]
            if seen and not first:
                first, already = perf_counter(), seen
            if seen == notes:
                return (notes - already) / (perf_counter() - first)
            sleep(0.01)
        raise Wrong("the peer did not end")

    def _parts(self, address: str) -> Collaborators:
        home = self.folder / f"app-{os.urandom(3).hex()}"
        config = home / "smart-config"
        (config / "tenants").mkdir(parents=True)
        (config / "vendors").symlink_to(ROOT / "smart-config" / "vendors")
        (config / "tenants" / "bench.yaml").write_text(TENANT_FILE.format(origin=self.origin, cap=IN_FLIGHT))
        return databases.app_on(home, address, smart_config=config, sandbox_url=self.origin)

    def _adapter(self) -> VendorAdapter:
        with databases.fresh(self.folder) as address:
            return self._parts(address).ehrs.adapter(TENANT)

    def _check(self, parts: Collaborators, notes: int) -> None:
        """One document and one Provenance of each note in the EHR; all verified here, in a chain that verifies."""
        self._require({"documents": notes, "identifiers": notes, "provenances": notes})
        follower.catch_up(parts.database)
        with parts.database.read() as tx:
            counts = write_status.counts(tx)
            filed = tx.execute(select(func.count()).where(ledger.c.filed_as.isnot(None))).scalar_one()
            if counts != {(TENANT, "verified"): notes} or filed != notes or not verify(tx).ok:
                raise Wrong(f"not every note was filed and recorded: {counts}, {filed} in the ledger")

    def _require(self, expected: dict[str, int]) -> None:
        found = self._ask("/counts")
        if found != expected:
            raise Wrong(f"the EHR holds {found}, not {expected}")

    @property
    def _address(self) -> str:
        """For whoever has no resolver of its own for names of this machine."""
        return self.origin.replace("ehr.localhost", "127.0.0.1")

    def _ask(self, path: str) -> dict[str, int]:
        answer: dict[str, int] = requests.get(f"{self._address}{path}", timeout=10).json()
        return answer


@contextmanager
def _measured(folder: Path, latency: float) -> Iterator[_Measured]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [sys.executable, "-m", "app.bench.stub_ehr", str(port), str(latency)]
    process = subprocess.Popen(arguments, cwd=ROOT)  # noqa: S603 - our own interpreter and arguments
    bench = _Measured(folder, f"http://ehr.localhost:{port}")
    try:
        _wait_for(lambda: bench._ask("/counts"))
        yield bench
    finally:
        process.terminate()
        process.wait()


def _wait_for(answer: Callable[[], object]) -> None:
    deadline = perf_counter() + STARTED_WITHIN_SECONDS
    while True:
        try:
            answer()
        except requests.ConnectionError:
            if perf_counter() > deadline:
                raise
            sleep(0.05)
        else:
            return
