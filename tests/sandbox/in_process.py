"""An EHR in this process, asked by a bare app: tests of what it does with requests need no server."""

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import Clock
from sandbox.ehr import EHR
from sandbox.in_process import Answer, SandboxInProcess
from sandbox.qa.edits import Edit, carry_out
from sandbox.qa.faults import Fault
from sandbox.qa.knobs import usable

APP = {
    "client_id": "app",
    "redirect_uris": ["https://app.example/callback"],
    "launch_url": "https://app.example/launch",
    "auth": {"method": "none"},
}
NOON = 1_790_000_000.0


@dataclass
class Time:
    """A clock that stands until it is told to go on."""

    at: float = NOON
    slept: list[float] = field(default_factory=list)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@dataclass
class Reply:
    """An answer, with its JSON if it is any."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asked:
    """One EHR, and one token of dr-1 in chart 1001."""

    def __init__(self, name: str = "reference", patient: str = "1001") -> None:
        self.time = Time()
        self.sandbox = SandboxInProcess("https://ehr.example", {name: [APP]}, self.time.clock())
        self.sandbox.add_people(name)
        self.name, self.patient = name, patient
        self.ehr: EHR = self.sandbox[name]
        self.token = self.granted("user/*.cruds")

    def granted(self, scope: str) -> str:
        return self.sandbox.grant(self.name, "app", "dr-1", self.patient, None, scope).access_token

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Reply:
        sent = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/fhir+json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = json.dumps(body).encode() if body is not None else b""
        answer: Answer = self.sandbox.exchange(method, f"{self.ehr.fhir_base}/{path}", sent, content)
        return Reply(answer.status, dict(answer.headers), answer.body)

    def file(self, text: str = "Signed note.", **changes: Any) -> dict[str, Any]:
        reply = self.ask("POST", "DocumentReference", self.note(text, **changes), Prefer="return=representation")
        assert reply.status == 201, reply.body
        return dict(reply.json)

    def note(self, text: str = "Signed note.", **changes: Any) -> dict[str, Any]:
        return {
            "resourceType": "DocumentReference",
            "status": "current",
            "docStatus": "final",
            "identifier": [{"system": "urn:test", "value": secrets.token_hex(8)}],
            "type": {"coding": [{"system": "http://loinc.org", "code": "11506-3"}]},
            "subject": {"reference": f"Patient/{self.patient}"},
            "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": encoded(text)}}],
        } | changes

    def arm(self, fault: str, **how: Any) -> None:
        self.ehr.faults.arm(usable(Fault(fault=fault, **how)))

    def edit(self, action: str, resource: str = "", **how: Any) -> list[str]:
        with self.sandbox._apps[self.name].app_context():
            return carry_out(self.ehr, Edit(action=action, resource=resource, **how))

    def total(self, query: str) -> int:
        return int(self.ask("GET", query).json["total"])


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
