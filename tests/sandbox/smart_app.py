"""A bare SMART app, written for these tests alone, so that the sandbox is not judged by the app it serves."""

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from tests.ehr import RunningSandbox

REDIRECT_URI = "http://app.localhost:1/callback/test"
SECRET = "a secret with : and % and +"
SCOPE = "launch openid fhirUser offline_access user/*.cruds"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TIMEOUT = 10
JSON = {"Content-Type": "application/fhir+json"}


@dataclass
class App:
    """One launch by one registered app, step by step; each step can be spoiled by overriding parameters."""

    sandbox: RunningSandbox
    ehr: str = "reference"
    patient: str = "1001"
    client_id: str = "secret-app"
    scope: str = SCOPE
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    choice: dict[str, str] = field(default_factory=dict)
    faults: list[str | dict[str, Any]] = field(default_factory=list)
    opened: dict[str, str] = field(default_factory=dict)
    grant: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.faults:
            choice = {"client": self.client_id, **self.choice}
            self.opened = self.sandbox.launch_url(self.ehr, self.patient, faults=self.faults, **choice)
        else:
            self.opened = self.opened or self.sandbox.open_app(self.ehr, self.patient, **self.choice)

    @property
    def base(self) -> str:
        return self.sandbox.reachable(self.opened["iss"])

    def discovery(self) -> dict[str, Any]:
        return get_json(f"{self.base}/.well-known/smart-configuration")

    def endpoint(self, name: str) -> str:
        return self.sandbox.reachable(str(self.discovery()[f"{name}_endpoint"]))

    def authorize(
        self, method: str = "GET", headers: dict[str, str] | None = None, **changes: str | None
    ) -> requests.Response:
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": self.scope,
            "state": "a state with spaces & signs",
            "aud": self.opened["iss"],
            "launch": self.opened.get("launch"),
            "nonce": "nonce-1",
            "code_challenge": challenge(self.verifier),
            "code_challenge_method": "S256",
        } | changes
        sent = {name: value for name, value in parameters.items() if value is not None}
        where = {"params": sent} if method == "GET" else {"data": sent}
        url = self.endpoint("authorization")
        return requests.request(method, url, headers=headers, allow_redirects=False, timeout=TIMEOUT, **where)

    def code(self, **changes: str | None) -> str:
        return answer(self.authorize(**changes))["code"]

    def redeem(self, code: str, **changes: Any) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.verifier,
        } | changes
        return self.token_request(form)

    def refresh(self, refresh_token: str, **changes: str) -> requests.Response:
        return self.token_request({"grant_type": "refresh_token", "refresh_token": refresh_token} | changes)

    def token_request(self, form: dict[str, Any], endpoint: str = "token") -> requests.Response:
        form = {name: value for name, value in form.items() if value is not None}
        if self.client_id == "public-app":
            form = {"client_id": self.client_id, **form}
        auth = (self.client_id, SECRET) if self.client_id in ("secret-app", "limited-app") else None
        return requests.post(self.endpoint(endpoint), data=form, auth=auth, timeout=TIMEOUT)

    def launched(self) -> "App":
        reply = self.redeem(self.code())
        assert reply.status_code == 200, reply.text
        self.grant = reply.json()
        return self

    def fhir(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.grant['access_token']}", **JSON}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(body) if body is not None else None
        return requests.request(method, f"{self.base}/{path}", data=data, headers=sent, timeout=TIMEOUT)

    def note(self, text: str = "Signed note.", **changes: Any) -> dict[str, Any]:
        return {
            "resourceType": "DocumentReference",
            "status": "current",
            "docStatus": "final",
            "identifier": [{"system": "urn:test", "value": secrets.token_hex(8)}],
            "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]},
            "subject": {"reference": f"Patient/{self.grant['patient']}"},
            "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": base64_of(text)}}],
            "context": {"encounter": [{"reference": f"Encounter/{self.grant.get('encounter')}"}]},
        } | changes


class KeyServer:
    """Publishes the JWKS of `key-app`, as an app does."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {
            "RS384": RSAKey.generate_key(2048, {"kid": "rsa-1"}),
            "ES384": ECKey.generate_key("P-384", {"kid": "ec-1"}),
        }
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"keys": [key.as_dict(private=False) for key in owner.keys.values()]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.jwks_uri = f"http://app.localhost:{self.server.server_port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def assertion(self, audience: str, alg: str = "RS384", **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": "key-app",
            "sub": "key-app",
            "aud": audience,
            "exp": now + 60,
            "iat": now,
            "jti": secrets.token_hex(16),
        } | changes
        key = self.keys[alg]
        header = {"alg": alg, "typ": "JWT", "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=[alg])


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def answer(reply: requests.Response) -> dict[str, str]:
    """The parameters that an authorize reply sends back to the app."""
    assert reply.status_code == 302, reply.text
    assert reply.headers["Location"].startswith(REDIRECT_URI)
    return dict(parse_qsl(urlsplit(reply.headers["Location"]).query))


def get_json(url: str) -> Any:
    reply = requests.get(url, timeout=TIMEOUT)
    reply.raise_for_status()
    return reply.json()


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
