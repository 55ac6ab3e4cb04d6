"""The SMART App Launcher v2: the public one at https://launch.smarthealthit.org, or a hospital's own copy of it.

Written from its published source (github.com/smart-on-fhir/smart-launcher-v2): `src/isomorphic/codec.ts` for the launch
code, `src/components/` for the pages, `backend/routes/` for the addresses. NOT RUN against the launcher itself: this
project is built where the public internet cannot be reached. What was run: the launch code and the steps, against
pages with the same fields (`tests/e2e/test_launcher.py`).

It knows no registered apps: who the app is stands in the launch code of each launch, with the app's public keys. So
`prepare` only registers the launcher as a tenant of the Countersign that the tests started. An EHR launch has the
`iss` `<launcher>/v/r4/fhir`; a standalone launch has the code in its address, `<launcher>/v/r4/sim/<code>/fhir`, so
that every choice is another `iss`, and none of them could be registered beforehand.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Locator, Page

from app.demo.running import Demo
from app.settings import ROOT
from tests.e2e.charts import App
from tests.e2e.launchers.port import Chart, Wish, answer_until_the_app_shows

TENANT = "smart-launcher"
CLIENT = "countersign-smart-launcher"
# The members of a launch code, in its order; lists of words are sent as the number of the word.
MEMBERS = (
    "launch_type",
    "patient",
    "provider",
    "encounter",
    "skip_login",
    "skip_auth",
    "sim_ehr",
    "scope",
    "redirect_uris",
    "client_id",
    "client_secret",
    "auth_error",
    "jwks_url",
    "jwks",
    "client_type",
    "pkce",
    "fhir_context",
)
PROVIDER_EHR, ASYMMETRIC, ALWAYS = 0, 2, 2
NOTHING = dict.fromkeys(MEMBERS, "") | {"encounter": "AUTO", "skip_login": 0, "skip_auth": 0, "sim_ehr": 0}


def launch_code(**chosen: Any) -> str:
    """A launch as the launcher spells it: a JSON list as base64url, without padding."""
    members = NOTHING | {"launch_type": PROVIDER_EHR, "client_type": ASYMMETRIC, "pkce": ALWAYS} | chosen
    text = json.dumps([members[name] for name in MEMBERS], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@dataclass
class SmartLauncher:
    """One SMART App Launcher; `named` are charts by the ids of its FHIR server, which QA has to look up there."""

    url: str
    named: tuple[Chart, ...] = ()
    app: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)

    def charts(self) -> Sequence[Chart]:
        if not self.named:
            raise pytest.UsageError("Say which patients: --launcher-chart PATIENT/PRACTITIONER, once for each of two")
        return self.named

    def prepare(self, start_demo: Callable[[], Demo]) -> None:
        """Register the launcher as a tenant, and learn the keys that its launches are to carry."""
        demo = start_demo()
        self.app = demo.app
        registration = {
            "id": TENANT,
            "organization": "SMART App Launcher",
            "vendor": "reference",
            "environment": "sandbox",
            "fhir_base": f"{self.url}/v/r4/fhir",
            "client_id": CLIENT,
            "authentication": {"method": "private_key_jwt", "algorithm": "RS384"},
            "frame_origins": [self.url],
            "encounter_required": False,
        }
        subprocess.run(
            [sys.executable, "-m", "app.cli", "tenant", "add", "-"],
            input=json.dumps(registration),
            env=demo.environment,
            cwd=ROOT,
            text=True,
            check=True,
            capture_output=True,
        )
        local = demo.app.replace("app.localhost", "127.0.0.1")
        self.keys = requests.get(f"{local}/.well-known/jwks/{TENANT}.json", timeout=10).json()

    def open(self, page: Page) -> None:
        code = launch_code(client_id=CLIENT, redirect_uris=f"{self.app}/callback/{TENANT}", jwks=json.dumps(self.keys))
        query = {"fhir_version": "r4", "tab": "0", "launch_url": f"{self.app}/launch/{TENANT}", "launch": code}
        page.goto(f"{self.url}/?{urlencode(query)}")

    def choose(self, page: Page, wish: Wish) -> None:
        # Without a user, and with several patients, it asks: a login and a picker.
        page.locator("#patient").fill("" if wish.asks else wish.chart.patient)
        page.locator("#provider").fill("" if wish.asks else wish.chart.user)
        page.locator("input[name=sim_ehr]").set_checked(wish.in_frame)

    def launch(self, page: Page, wish: Wish) -> App:
        with page.expect_popup() as opening:
            page.locator("#ehr-launch-url").click()
        return opening.value.frame_locator("iframe#frame") if wish.in_frame else opening.value

    def sign_in(self, app: App, wish: Wish) -> None:
        patient = app.locator(f"tr[title$='patient with ID {wish.chart.patient}']")
        visit = app.locator("tr[title^='Click to select encounter']")
        answers = (
            (app.get_by_role("button", name="Login"), Locator.click),
            (patient, Locator.click),
            (visit, _first),
            (app.locator("button#approve"), Locator.click),
        )
        answer_until_the_app_shows(app, answers)


def _first(rows: Locator) -> None:
    rows.first.click()


LAUNCHER = SmartLauncher
