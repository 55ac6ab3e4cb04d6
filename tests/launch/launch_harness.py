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


class ListedRegistrations:
    """A second implementation of the Registrations port: a list."""

    def __init__(self, *registrations: Registration) -> None:
        self.all = list(registrations)

    def by_issuer(self, issuer: str) -> Registration | None:
        return next((found for found in self.all if found.fhir_base == issuer), None)

    def by_tenant(self, tenant_id: str) -> Registration | None:
        return next((found for found in self.all if found.tenant_id == tenant_id), None)


class Harness:
    """The blueprint in a Flask app, with what surrounds it."""

    def __init__(self, registrations: ListedRegistrations, transactions: MemoryTransactions | None = None) -> None:
        self.registrations = registrations
        self.transactions = transactions or MemoryTransactions()
        self.clock = Clock()
        self.completed: list[CompletedLaunch] = []
        self.app = Flask(__name__)
        self.app.register_blueprint(
            launch_blueprint(registrations, self.transactions, session_for, self._on_launched, self.clock)
        )
        self.app.register_error_handler(LaunchError, as_page)

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def launch(self, browser: FlaskClient, ehr: SmallEHR, **changes: Any) -> TestResponse:
        return browser.get("/launch", query_string={"iss": ehr.base, "launch": "opaque", **changes})

    def complete(self, browser: FlaskClient, ehr: SmallEHR, tenant: str = "clinic", **changes: str) -> TestResponse:
        """Launch, let the EHR authorize, and follow its redirect."""
        started = self.launch(browser, ehr)
        returned = ehr.authorize(started.location, **changes)
        return browser.get(f"/callback/{tenant}", query_string=returned)

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
