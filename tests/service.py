"""Countersign as a clinician's browser meets it, without the browser: launches, pages and worker steps in process.

The EHR is the real sandbox over HTTP, the database is real; only the browser's part is played by Flask's client.
"""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import insert, select
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app.clock import system_clock
from app.collaborators import EXTENSION, Collaborators
from app.db import Database
from app.outbox.rows import due_partitions
from app.publication.drain import Tempo
from app.settings import Settings
from app.tenants import launches
from app.tenants.tables import client_keys, grants
from app.wiring import create_app
from app.writebacks.handlers import load
from tests.ehr import RunningSandbox

SECRET = "a-secret-of-the-sandbox-only"
TENANTS = {"epic": "harbor-epic", "athenaone": "lakeside-athenaone", "reference": "reference-hospital"}
SEALING_KEY = "test:" + base64.b64encode(bytes(32)).decode()
SAVED_KEYS: list[dict[str, Any]] = []
CLIENTS = {"epic": "countersign-harbor", "athenaone": "countersign-lakeside", "reference": "countersign-reference"}


def sandbox_clients(app_port: int) -> dict[str, list[dict[str, Any]]]:
    """What the sandbox's EHRs know of the app under test."""
    key_set = {"method": "private_key_jwt", "jwks_uri": f"http://app.localhost:{app_port}/.well-known/jwks.json"}
    secret = {"method": "client_secret_basic", "secret": SECRET}
    return {
        ehr: [
            {
                "client_id": CLIENTS[ehr],
                "launch_url": f"http://app.localhost:{app_port}/launch",
                "redirect_uris": [f"http://app.localhost:{app_port}/callback/{tenant}"],
                "auth": secret if ehr == "athenaone" else key_set,
            }
        ]
        for ehr, tenant in TENANTS.items()
    }


class CompiledTemplates(BytecodeCache):
    """Every test makes an app; the templates stay the same."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if compiled := self._compiled.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[(bucket.key, bucket.checksum)] = bucket.bytecode_to_string()


COMPILED_TEMPLATES = CompiledTemplates()


@dataclass
class SettableClock:
    """The real time, moved by as much as a test says."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return system_clock() + self.ahead

    def advance(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@dataclass
class OpenChart:
    """One launch in one browser: the pages of its chart."""

    service: "Service"
    client: FlaskClient
    launch_id: str
    _token: str = ""

    @property
    def path(self) -> str:
        return f"/charts/{self.launch_id}"

    def get(self, page: str = "/", **kwargs: Any) -> TestResponse:
        return self.client.get(f"{self.path}{page}", base_url=self.service.origin, **kwargs)

    def post(self, page: str, *, token: str | None = None, origin: str | None = None, **form: Any) -> TestResponse:
        """Post a form as our own page would; `token` and `origin` let a test forge them."""
        headers = {"Origin": self.service.origin if origin is None else origin}
        data = {"csrf": self.csrf() if token is None else token, **form}
        return self.client.post(f"{self.path}{page}", base_url=self.service.origin, data=data, headers=headers)

    def still_here(self) -> TestResponse:
        """Say so, after the launch lay idle."""
        return self.post("/still-here", back=f"{self.path}/")

    def csrf(self) -> str:
        """The token of this launch's forms, read from its page once."""
        if not self._token:
            page = self.get("/", follow_redirects=True).text
            found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
            self._token = found[1] if found else ""
        return self._token

    def draft(self) -> TestResponse:
        return self.post("/draft")

    def settle(self) -> None:
        """Confirm whatever still needs the clinician."""
        note = self.note()
        for claim in note.review.open_claims:
            self.post(f"/claims/{claim.claim.id}/decision", revision=claim.decision.revision, decision="confirm")

    def sign(self, **changed: str) -> TestResponse:
        """Sign what the sign page shows now."""
        return self.post("/sign", **(self.sign_form() | changed))

    def sign_form(self) -> dict[str, str]:
        launch, note = self.launch(), self.note()
        return {
            "displayed_hash": self.service.parts.signing.preview(launch, note).displayed_hash,
            "patient": launch.patient,
            "encounter": launch.encounter or "",
        }

    def launch(self) -> Any:
        with self.service.parts.database.read() as tx:
            return launches.find(tx, self.launch_id)

    def note(self) -> Any:
        return self.service.parts.notes.require(self.launch())

    def status(self) -> dict[str, Any]:
        return self.get("/note/status").get_json()

    def writeback(self) -> Any:
        """The state of the note's write-back."""
        note = self.note()
        with self.service.parts.database.read() as tx:
            return load(tx, note.tenant_id, note.state.signed.writeback_id)


@dataclass
class Service:
    """The app under test, its EHR, and the clock that both steps and leases go by."""

    app: Flask
    ehr: RunningSandbox
    origin: str
    clock: SettableClock
    home: Path
    clients: list[FlaskClient] = field(default_factory=list)

    @property
    def parts(self) -> Collaborators:
        return self.app.extensions[EXTENSION]

    def change_tenant(self, tenant_id: str, **fields: Any) -> None:
        """What an administrator does to a tenant's file while work is under way."""
        tenants = self.parts.tenants
        tenants._files[tenant_id] = tenants._files[tenant_id].model_copy(update=fields)
        tenants._known = tenants._with({}, {}, 0)

    def end_tokens(self) -> None:
        """Every access token has ended, and there is nothing to renew it with."""
        self.change_grants(refresh_token=None, expires_at=self.clock())

    def change_grants(self, **fields: Any) -> None:
        """What time or an EHR does to all tokens that the app holds now."""
        parts = self.parts
        with parts.database.write() as tx:
            for launch_id in tx.execute(select(grants.c.launch_id)).scalars().all():
                launch = launches.find(tx, launch_id)
                stored = parts.grants.find(tx, launch.tenant_id, launch.launch_id)
                assert stored is not None
                parts.grants.keep(tx, launch, replace(stored.tokens, **fields))

    def browser(self) -> FlaskClient:
        """A browser with an empty cookie jar."""
        self.clients.append(self.app.test_client())
        return self.clients[-1]

    def open_chart(
        self, ehr: str = "epic", patient: str = "Rivera, Ana", client: FlaskClient | None = None, **choice: str
    ) -> OpenChart:
        """Launch from a chart, through the real authorization server."""
        client = client or self.browser()
        answer = self.callback(client, self.authorize(client, ehr, patient, **choice))
        assert answer.status_code == 303, answer.text
        return OpenChart(self, client, answer.headers["Location"].split("/")[2])

    def authorize(self, client: FlaskClient, ehr: str = "epic", patient: str = "Rivera, Ana", **choice: str) -> str:
        """The first half of a launch; returns the callback URL that the EHR sends the browser to."""
        opened = self.ehr.open_app(ehr, self.ehr.patient(ehr, patient), **choice)
        answer = client.get(self._path(opened["url"]), base_url=self.origin)
        assert answer.status_code == 303, answer.text
        authorized = requests.get(self.ehr.reachable(answer.headers["Location"]), allow_redirects=False, timeout=10)
        return authorized.headers["Location"]

    def callback(self, client: FlaskClient, url: str) -> TestResponse:
        """The second half of a launch."""
        return client.get(self._path(url), base_url=self.origin)

    def drafted(self, **kwargs: Any) -> OpenChart:
        chart = self.open_chart(**kwargs)
        chart.draft()
        return chart

    def another_practitioner(self, chart: OpenChart, ehr: str = "epic") -> str:
        """Somebody of that EHR who did not open this chart."""
        people = self.ehr.qa(ehr, "resources/Practitioner")
        return str(next(one["id"] for one in people if one["id"] not in chart.launch().fhir_user))

    def signed(self, **kwargs: Any) -> OpenChart:
        chart = self.drafted(**kwargs)
        chart.settle()
        answer = chart.sign()
        assert answer.status_code == 303, answer.text
        return chart

    def work(self) -> int:
        """What a worker's drain would do now, for every partition that is due."""
        with self.parts.database.read() as tx:
            partitions = list(due_partitions(tx, self.clock()))
        return sum(self.parts.drain.run(partition).steps for partition in partitions)

    def _path(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"


@contextmanager
def running_service(
    ehr: RunningSandbox, app_port: int, home: Path, database_url: str, smart_config: Path, **changed: Any
) -> Iterator[Service]:
    """The app on a fresh database, listening on `app_port` so that the EHR can fetch its keys."""
    origin, clock = f"http://app.localhost:{app_port}", SettableClock()
    settings = Settings(
        **{
            "home": home,
            "database_url": database_url,
            "sealing_keys": SEALING_KEY,
            "redis_url": f"unix://{home}/nobody-listens.sock",
            "public_url": origin,
            "sandbox_url": ehr.origin,
            "smart_config": smart_config,
            "lease_seconds": 30,
            **changed,
        }
    )
    app = create_app(settings, clock, Tempo(chance=lambda: 0))
    app.jinja_env.bytecode_cache = COMPILED_TEMPLATES
    database = app.extensions[EXTENSION].database
    _restore_client_keys(database)
    server = make_server("127.0.0.1", app_port, app, threaded=True)
    # Closing it waits for whoever is still being answered: their connections end before the engine does.
    server.daemon_threads = False  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Service(app, ehr, origin, clock, home)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        _save_client_keys(database)
        database.engine.dispose()


def _restore_client_keys(database: Database) -> None:
    """The same signing keys for every test: no EHR expects an app's keys to change within a second."""
    if SAVED_KEYS:
        with database.write() as tx:
            tx.execute(insert(client_keys), SAVED_KEYS)


def _save_client_keys(database: Database) -> None:
    with database.read() as tx:
        SAVED_KEYS[:] = [dict(row) for row in tx.execute(select(client_keys)).mappings()]
