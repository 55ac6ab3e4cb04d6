"""`countersign sandbox ...` against EHRs that run: faults, edits, backups and callbacks, over HTTP only."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.__main__ import countersign
from tests.ehr import RunningSandbox
from tests.sandbox.smart_app import TIMEOUT, App


class Told:
    """A callback endpoint that keeps what it is told."""

    def __init__(self) -> None:
        self.notices: Queue[tuple[dict[str, str], dict[str, Any]]] = Queue()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.notices.put((dict(self.headers), json.loads(body)))
                self.send_response(202)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://app.localhost:{self.server.server_port}/callbacks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def told() -> Iterator[Told]:
    endpoint = Told()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


def _run(sandbox: RunningSandbox, *words: str, said: str = "") -> Result:
    return CliRunner().invoke(countersign, ["sandbox", *words, "--at", sandbox.origin], input=said)


def test_faults_are_switched_shown_and_cleared_from_the_command_line(sandbox: RunningSandbox) -> None:
    """B23: the CLI says the same as the page and the API."""
    how = ["--on", "write", "--type", "DocumentReference", "--from-request", "2", "--probability", "0.5", "--seed", "9"]
    on = _run(sandbox, "faults", "on", "commit_then_500", *how, "--times", "0")
    assert on.exit_code == 0, on.output
    armed = json.loads(_run(sandbox, "faults", "list", "--json").stdout)["armed"][0]
    expected = ("commit_then_500", "write", 2, 0.5, 9, None)
    names = ("fault", "interaction", "from_request", "probability", "seed", "times")
    assert tuple(armed[name] for name in names) == expected
    assert "probability 0.5 by seed 9" in _run(sandbox, "faults", "list").stdout
    assert _run(sandbox, "faults", "off").exit_code == 0
    assert json.loads(_run(sandbox, "faults", "list", "--json").stdout)["armed"] == []
    wrong = _run(sandbox, "faults", "on", "catch_fire")
    assert wrong.exit_code == 1
    assert "no such knob" in wrong.output


def test_a_person_edits_a_note_and_the_app_is_told(sandbox: RunningSandbox, told: Told) -> None:
    """B23: backup, edit and restore by command; a signed notice of each change leaves by itself."""
    app = App(sandbox).launched()
    assert _run(sandbox, "callbacks", told.url, said="a secret\n").exit_code == 0
    note = app.fhir("POST", "DocumentReference", app.note()).json()
    place = f"DocumentReference/{note['id']}"
    mark = _run(sandbox, "backup").stdout.strip()
    edited = _run(sandbox, "edit", "amend", place, "--by", "dr-2", "--text", "Another text.")
    assert edited.stdout == f"changed: {place}/_history/2\n"
    notices = [told.notices.get(timeout=TIMEOUT) for _ in range(2)]
    assert [(notice["resource"], notice["version"]) for _, notice in notices] == [(place, "1"), (place, "2")]
    assert all(headers["X-Signature"].startswith("sha256=") for headers, _ in notices)
    assert _run(sandbox, "callbacks").exit_code == 0
    assert _run(sandbox, "edit", "restore_backup", "--mark", mark).stdout == "done\n"
    assert app.fhir("GET", place).json()["docStatus"] == "final"
    assert "a secret" not in json.dumps(sandbox.qa("reference", "callbacks"))
    refused = _run(sandbox, "edit", "burn", place)
    assert (refused.exit_code, "no such action" in refused.output) == (1, True)


def test_without_an_ehr_the_command_says_how_to_start_one(sandbox: RunningSandbox) -> None:
    nobody = CliRunner().invoke(countersign, ["sandbox", "faults", "list", "--at", "http://ehr.localhost:9"])
    assert nobody.exit_code == 1
    assert "countersign sandbox" in nobody.output
