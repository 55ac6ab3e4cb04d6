"""One app with its database and its EHRs, all in this process and on one simulated clock; it serves many histories."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import flask_migrate
from flask import Flask
from redis import Redis
from sqlalchemy import delete
from typing_extensions import override

from app.chaos.clock import SimulatedTime
from app.chaos.ehr import CALLBACK_SECRET, CLIENT, NAMES, ORIGIN, PLAIN, PROFILES, SECRET, SimulatedEHRs
from app.chaos.faults import Moment
from app.chaos.moments import Moments
from app.chaos.wire import Sent, Wire
from app.collaborators import EXTENSION, Collaborators
from app.ids import TenantId
from app.outbox.relay import Relay
from app.outbox.rows import Partition
from app.publication.drain import InTurn, Tempo
from app.settings import ROOT, Settings
from app.tenants.directory import Tenants
from app.tenants.habits import Habit
from app.tenants.tables import ehr_habits
from app.wiring import create_app

MARGIN_SECONDS = 5
# What shows a habit of an EHR in the log: the event that says so, and what was recorded of the write that showed it.
SHOWN = {
    Habit.DROPS_IDENTIFIERS: "tag = 'tenant:identifier:lost' OR tag IN ('writeback:verified', 'writeback:drifted')"
    " AND EXISTS (SELECT 1 FROM json_each(payload, '$.differences') WHERE value = 'identifier')",
    Habit.FILES_LATER: "tag = 'tenant:later:accepted' OR tag = 'writeback:outcome:unknown'"
    " AND payload ->> '$.reason' = 'accepted_not_filed'",
}
if missing := set(Habit) - SHOWN.keys():
    raise TypeError(f"nothing says how the log shows these habits: {sorted(missing)}")
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own below it
CONDITIONAL = "conditional_create: {support: yes"
TENANT = """
id: {name}-hospital
organization: Simulated {name}
vendor: {vendor}
environment: sandbox
fhir_base: {base}
oauth_issuer: {issuer}
client_id: {client}
authentication: {{method: client_secret_basic, secret: "file:{secret}"}}
frame_origins: ["{origin}"]
callbacks: {{secret: "file:{callback_secret}"}}
"""


class Bells(Relay):
    """The doorbell without Redis: who was rung for, in the order of ringing; a history loses and doubles rings."""

    def __init__(self, redis: Redis, tenants: Tenants, moments: Moments) -> None:
        super().__init__(redis, tenants)
        self._moments = moments
        self.rung: list[Partition] = []

    @override
    def ring(self, partition: Partition) -> bool:
        fault = self._moments.meet(Moment.RING)
        if fault and fault.kind == "bell_lost":
            return True
        self.rung += [partition, partition] if fault else [partition]
        return True

    @override
    def answer(self, partition: Partition) -> None:
        """Whoever hears it, looks."""


class World:
    """The parts of the app under test, the EHRs, the wire between them, and the clock."""

    def __init__(self, home: Path) -> None:
        self.time = SimulatedTime()
        self.moments = Moments()
        self.ehrs = SimulatedEHRs(self.time)
        self.wire = Wire(self.ehrs.exchange, self.moments, self.time)
        shutil.copy(migrated(), home / "countersign.db")
        self._app = _app(home, self)
        parts: Collaborators = self._app.extensions[EXTENSION]
        self._group = parts.database._group
        self.bells = Bells(Redis.from_url("redis://localhost:1"), parts.tenants, self.moments)
        self.parts: Collaborators = replace(parts, relay=self.bells)
        self._looking = sqlite3.connect(home / "countersign.db", isolation_level=None)
        self._before: dict[str, int] = {}
        self._connect()
        self.moments.watch(parts.database.engine)

    def _connect(self) -> None:
        for tenant in self.parts.tenants:
            self.parts.ehrs.session(tenant).mount(ORIGIN, self.wire)
        self.wire.written_since = self.ehrs.written_since
        self.wire.turn_knob = self.ehrs.turn_knob
        self.wire.may_take = self._may_take
        self.wire.is_known_to_file_later = lambda sent: self.learned(sent.ehr, Habit.FILES_LATER) is not None

    def share_commits(self, *, shared: bool) -> None:
        """Whether writers go through the group that shares SQLite's commits, as in production.

        Not where a process stands still: several processes are played here by one thread, and processes share no
        commit. The group's turn belongs to a thread; who stood still around a commit would hold it against itself.
        """
        self.parts.database._group = self._group if shared else None

    def begun(self, writeback_id: str) -> tuple[str, datetime] | None:
        """The last attempt that is committed for a write-back: its tag and its moment; by a connection of our own."""
        row = self._looking.execute(
            "SELECT tag, recorded_at FROM events WHERE stream = ? AND tag IN"
            " ('writeback:attempt:begun', 'writeback:provenance:begun') ORDER BY version DESC LIMIT 1",
            (f"writeback:{writeback_id}",),
        ).fetchone()
        return (row[0], datetime.fromisoformat(row[1]).replace(tzinfo=UTC)) if row else None

    def begin(self) -> None:
        """A new history: what EHRs were seen to do is forgotten, as if they had never been met."""
        with self.moments.uncounted(), self.parts.database.write() as tx:
            tx.execute(delete(ehr_habits))
        rows = self._looking.execute("SELECT tenant_id, MAX(sequence) FROM events GROUP BY tenant_id")
        self._before = dict(rows.fetchall())

    def learned(self, ehr: str, habit: Habit) -> int | None:
        """Where in the tenant's log it first shows in this history that its EHR does so; None where nothing does.

        Read from what was recorded of single writes, by a connection of our own: not from the memory under test.
        """
        tenant_id = tenant_of(ehr)
        query = f"SELECT MIN(sequence) FROM events WHERE tenant_id = ? AND sequence > ? AND ({SHOWN[habit]})"  # noqa: S608
        return self._looking.execute(query, (tenant_id, self._before.get(tenant_id, 0))).fetchone()[0]  # type: ignore[no-any-return]

    def sequence_of(self, writeback_id: str, tag: str) -> int:
        """Where in its tenant's log the last such event of a write-back is."""
        query = "SELECT MAX(sequence) FROM events WHERE stream = ? AND tag = ?"
        return int(self._looking.execute(query, (f"writeback:{writeback_id}", tag)).fetchone()[0])

    def _may_take(self, sent: Sent) -> float:
        """How much longer this write may still be under way: what the vendor's profile promises, no more."""
        begun = self.begun(sent.writeback_id)
        longest = self.longest_execution(tenant_of(sent.ehr))
        since = (self.time.host() - begun[1]).total_seconds() if begun else 0
        return max(longest - since - MARGIN_SECONDS, 0)

    def longest_execution(self, tenant_id: TenantId) -> float:
        """For how long a write may still be executed after it was begun."""
        return float(self.parts.ehrs.adapter(tenant_id).profile.note.longest_execution_seconds.value)

    def tell(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Post one notice of an EHR to the real page; returns the status."""
        return self._app.test_client().post(url, headers=headers, data=body).status_code

    def close(self) -> None:
        """Let go of the database."""
        self._looking.close()
        self.parts.database.engine.dispose()


@contextmanager
def fresh_world() -> Iterator[World]:
    """A world with an empty log; in memory where there is a file system in memory."""
    with tempfile.TemporaryDirectory(prefix="countersign-chaos-", dir=MEMORY if MEMORY.is_dir() else None) as home:
        world = World(Path(home))
        try:
            yield world
        finally:
            world.close()


def tenant_of(ehr: str) -> TenantId:
    """The tenant that uses this EHR."""
    return TenantId(f"{ehr}-hospital")


@cache
def migrated() -> Path:
    """An empty database with the real schema, made once in this process by the real migrations."""
    home = Path(tempfile.mkdtemp(prefix="countersign-chaos-schema-"))
    app = create_app(Settings(home=home, database_url="", redis_url="redis://localhost:1"))
    with app.app_context():
        flask_migrate.upgrade()
    parts: Collaborators = app.extensions[EXTENSION]
    parts.database.engine.dispose()
    return home / "countersign.db"


def _profiles(directory: Path) -> None:
    """The real profiles, and that of the EHR without conditional creates in the place of one that is not played.

    Adapters are registered by vendor and there is none to spare, so it borrows a vendor's name in this directory only.
    """
    shutil.copytree(ROOT / "smart-config" / "vendors", directory)
    vendor = PROFILES[PLAIN]
    rich = (directory / "reference.yaml").read_text()
    plain = rich.replace("name: reference", f"name: {vendor}", 1).replace(CONDITIONAL, CONDITIONAL.replace("yes", "no"))
    (directory / f"{vendor}.yaml").write_text(plain)


def _app(home: Path, world: World) -> Flask:
    smart_config = home / "smart-config"
    (smart_config / "tenants").mkdir(parents=True)
    _profiles(smart_config / "vendors")
    (home / "secret").write_text(SECRET)
    (home / "callback-secret").write_text(CALLBACK_SECRET)
    for name in NAMES:
        document = TENANT.format(
            name=name,
            vendor=PROFILES[name],
            base=world.ehrs.base(name),
            issuer=world.ehrs.issuer(name),
            client=CLIENT,
            origin=ORIGIN,
            secret=home / "secret",
            callback_secret=home / "callback-secret",
        )
        (smart_config / "tenants" / f"{name}.yaml").write_text(document)
    settings = Settings(
        home=home,
        database_url="",
        redis_url="redis://localhost:1",
        smart_config=smart_config,
        sandbox_url=ORIGIN,
        secret_files=home,
    )
    tempo = Tempo(InTurn(), chance=lambda: 0.5, wait=world.time.pass_by)
    return create_app(settings, world.time.host, tempo)
