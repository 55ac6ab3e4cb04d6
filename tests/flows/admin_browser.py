"""An administrator's browser, without the browser: signs in, reads pages, sends their forms."""

import re
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.administrators import accounts
from app.administrators.accounts import Account
from app.administrators.roles import Role
from app.event_log.read import read_after
from app.event_log.recorded import Recorded
from tests.service import Service

PASSWORD = "four unrelated words here"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
REGISTRATION = {
    "id": "northside-reference",
    "organization": "Northside Clinic",
    "vendor": "reference",
    "environment": "production",
    "fhir_base": "https://ehr.northside.example/fhir",
    "client_id": "countersign-northside",
    "timezone": "America/Chicago",
    "frame_origins": "https://ehr.northside.example",
    "authentication.method": "private_key_jwt",
    "authentication.algorithm": "ES384",
    "authentication.audience": "token_endpoint",
    "sign_in": "in_frame",
    "background_access": "offline",
    "note.type_code": "11506-3",
    "note.type_display": "Progress note",
    "note.file_as": "final",
    "note.ai_label": "true",
    "encounter_required": "true",
    "transcript_type": "http://ehr.localhost/fhir/document-kind|visit-transcript",
    "workflows.0.id": "primary-care",
    "workflows.0.title": "Primary care",
}


@dataclass
class AdminBrowser:
    """One administrator signed in, or nobody yet."""

    service: Service
    client: FlaskClient
    account: Account | None = None

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.get(path, base_url=self.service.origin, **kwargs)

    def post(
        self, path: str, form: dict[str, Any] | None = None, *, origin: str | None = None, **more: Any
    ) -> TestResponse:
        """Send a form as our page would; `origin`, and `csrf` in the form, let a test forge it."""
        data = {"csrf": self.csrf(), **(form or {})}
        headers = {"Origin": self.service.origin if origin is None else origin}
        return self.client.post(path, base_url=self.service.origin, data=data, headers=headers, **more)

    def csrf(self) -> str:
        found = CSRF.search(self.get("/admin/", follow_redirects=True).text)
        return found[1] if found else ""

    def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> TestResponse:
        return self.post("/admin/sign-in", {"name": name, "password": password, **more})

    def register(self, **changed: str) -> TestResponse:
        return self.post("/admin/tenants/new", REGISTRATION | changed)

    def cookie(self, name: str = "__Host-countersign-admin") -> Any:
        return self.client.get_cookie(name, "app.localhost")


def an_account(service: Service, name: str, *roles: Role) -> Account:
    with service.parts.database.write() as tx:
        return accounts.add_local(tx, name, PASSWORD, roles, "cli:test", service.clock())


def an_administrator(service: Service, *roles: Role, name: str = "") -> AdminBrowser:
    """A signed-in administrator of these roles."""
    name = name or "Dana " + " ".join(roles)
    account = an_account(service, name, *roles)
    browser = AdminBrowser(service, service.browser(), account)
    answer = browser.sign_in(name)
    assert answer.status_code == 303, answer.text
    return browser


def log_of(service: Service, tenant_id: str) -> list[Recorded]:
    with service.parts.database.read() as tx:
        return read_after(tx, tenant_id, 0)
