"""The simulated EHRs as a real process on a free port, for any test that needs an EHR."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

READY_WITHIN_SECONDS = 30
STOPPED_WITHIN_SECONDS = 10
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers: `origin` as browsers and documents say it, `local` as Python reaches it."""

    origin: str
    local: str
    process: subprocess.Popen[bytes]
    home: Path

    def reachable(self, url: str) -> str:
        """The same URL with an address in place of the name under `localhost`."""
        return url.replace(self.origin, self.local, 1)

    def qa(self, ehr: str, what: str) -> Any:
        """A GET of the QA API: `writes`, `tokens`, `requests`, `patients`, `resources/<type>`."""
        reply = requests.get(f"{self.local}/qa/{ehr}/{what}", timeout=10)
        reply.raise_for_status()
        return reply.json()

    def patient(self, ehr: str, name: str) -> str:
        """The id of the patient of this name ("Rivera, Ana") in this EHR."""
        found = {patient["name"]: patient["id"] for patient in self.qa(ehr, "patients")}
        return str(found[name])

    def hire(self, ehr: str, name: str) -> dict[str, Any]:
        """Somebody more who can open charts ("Dr. Ada Lovelace"): the new Practitioner."""
        reply = requests.post(f"{self.local}/qa/{ehr}/practitioners", json={"name": name}, timeout=10)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    def arm(self, ehr: str, **fault: Any) -> None:
        """Switch a fault on for every launch: fault=, interaction=, resource_type=, seconds=, times=, options=."""
        reply = requests.post(f"{self.local}/qa/{ehr}/faults", json=fault, timeout=10)
        assert reply.status_code == 201, reply.text

    def register_client(self, ehr: str, client_id: str, **registration: Any) -> dict[str, Any]:
        """Register an app while the EHR runs, or replace what it knows of one.

        redirect_uris=, launch_url=, standalone_url=, auth= ({"method", "secret" or "jwks_uri"}), scopes=, status=
        (active, expired, disabled). For one that exists, what is left out stays as it is, the secret too.
        """
        known = next((client for client in self.qa(ehr, "clients") if client["client_id"] == client_id), {})
        reply = requests.put(f"{self.local}/qa/{ehr}/clients/{client_id}", json={**known, **registration}, timeout=10)
        assert reply.status_code in (200, 201), reply.text
        return dict(reply.json())

    def forget_client(self, ehr: str, client_id: str) -> None:
        """Take back what `register_client` said; an app of the clients file is as the file says again."""
        requests.delete(f"{self.local}/qa/{ehr}/clients/{client_id}", timeout=10).raise_for_status()

    def launch_url(
        self,
        ehr: str,
        patient: str | Sequence[str] = (),
        *,
        faults: Sequence[str | Mapping[str, Any]] = (),
        **choice: str,
    ) -> dict[str, str]:
        """A launch as the launcher page makes it, with faults of its own; returns `iss`, `launch` and the `url`.

        `patient`: one, several (a picker at the sign-in) or none (a picker of all). Choices: user=, encounter=
        (an id, "automatic", "none"), type= ("ehr", "standalone"), client=, login="show", approval="show". A fault is
        the name of a knob, "knob@interaction", or what `arm` takes as a mapping.
        """
        spelled = [fault if isinstance(fault, str) else json.dumps(fault) for fault in faults]
        query = {"patient": patient, "fault": spelled, **choice}
        reply = requests.post(f"{self.local}/{ehr}/launcher", params=query, timeout=10)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    def edit(self, ehr: str, resource_type: str, resource: Mapping[str, Any]) -> None:
        """Change the chart as a human at the EHR would."""
        url = f"{self.local}/qa/{ehr}/resources/{resource_type}/{resource['id']}"
        requests.put(url, json=resource, timeout=10).raise_for_status()

    def act(self, ehr: str, action: str, resource: str = "", **how: Any) -> list[str]:
        """Do what a person at the EHR does (`sign`, `amend`, `delete`, ...: sandbox/README.md); returns what changed.

        by=, text=, into=, old_id=, version=, mark=.
        """
        edit = {"action": action, "resource": resource, **how}
        reply = requests.post(f"{self.local}/qa/{ehr}/edits", json=edit, timeout=10)
        assert reply.status_code == 201, reply.text
        return list(reply.json()["changed"])

    def back_up(self, ehr: str) -> int:
        """Mark the EHR's present state, for `act(ehr, "restore_backup", mark=...)`."""
        reply = requests.post(f"{self.local}/qa/{ehr}/backups", timeout=10)
        return int(reply.json()["mark"])

    def tell(self, ehr: str, url: str, secret: str, **how: Any) -> None:
        """Post signed notices of what changes from now on to this URL: types=, automatic=."""
        subscription = {"url": url, "secret": secret, **how}
        requests.put(f"{self.local}/qa/{ehr}/callbacks", json=subscription, timeout=10).raise_for_status()

    def deliver(self, ehr: str) -> list[dict[str, Any]]:
        """Post the notices that are due now (after `tell(..., automatic=False)`); what came of each."""
        reply = requests.post(f"{self.local}/qa/{ehr}/callbacks/deliveries", timeout=30)
        return list(reply.json()["delivered"])

    def stop_telling(self, ehr: str) -> None:
        """Nobody is told of changes any more."""
        requests.delete(f"{self.local}/qa/{ehr}/callbacks", timeout=10).raise_for_status()

    def clear_faults(self, ehr: str) -> None:
        """Switch every fault off."""
        requests.delete(f"{self.local}/qa/{ehr}/faults", timeout=10).raise_for_status()

    def open_app(self, ehr: str, patient: str, **choice: str) -> dict[str, str]:
        """What the chart's button does: a fresh launch; returns `iss`, `launch` and the full `url`."""
        url = f"{self.local}/{ehr}/charts/{patient}/launches"
        reply = requests.post(url, params=choice, timeout=10)
        assert reply.status_code == 201, reply.text
        opened = str(reply.json()["url"])
        pairs = (pair.split("=", 1) for pair in urlsplit(opened).query.split("&"))
        return {"url": opened, **{name: requests.utils.unquote(value) for name, value in pairs}}


@contextmanager
def running_sandbox(
    home: Path,
    clients: Mapping[str, Sequence[Mapping[str, Any]]],
    transcripts: Path | None = None,
    port: int | None = None,
) -> Iterator[RunningSandbox]:
    """Start `python -m sandbox`, wait until it is ready, stop it at the end. A `home` can be used again."""
    home.mkdir(parents=True, exist_ok=True)
    clients_file = home / "clients.json"
    clients_file.write_text(json.dumps(clients), encoding="utf-8")
    port = port or free_port()
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--home", str(home)]
    command += ["--clients", str(clients_file)]
    command += ["--transcripts", str(transcripts)] if transcripts else []
    log_file = home / "sandbox.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=_environment())
    try:
        _wait_until_ready(process, port, log_file)
        yield RunningSandbox(f"http://ehr.localhost:{port}", f"http://127.0.0.1:{port}", process, home)
    finally:
        _stop(process)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    # Coverage and warning filters of the test run are not the EHR's.
    return {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTHONWARN"))}


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log_file: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise RuntimeError(f"the sandbox did not start:\n{log_file.read_text(encoding='utf-8')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
