"""An organisation that is registered by data alone, at the EHR that no file names."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from tests.ehr import RunningSandbox
from tests.service import SECRET, OpenChart, Service, running_service

EHR = "reference"


@dataclass
class Clinic:
    """A tenant of the database, and the app of the same name at its EHR."""

    service: Service
    tenant_id: str
    known_to_the_ehr: bool = False

    @property
    def document(self) -> dict[str, Any]:
        return {
            "id": self.tenant_id,
            "organization": "Clinic by Data",
            "vendor": "reference",
            "environment": "sandbox",
            "fhir_base": f"{self.service.ehr.origin}/reference/fhir",
            "client_id": self.tenant_id,
            "authentication": {"method": "private_key_jwt"},
            "frame_origins": [self.service.ehr.origin],
            "encounter_required": False,
        }

    def register(self, **changed: Any) -> None:
        self.service.parts.registering.register(self.document | changed, "cli:test")

    def tell_the_ehr(self, **auth: Any) -> None:
        """What the EHR's console is told: this app, this redirect URI, this key set and no other's."""
        origin, self.known_to_the_ehr = self.service.origin, True
        self.service.ehr.register_client(
            EHR,
            self.tenant_id,
            launch_url=f"{origin}/launch",
            redirect_uris=[f"{origin}/callback/{self.tenant_id}"],
            auth=auth or {"method": "private_key_jwt", "jwks_uri": f"{origin}/.well-known/jwks/{self.tenant_id}.json"},
        )

    def begin(self, browser: FlaskClient, patient: str = "Rivera, Ana") -> str:
        """The first half of a launch; returns the callback's address."""
        service = self.service
        opened = service.ehr.open_app(EHR, service.ehr.patient(EHR, patient), client=self.tenant_id)
        answer = browser.get(service._path(opened["url"]), base_url=service.origin)
        assert answer.status_code == 303, answer.text
        authorized = requests.get(service.ehr.reachable(answer.headers["Location"]), allow_redirects=False, timeout=10)
        return authorized.headers["Location"]

    def finish(self, browser: FlaskClient, callback: str) -> OpenChart:
        """The second half; the EHR checks our assertion here."""
        answer = self.service.callback(browser, callback)
        assert answer.status_code == 303, answer.text
        return OpenChart(self.service, browser, answer.headers["Location"].split("/")[2])

    def open_chart(self, patient: str = "Rivera, Ana") -> OpenChart:
        browser = self.service.browser()
        return self.finish(browser, self.begin(browser, patient))

    def published(self, tenant_id: str = "") -> list[dict[str, str]]:
        answer = self.service.browser().get(f"/.well-known/jwks{'/' + tenant_id if tenant_id else ''}.json")
        assert answer.status_code == 200, answer.text
        keys: list[dict[str, str]] = answer.get_json()["keys"]
        return keys


@pytest.fixture
def clinic(
    ehr: RunningSandbox,
    app_port: int,
    tmp_path: Path,
    migrated_url: str,
    smart_config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Clinic]:
    """Countersign without a file for the plain FHIR server, and a name for a tenant that nobody had before."""
    monkeypatch.setenv("COUNTERSIGN_LAKESIDE_SECRET", SECRET)
    folder = tmp_path / "smart-config"
    (folder / "tenants").mkdir(parents=True)
    (folder / "vendors").symlink_to(smart_config / "vendors")
    for name in ("harbor-epic.yaml", "lakeside-athenaone.yaml"):
        (folder / "tenants" / name).symlink_to(smart_config / "tenants" / name)
    with running_service(ehr, app_port, tmp_path, migrated_url, folder) as running:
        one = Clinic(running, f"clinic-{secrets.token_hex(4)}")
        yield one
        ehr.clear_faults(EHR)
        if one.known_to_the_ehr:
            ehr.forget_client(EHR, one.tenant_id)
