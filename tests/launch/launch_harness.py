"""An app, its ports and a browser around the launch blueprint; everything real and on this machine."""

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from flask import Flask, g, jsonify
from flask.testing import FlaskClient
from small_ehr import CLIENT_ID, SmallEHR
from werkzeug.test import TestResponse

from launch.completed import CompletedLaunch
from launch.errors import LaunchError
from launch.facts import LaunchFacts
from launch.handles import WaitingLaunch
from launch.pages import LaunchPage
from launch.registration import PublicClient, Registration
from launch.routes import launch_blueprint
from launch.transaction import LaunchTransaction
from vendors.egress import EgressPolicy, guarded_session

SCOPES = ("launch", "openid", "fhirUser", "user/Patient.rs", "user/DocumentReference.crs")


class Clock:
    """The time now, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class MemoryTransactions:
    """A second implementation of the Transactions port: a dict under a lock."""

    def __init__(self) -> None:
        self.waiting: dict[str, LaunchTransaction] = {}
        self._lock = Lock()

    def put(self, transaction: LaunchTransaction) -> None:
        with self._lock:
            self.waiting[transaction.state_digest] = transaction

    def take(self, state_digest: str) -> LaunchTransaction | None:
        with self._lock:
            return self.waiting.pop(state_digest, None)


class MemoryWaiting:
    """A second implementation of the WaitingLaunches port."""

    def __init__(self) -> None:
        self.waiting: dict[str, WaitingLaunch] = {}
        self._lock = Lock()

    def put(self, waiting: WaitingLaunch) -> None:
        with self._lock:
            self.waiting[waiting.handle_digest] = waiting

    def take(self, handle_digest: str) -> WaitingLaunch | None:
        with self._lock:
            return self.waiting.pop(handle_digest, None)


class ListedRegistrations:
    """A second implementation of the Registrations port: a list."""

    def __init__(self, *registrations: Registration) -> None:
        self.all = list(registrations)

    def by_issuer(self, issuer: str) -> tuple[Registration, ...]:
        return tuple(found for found in self.all if found.fhir_base == issuer)

    def by_tenant(self, tenant_id: str) -> Registration | None:
        return next((found for found in self.all if found.tenant_id == tenant_id), None)


class Harness:
    """The blueprint in a Flask app, with what surrounds it."""

    def __init__(self, registrations: ListedRegistrations, transactions: MemoryTransactions | None = None) -> None:
        self.registrations = registrations
        self.transactions = transactions or MemoryTransactions()
        self.waiting = MemoryWaiting()
        self.clock = Clock()
        self.completed: list[CompletedLaunch] = []
        self.pages: list[LaunchPage] = []
        self.facts: list[LaunchFacts] = []
        self.form_action_origins: list[tuple[str, ...]] = []
        self.sessions = 0
        self.app = Flask(__name__)
        self.app.register_blueprint(
            launch_blueprint(
                registrations,
                self.transactions,
                self.waiting,
                self._session_for,
                self._on_launched,
                self._rendered,
                self.clock,
            )
        )
        self.app.register_error_handler(LaunchError, as_page)
        self.app.after_request(self._keep_facts)

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def launch(
        self, browser: FlaskClient, ehr: SmallEHR, path: str = "/launch", *, dest: str = "", **changes: Any
    ) -> TestResponse:
        """What the chart's button does; `dest` is what browsers say in Sec-Fetch-Dest."""
        query = {"iss": ehr.base, "launch": "opaque", **changes}
        return browser.get(path, query_string=query, headers={"Sec-Fetch-Dest": dest} if dest else {})

    def complete(self, browser: FlaskClient, ehr: SmallEHR, tenant: str = "clinic", **changes: str) -> TestResponse:
        """Launch, let the EHR authorize, and follow its redirect."""
        started = self.launch(browser, ehr)
        returned = ehr.authorize(started.location, **changes)
        return browser.get(f"/callback/{tenant}", query_string=returned)

    def _session_for(self, registration: Registration) -> requests.Session:
        """Counts: nothing leaves without asking for a session first."""
        self.sessions += 1
        return session_for(registration)

    def _rendered(self, page: LaunchPage) -> str:
        self.pages.append(page)
        return type(page).__name__

    def _keep_facts(self, response: Any) -> Any:
        if "launch_facts" in g:
            self.facts.append(g.launch_facts)
        self.form_action_origins.append(g.get("form_action_origins", ()))
        return response

    def _on_launched(self, completed: CompletedLaunch) -> Any:
        self.completed.append(completed)
        return "", 303, {"Location": "/charts/the-launch/"}


def as_page(error: LaunchError) -> Any:
    page = {
        "code": error.code,
        "title": error.title,
        "what_happened": error.what_happened,
        "what_to_do": error.what_to_do,
        "detail": error.detail,
        "tenant": g.get("tenant_id"),
    }
    return jsonify(page), error.status


def session_for(registration: Registration) -> requests.Session:
    return guarded_session(EgressPolicy(registration.pinned_origins, allow_loopback=True))


def registration_for(ehr: SmallEHR, **changes: Any) -> Registration:
    fields: dict[str, Any] = {
        "tenant_id": "clinic",
        "fhir_base": ehr.base,
        "client_id": CLIENT_ID,
        "redirect_uri": "http://app.localhost/callback/clinic",
        "authentication": PublicClient(),
        "scopes": SCOPES,
        "required_scopes": ("user/Patient.rs",),
        "allow_loopback": True,
    }
    return Registration(**{**fields, **changes})


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
