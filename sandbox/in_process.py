"""The EHRs inside the process that asks them: no socket, no file, the caller's clock. For simulations.

    ehrs = SandboxInProcess("https://ehr.example", {"reference": [{...registration...}]}, Clock(now=..., sleep=...))
    ehrs.add_people("reference")                                  # our twelve; leave it out and add your own resources
    ehr = ehrs["reference"]                                       # its store, faults, clients, callbacks: see `EHR`
    token = ehrs.grant("reference", "secret-app", "dr-1", "1001", "v-1", "user/*.cruds").access_token
    answer = ehrs.exchange("POST", ehr.fhir_base + "/DocumentReference", {"Authorization": f"Bearer {token}"}, body)

What happened is in the store, past every scope: `ehr.store.current(type)`, `ehr.store.everything()` (each version of
each resource, with whose token or which person wrote it), `ehr.database.rows("SELECT * FROM writes")`. Faults:
`ehr.faults.arm(usable(Fault(fault="commit_then_500")))`; what struck is counted in `ehr.faults.struck()`. A knob that
breaks a connection raises `NoAnswer` out of `exchange`; one that is slow calls the clock's `sleep`. What was accepted
with 202 is filed by the next request, or by `ehrs.let_time_pass()`. What people do: `sandbox.qa.edits`. Callbacks that
are due: `ehr.callbacks.due()`.

Threads may share it: SQLite runs in memory, one transaction at a time.
"""

import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask

from sandbox.authorization.launches import Launch, Opened, issue_launch
from sandbox.authorization.registration import Registration
from sandbox.authorization.tokens import revoke_family, save_token
from sandbox.clock import MACHINE, Clock
from sandbox.ehr import EHR
from sandbox.people.seeding import seed
from sandbox.personality import Personality
from sandbox.wiring import create_ehr, ehr_app


@dataclass(frozen=True)
class Answer:
    """What came back over no wire."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Granted:
    """Tokens that nobody had to sign in for; the family ends them together."""

    access_token: str
    refresh_token: str
    family: str


class SandboxInProcess(Mapping[str, EHR]):
    """Some EHRs at one origin."""

    def __init__(
        self,
        origin: str,
        registered: Mapping[str, Iterable[Mapping[str, Any]]],
        clock: Clock = MACHINE,
        personalities: Mapping[str, Personality] | None = None,
    ) -> None:
        """`personalities`: those of EHRs that have no file of their own here."""
        self.origin = origin
        own = personalities or {}
        self._ehrs = {
            name: create_ehr(
                name, origin, list(map(Registration.model_validate, apps)), clock=clock, personality=own.get(name)
            )
            for name, apps in registered.items()
        }
        self._apps = {name: _app(ehr) for name, ehr in self._ehrs.items()}

    def __getitem__(self, name: str) -> EHR:
        """The EHR of this name."""
        return self._ehrs[name]

    def __iter__(self) -> Any:
        """The names."""
        return iter(self._ehrs)

    def __len__(self) -> int:
        """How many EHRs there are."""
        return len(self._ehrs)

    def add_people(self, name: str) -> None:
        """Put our people into one EHR, as the sandbox does when it starts (a third of a second)."""
        with self._apps[name].app_context():
            seed(self[name], None)

    def open_chart(self, name: str, practitioner: str, patient: str, encounter: str | None) -> str:
        """What the chart's button does: a launch token for the `launch` parameter."""
        with self._apps[name].app_context():
            return issue_launch(self[name].database, Opened(Launch(practitioner, patient, encounter)))

    def grant(
        self, name: str, client_id: str, practitioner: str, patient: str | None, encounter: str | None, scope: str
    ) -> Granted:
        """Tokens as a launch would give them, without walking through one."""
        granted = Granted(secrets.token_urlsafe(48), secrets.token_urlsafe(48), secrets.token_hex(16))
        token = {"access_token": granted.access_token, "refresh_token": granted.refresh_token, "scope": scope}
        token["expires_in"] = str(self[name].personality.authorization.access_token_seconds)
        with self._apps[name].app_context():
            save_token(
                self[name].database,
                token,
                family=granted.family,
                client_id=client_id,
                launch=Launch(practitioner, patient, encounter),
            )
        return granted

    def revoke(self, name: str, granted: Granted) -> None:
        """End what was granted, as an administrator of the EHR would."""
        revoke_family(self[name].database, granted.family)

    def let_time_pass(self, name: str) -> None:
        """File what was accepted earlier and is due by now."""
        with self._apps[name].app_context():
            self[name].later.file_what_is_due(self[name].clock.now())

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One request to one of the EHRs; `url` with the origin. Raises NoAnswer where a knob broke the connection."""
        parts = urlsplit(url)
        name, _, path = parts.path.lstrip("/").partition("/")
        said: list[Any] = []

        def start_response(status: str, answered: list[tuple[str, str]], *_: Any) -> Any:
            said[:] = [int(status.split(" ", 1)[0]), answered]

        content = self._apps[name](_environ(method, parts, name, unquote(path), headers, body), start_response)
        try:
            came = b"".join(content)
        finally:
            getattr(content, "close", lambda: None)()
        return Answer(said[0], said[1], came)


def _app(ehr: EHR) -> Flask:
    app = ehr_app(ehr)
    app.config["PROPAGATE_EXCEPTIONS"] = True  # NoAnswer, and any fault of the sandbox's own
    return app


def _environ(method: str, parts: Any, name: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": f"/{name}",
        "PATH_INFO": f"/{path}".encode().decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "HTTP_HOST": parts.netloc,
    }
    for header, value in headers.items():
        key = header.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ
