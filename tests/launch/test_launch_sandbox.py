"""EHR launches over HTTP against the simulated EHRs, whose authorization server shares no code with ours."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from joserfc.jwk import ECKey
from launch_harness import SCOPES, Harness, ListedRegistrations, query_of
from small_ehr import KEY
from werkzeug.serving import BaseWSGIServer, make_server

from launch.registration import ClientAuthentication, PrivateKeyJWT, PublicClient, Registration, SecretBasic
from launch.routes import key_set_blueprint
from tests.ehr import RunningSandbox, free_port, running_sandbox

BASES = {"epic": "/epic/api/FHIR/R4", "athenaone": "/athenaone/fhir/r4", "reference": "/reference/fhir"}
SIGNERS = {
    "epic": PrivateKeyJWT("epic-1", ECKey.generate_key("P-384"), "ES384"),
    "reference": PrivateKeyJWT("reference-1", KEY, "RS384"),
}
WAYS: dict[str, tuple[str, ClientAuthentication]] = {
    "epic-signing-es384": ("epic", SIGNERS["epic"]),
    "reference-signing-rs384": ("reference", SIGNERS["reference"]),
    "athenaone-secret": ("athenaone", SecretBasic("s3:cr%et +/")),
    "reference-public": ("reference", PublicClient()),
}
READ_SCOPES = ("launch", "openid", "fhirUser", "user/Patient.rs", "user/DocumentReference.rs")


class Browser:
    """What of a browser matters here: it keeps cookies, secure ones on loopback too, and follows nothing."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def get(self, url: str) -> requests.Response:
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = requests.get(url, headers={"Cookie": sent}, allow_redirects=False, timeout=30)
        for cookie in answer.raw.headers.getlist("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


class Served:
    """Our blueprint and the sandbox, both on real ports."""

    def __init__(self, sandbox: RunningSandbox, harness: Harness, origin: str) -> None:
        self.sandbox, self.harness, self.origin = sandbox, harness, origin

    def authorize(self, ehr: str, way: str, browser: Browser, patient: str = "Rivera, Ana") -> str:
        """From the chart's button through our launch and the EHR's sign-in: the callback's address."""
        opened = self.sandbox.open_app(ehr, self.sandbox.patient(ehr, patient), client=way)
        launched = browser.get(opened["url"])
        assert launched.status_code == 303, launched.text
        assert query_of(launched.headers["Location"])["aud"] == opened["iss"]
        authorized = browser.get(self.sandbox.reachable(launched.headers["Location"]))
        assert authorized.is_redirect, authorized.text
        return str(authorized.headers["Location"])

    def register(self, way: str, **changes: Any) -> None:
        ehr, authentication = WAYS[way]
        fields: dict[str, Any] = {
            "tenant_id": way,
            "fhir_base": self.sandbox.origin + BASES[ehr],
            "client_id": way,
            "redirect_uri": f"{self.origin}/callback/{way}",
            "authentication": authentication,
            "scopes": READ_SCOPES if ehr == "athenaone" else SCOPES,
            "required_scopes": ("user/Patient.rs",),
            "allow_loopback": True,
        }
        self.harness.registrations.all = [Registration(**{**fields, **changes})]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    harness = Harness(ListedRegistrations())
    harness.app.register_blueprint(key_set_blueprint(lambda _: list(SIGNERS.values())))
    server, origin = _serve(harness.app)
    home: Path = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(home, _clients(origin)) as sandbox:
        yield Served(sandbox, harness, origin)
    server.shutdown()
    server.server_close()


def _serve(app: Flask) -> tuple[BaseWSGIServer, str]:
    server = make_server("127.0.0.1", free_port(), app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def _clients(origin: str) -> dict[str, list[dict[str, Any]]]:
    clients: dict[str, list[dict[str, Any]]] = {ehr: [] for ehr in BASES}
    for way, (ehr, authentication) in WAYS.items():
        clients[ehr].append(
            {
                "client_id": way,
                "redirect_uris": [f"{origin}/callback/{way}"],
                "launch_url": f"{origin}/launch",
                "auth": _registered(authentication, origin),
            }
        )
    return clients


def _registered(authentication: ClientAuthentication, origin: str) -> dict[str, str]:
    match authentication:
        case PublicClient():
            return {"method": "none"}
        case SecretBasic(secret=secret):
            return {"method": "client_secret_basic", "secret": secret}
        case PrivateKeyJWT():
            return {"method": "private_key_jwt", "jwks_uri": f"{origin}/.well-known/jwks.json"}


@pytest.mark.parametrize("way", WAYS)
def test_a_launch_completes_with_every_way_of_client_authentication(served: Served, way: str) -> None:
    """A54, A56, A59, A62: signing with ES384 and RS384, with a secret, and as a public client."""
    ehr, _ = WAYS[way]
    served.register(way)

    browser = Browser()
    answer = browser.get(served.authorize(ehr, way, browser))

    assert (answer.status_code, answer.headers["Location"]) == (303, "/charts/the-launch/")
    completed = served.harness.completed[-1]
    assert completed.tenant_id == way
    assert completed.context.patient == served.sandbox.patient(ehr, "Rivera, Ana")
    assert completed.context.encounter
    assert completed.identity.fhir_user.startswith("Practitioner/")
    assert completed.grant.scopes.allows("Patient", "r")
    assert completed.grant.scopes.allows("DocumentReference", "c") is (ehr != "athenaone")


def test_epics_banner_string_is_read_as_no(served: Served) -> None:
    """A34: need_patient_banner is the string "false" there."""
    served.register("epic-signing-es384")
    browser = Browser()
    browser.get(served.authorize("epic", "epic-signing-es384", browser))

    assert served.harness.completed[-1].context.need_patient_banner is False


def test_two_charts_in_one_browser_stay_apart(served: Served) -> None:
    """A69: the second launch begins before the first one ends."""
    served.register("reference-public")
    browser = Browser()
    patients = [patient["name"] for patient in served.sandbox.qa("reference", "patients")][:2]
    returned = [served.authorize("reference", "reference-public", browser, name) for name in patients]

    before = len(served.harness.completed)
    for callback in reversed(returned):
        assert browser.get(callback).status_code == 303

    seen = [completed.context.patient for completed in served.harness.completed[before:]]
    assert seen == [served.sandbox.patient("reference", name) for name in reversed(patients)]


def test_a_launch_code_from_one_chart_cannot_be_used_twice(served: Served) -> None:
    """A65: the EHR refuses, and we say so in words of ours."""
    served.register("reference-public")
    browser = Browser()
    opened = served.sandbox.open_app(
        "reference", served.sandbox.patient("reference", "Rivera, Ana"), client="reference-public"
    )
    answers = []
    for _ in range(2):
        launched = browser.get(opened["url"])
        authorized = browser.get(served.sandbox.reachable(launched.headers["Location"]))
        answers.append(browser.get(authorized.headers["Location"]))

    assert answers[0].status_code == 303
    assert answers[1].json()["code"] == "authorization_denied"


@pytest.mark.parametrize(
    ("interaction", "fault", "code"),
    [
        ("token", "answer_500", "token_exchange_failed"),
        ("token", "answer_html", "token_exchange_failed"),
        ("token", "answer_empty", "token_exchange_failed"),
        ("token", "drop_connection", "token_exchange_failed"),
        ("jwks", "answer_500", "identity_unverified"),
    ],
)
def test_an_ehr_that_misbehaves_ends_the_launch_with_a_page(
    served: Served, interaction: str, fault: str, code: str
) -> None:
    """A66: nothing is retried, nobody is let in."""
    served.register("reference-public")
    browser = Browser()
    fresh = Harness(served.harness.registrations, served.harness.transactions)
    server, origin = _serve(fresh.app)
    served.sandbox.arm("reference", interaction=interaction, fault=fault, times=1)
    try:
        callback = served.authorize("reference", "reference-public", browser)
        # Another process of ours, with cold caches and the same store, takes the callback.
        answer = browser.get(callback.replace(served.origin, origin))
    finally:
        served.sandbox.clear_faults("reference")
        server.shutdown()
        server.server_close()

    assert answer.json()["code"] == code
    assert not fresh.completed
