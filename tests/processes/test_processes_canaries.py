"""What must not be anywhere it does not belong: patients' names, the note's words, tokens, codes and cookies.

Redis holds ids only (E20), the logs hold neither PHI nor secrets even when everything goes wrong (E21), and the
database holds clinical text and tokens only sealed (E18). The canaries really pass through the system first.
"""

import hashlib
import json
import re
import secrets
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, create_engine, select, text

from app.db import Database
from app.sealing import load_keyring
from app.tenants.grants import Grants
from app.tenants.tables import grants
from tests.processes.clinician import Browser, Chart, eventually, sandbox_of
from tests.processes.conftest import Running

PATIENT, OTHER = "Ortega, María Guadalupe", "Sorensen, Helen"
SHORTEST_SECRET = 8
on_one_database = pytest.mark.parametrize("running", ["sqlite"], indirect=True, scope="package")
TOKEN_LIKE = re.compile(rb"[A-Za-z0-9_\-.~+/=]{20,}")


@dataclass
class Canaries:
    """Everything to look for, and how often it would be found if it leaked."""

    words: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    fingerprints: set[str] = field(default_factory=set)

    def found_in(self, content: bytes) -> list[str]:
        """The canaries in these bytes; tokens also by the EHR's own fingerprint of them."""
        known = [one for one in sorted(self.words | self.secrets) if one.encode() in content]
        tokens = (one.decode() for one in set(TOKEN_LIKE.findall(content)))
        return known + [one for one in tokens if hashlib.sha256(one.encode()).hexdigest() in self.fingerprints]


@contextmanager
def database(running: Running) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{running.demo.home / 'countersign.db'}")
    try:
        with Database(engine).write() as tx:
            yield tx
    finally:
        engine.dispose()


@contextmanager
def hidden(running: Running, table: str) -> Iterator[None]:
    """While this table is away, whoever needs it meets an error that nobody planned for."""
    with database(running) as tx:
        tx.execute(text(f"ALTER TABLE {table} RENAME TO {table}_hidden"))
    try:
        yield
    finally:
        with database(running) as tx:
            tx.execute(text(f"ALTER TABLE {table}_hidden RENAME TO {table}"))


def open_tokens(running: Running) -> Iterator[str]:
    """Every access and refresh token that the app holds, in the clear."""
    keeper = Grants(load_keyring("", running.demo.home))
    with database(running) as tx:
        rows = tx.execute(select(grants.c.tenant_id, grants.c.launch_id, grants.c.expires_at)).all()
        for row in rows:
            opened = keeper.open(tx, row.tenant_id, row.launch_id, row.expires_at.replace(year=2000))
            yield from filter(None, (opened.access_token, opened.refresh_token))


def knock(running: Running, request: bytes) -> bytes:
    """Say something to the web process that no browser would say."""
    with socket.create_connection(("127.0.0.1", urlsplit(running.demo.app).port or 0), 10) as connection:
        connection.sendall(request)
        return connection.recv(4096)


def go_wrong_on_the_way_in(running: Running, browser: Browser, secret: str) -> None:
    """Launches and callbacks that fail, each with the secret where a secret would be."""
    app, sandbox = running.demo.app, sandbox_of(running.demo)
    iss = browser.open_chart(patient=OTHER).browser.demo.sandbox + "/epic/api/FHIR/R4"
    for path in (
        f"/launch?iss=https://{secret}@evil.example/fhir?key={secret}&launch={secret}",
        f"/launch?iss={iss}&launch={secret}&launch={secret}",
        f"/callback/harbor-epic?code={secret}&state={secret}",
        f"/callback/{secret}?code={secret}&state={secret}",
        f"/callback/harbor-epic?error=access_denied&error_description={secret}&state={secret}",
        f"/charts/{secret}/?code={secret}",
    ):
        assert browser.get(app + path).status_code >= 400
    sandbox.arm("epic", interaction="token", fault="token_without_patient")
    with pytest.raises(AssertionError, match="400 at"):
        browser.open_chart(patient=OTHER)
    knock(running, f"GET /callback/harbor-epic?code={secret} and more HTTP/1.1\r\n\r\n".encode())
    knock(running, f"GET /callback/harbor-epic?code={secret * 500} HTTP/1.1\r\n\r\n".encode())
    knock(running, f"GET / HTTP/1.1\r\nCookie {secret}\r\n\r\n".encode())


def go_wrong_in_the_chart(running: Running, browser: Browser, words: str) -> Chart:
    """The EHR fails, our own tables fail, and in the end the note is filed all the same."""
    sandbox = sandbox_of(running.demo)
    chart = browser.open_chart(patient=PATIENT)
    sandbox.arm("epic", interaction="read", resource_type="Patient", fault="answer_500")
    assert chart.post("draft").status_code == 503
    sandbox.arm("epic", interaction="read", resource_type="Patient", fault="answer_html_as_success")
    assert chart.post("draft").status_code == 503
    chart.draft()
    claim = re.search(r'data-claim="([^"]+)"', chart.get().text)
    assert claim
    token = {"csrf": chart.csrf(), "revision": "0"}
    with hidden(running, "artifact_keys"):
        assert browser.post(f"{chart.home}claims/{claim[1]}/text", token | {"text": words}).status_code == 500
        assert chart.get().status_code == 500
    assert chart.post(f"claims/{claim[1]}/text", revision="0", text=words).status_code == 303
    chart.confirm_all()
    fault = {"interaction": "create", "resource_type": "DocumentReference", "fault": "commit_then_500"}
    sandbox.arm("epic", **fault)
    with hidden(running, "ledger"):
        assert chart.sign().status_code == 500
    crashes_before = running.demo.processes.log_of("worker").read_text().count("drain_crashed")
    assert chart.sign().status_code == 303
    with hidden(running, "artifacts"):
        worker = running.demo.processes.log_of("worker")
        eventually("the worker crashed", lambda: worker.read_text().count("drain_crashed") > crashes_before)
    with hidden(running, "outbox"):
        sweeper = running.demo.processes.log_of("sweeper")
        eventually("the sweeper met an error", lambda: "sweep_failed" in sweeper.read_text())
    assert running.demo.processes.restart_dead() == [], "an error must not end a process"
    chart.wait_until_verified(90)
    return chart


@pytest.fixture(scope="module")
def canaries(running: Running) -> Canaries:
    """A run in which everything went wrong at least once."""
    browser, secret, words = Browser(running.demo), f"canary{secrets.token_hex(12)}", f"zebra {secrets.token_hex(6)}"
    go_wrong_on_the_way_in(running, browser, secret)
    chart = go_wrong_in_the_chart(running, browser, words)
    sandbox = sandbox_of(running.demo)
    patients = sandbox.qa("epic", "resources/Patient")
    found = Canaries(secrets={secret, running.demo.environment["COUNTERSIGN_LAKESIDE_SECRET"], *open_tokens(running)})
    found.secrets |= {one for one in browser.secrets if len(one) >= SHORTEST_SECRET}
    found.words = {words, *(line for line in chart.note_text().splitlines() if len(line) > 30)}
    for patient in patients:
        found.words |= {patient["name"][0]["family"], patient["identifier"][0]["value"]}
    found.fingerprints = {one["token_sha256"] for one in sandbox.qa("epic", "tokens")}
    assert len(found.words) > 30
    assert len(found.secrets) > 10
    return found


def unpacked(content: bytes) -> Iterator[bytes]:
    """The bytes, and whatever is compressed inside of them: RQ keeps its jobs so."""
    yield content
    for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", content):
        try:
            yield zlib.decompressobj().decompress(content[match.start() :])
        except zlib.error:
            continue


def everything_in(running: Running) -> Iterator[tuple[str, bytes]]:
    """Every key of Redis with its value, whatever its type."""
    client = running.client()
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    for key in client.scan_iter():
        value = readers[client.type(key)](key)
        yield key.decode(), b"\0".join(_flat(value))
    client.close()


def _flat(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _flat(pair)
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _flat(one)
    else:
        yield str(value).encode()


@on_one_database
def test_redis_holds_ids_only(running: Running, canaries: Canaries) -> None:
    held = dict(everything_in(running))

    assert any(key.startswith("rq:job:") for key in held), "no job that crashed was kept: nothing was tested"
    for key, value in held.items():
        for content in unpacked(key.encode() + b"\0" + value):
            assert canaries.found_in(content) == [], key
            assert b"Traceback" not in content or b"app.worker.DrainCrashed" in content, key
            assert b"SELECT" not in content, key


@on_one_database
def test_nothing_else_ever_passed_through_redis(running: Running, canaries: Canaries) -> None:
    """Its append-only file holds every change that was ever made."""
    files = [path for path in running.redis_home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".aof" for path in files)

    for path in files:
        for content in unpacked(path.read_bytes()):
            assert canaries.found_in(content) == [], path.name


@on_one_database
def test_a_job_names_a_partition_and_nothing_else(running: Running, canaries: Canaries) -> None:
    jobs = [value for key, value in everything_in(running) if key.startswith("rq:job:")]

    calls = [json.loads(part) for job in jobs for part in unpacked(job) if part.startswith(b'["app.worker.drain"')]

    assert calls
    assert all(call == ["app.worker.drain", None, ["harbor-epic", call[2][1]], {}] for call in calls)


@on_one_database
def test_the_logs_hold_neither_phi_nor_secrets(running: Running, canaries: Canaries) -> None:
    logs = sorted((running.demo.home / "logs").iterdir())
    assert {path.name for path in logs} >= {"web.log", "worker.log", "sweeper.log", "sandbox.log"}

    for path in logs:
        assert canaries.found_in(path.read_bytes()) == [], path.name
        assert b"Traceback" not in path.read_bytes(), path.name
    web = (running.demo.home / "logs" / "web.log").read_text()
    assert "request_crashed" in web
    assert "launch_failed" in web


@on_one_database
def test_the_database_file_holds_clinical_text_and_tokens_sealed_only(running: Running, canaries: Canaries) -> None:
    content = b"\0".join(path.read_bytes() for path in running.demo.home.glob("countersign.db*"))
    assert b"Patient/" in content, "this is not the right place to look"

    assert canaries.found_in(content) == []


def test_a_canary_would_be_found() -> None:
    token = secrets.token_urlsafe(32)
    known = Canaries({"Ortega"}, {"cookie-secret"}, {hashlib.sha256(token.encode()).hexdigest()})
    job = zlib.compress(b'["app.worker.drain", "Ortega"]')

    assert known.found_in(f'{{"a": "{token}"}} Ortega cookie-secret'.encode()) == ["Ortega", "cookie-secret", token]
    assert [known.found_in(part) for part in unpacked(b"HSET data " + job)] == [[], ["Ortega"]]
