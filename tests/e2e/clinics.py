"""More organisations at the simulated EHRs, registered on both sides while everything runs."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import FrameLocator, Page

from app.demo.running import Demo
from app.settings import ROOT
from tests.ehr import RunningSandbox


@dataclass(frozen=True)
class Clinic:
    """A tenant, and the app's registration at its EHR. Several share one FHIR base: each knows itself by its token."""

    tenant: str
    ehr: str
    client: str
    shares_its_base: bool = False

    def faults(self, *more: str | Mapping[str, Any]) -> list[str]:
        """What a launch of this clinic carries: who it speaks for, and what is to go wrong."""
        own = [{"fault": "token_tenant", "options": {"tenant": self.tenant}}] if self.shares_its_base else []
        return [one if isinstance(one, str) else json.dumps(one) for one in (*own, *more)]

    def frame_address(self, sandbox: RunningSandbox, patient: str, *faults: str | Mapping[str, Any]) -> str:
        """The launcher's page with the app in a frame."""
        query = {
            "window": "frame",
            "client": self.client,
            "patient": sandbox.patient(self.ehr, patient),
            "fault": self.faults(*faults),
        }
        return f"{sandbox.origin}/{self.ehr}/launcher/open?{urlencode(query, doseq=True)}"

    def open_in_frame(
        self, page: Page, sandbox: RunningSandbox, patient: str, *faults: str | Mapping[str, Any]
    ) -> FrameLocator:
        """Launch in a frame; returns it, whatever stands in it."""
        page.goto(self.frame_address(sandbox, patient, *faults))
        return page.frame_locator("#app-frame")

    def launch_url(self, sandbox: RunningSandbox, patient: str, *faults: str | Mapping[str, Any], **choice: str) -> str:
        """A launch for a window of its own."""
        patients = sandbox.patient(self.ehr, patient) if patient else ()
        opened = sandbox.launch_url(self.ehr, patients, client=self.client, faults=self.faults(*faults), **choice)
        return opened["url"]


HARBOR = Clinic("harbor-epic", "epic", "countersign-harbor")
LAKESIDE = Clinic("lakeside-athenaone", "athenaone", "countersign-lakeside")


def new_clinic(demo: Demo, sandbox: RunningSandbox, tenant: str, method: str, **fields: Any) -> Clinic:
    """Register an organisation at the plain FHIR server: by command here, by its QA API there."""
    registration = {
        "id": tenant,
        "organization": tenant.replace("-", " ").title(),
        "vendor": "reference",
        "environment": "sandbox",
        "fhir_base": f"{sandbox.origin}/reference/fhir",
        "client_id": f"countersign-{tenant}",
        "authentication": {"method": method} | ({"algorithm": "RS384"} if method == "private_key_jwt" else {}),
        "expected_context": {"tenant": tenant},
        "frame_origins": [sandbox.origin],
        **fields,
    }
    countersign(demo, "tenant", "add", "-", typed=json.dumps(registration))
    clinic = Clinic(tenant, "reference", f"countersign-{tenant}", shares_its_base=True)
    auth = {"method": "none"}
    if method == "private_key_jwt":
        auth = {"method": method, "jwks_uri": f"{demo.app}/.well-known/jwks/{tenant}.json"}
    sandbox.register_client(
        "reference",
        clinic.client,
        redirect_uris=[f"{demo.app}/callback/{tenant}"],
        launch_url=f"{demo.app}/launch/{tenant}",
        auth=auth,
    )
    return clinic


def countersign(demo: Demo, *command: str, typed: str) -> str:
    """Run a command as an operator does, with this on its standard input; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        input=typed,
        env=demo.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
