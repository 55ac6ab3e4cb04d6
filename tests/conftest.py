"""What many tests need: a database of each kind, the sandbox EHRs, and the app between them."""

import fcntl
import gc
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import ENGINES, PostgreSQLServer, directory, migrate
from tests.ehr import RunningSandbox, free_port, running_sandbox
from tests.service import SECRET, Service, running_service, sandbox_clients

ROOT = Path(__file__).parents[1]

REFERENCE_TENANT = """
id: reference-hospital
organization: Reference Hospital
vendor: reference
environment: sandbox
fhir_base: ${COUNTERSIGN_SANDBOX_URL}/reference/fhir
client_id: countersign-reference
authentication: {method: private_key_jwt, algorithm: RS384}
frame_origins: ["${COUNTERSIGN_SANDBOX_URL}"]
"""


def pytest_configure(config: pytest.Config) -> None:
    """Whole files to each process: one folder after the other, so that what a folder starts is not started again."""
    if config.getoption("dist", "no") == "loadfile":
        config.option.loadscopereorder = False


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not go through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test that is marked `either_database`, keep the one that its name draws; the same in every run."""
    surplus = [item for item in items if item.get_closest_marker("either_database") and not _drawn(item)]
    config.hook.pytest_deselected(items=surplus)
    items[:] = [item for item in items if item not in set(surplus)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A test that had to be run again passes in the end; what happened the first time must not get lost."""
    for report in terminalreporter.stats.get("rerun", ()):
        crash = getattr(report.longrepr, "reprcrash", None)
        why = crash.message.splitlines()[0] if crash and crash.message else "no reason given"
        terminalreporter.write_line(f"RUN AGAIN {report.nodeid} ({report.when}): {why}")


def _drawn(item: pytest.Item) -> bool:
    engine = next((name for name in ENGINES if name in item.name.partition("[")[2]), None)
    if engine is None:
        return True
    whichever = item.nodeid.replace(engine, "either")
    return ENGINES[zlib.crc32(whichever.encode()) % len(ENGINES)] == engine


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    server = PostgreSQLServer()
    yield server
    server.stop()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh, empty database; each test that asks for it runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        with directory("sqlite") as folder:
            yield f"sqlite:///{folder / 'test.db'}"
        return
    with request.getfixturevalue("postgresql").fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that holds the tables and nothing else; made once in a run, copied for each test."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path, unfinished = folder / "migrated.db", folder / "unfinished.db"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            migrate(f"sqlite:///{unfinished}")
            unfinished.rename(path)
    return path


@pytest.fixture(params=ENGINES)
def migrated_url(request: pytest.FixtureRequest, migrated_sqlite: Path) -> Iterator[str]:
    """A fresh database with its tables, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        with directory("sqlite") as folder:
            yield f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'test.db')}"
        return
    server = request.getfixturevalue("postgresql")
    with server.fresh_database(server.migrated) as url:
        yield url


@pytest.fixture(scope="session")
def app_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def ehr_process(app_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), sandbox_clients(app_port)) as sandbox:
        yield sandbox


@pytest.fixture
def ehr(ehr_process: RunningSandbox) -> Iterator[RunningSandbox]:
    """The simulated EHRs, without any fault left over from another test."""
    yield ehr_process
    for name in ("epic", "athenaone", "reference"):
        ehr_process.clear_faults(name)


@pytest.fixture(scope="session")
def smart_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped configuration with one tenant more: the plain FHIR R4 server."""
    folder = tmp_path_factory.mktemp("smart-config")
    shutil.copytree(ROOT / "smart-config", folder, dirs_exist_ok=True)
    (folder / "tenants" / "reference-hospital.yaml").write_text(REFERENCE_TENANT)
    return folder


@pytest.fixture
def service(
    ehr: RunningSandbox,
    app_port: int,
    tmp_path: Path,
    migrated_url: str,
    smart_config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    """Countersign on a fresh database, in front of the sandbox."""
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", SECRET)
    with running_service(ehr, app_port, tmp_path, migrated_url, smart_config) as running:
        yield running
