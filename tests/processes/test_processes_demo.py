"""`countersign demo` as people and scripts run it: one line when all is ready, and nothing left when it has stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.processes.clinician import eventually
from tests.processes.conftest import processes_that_know

ROOT = Path(__file__).parents[2]
COUNTERSIGN = Path(sys.executable).with_name("countersign")
STOPPED_WITHIN_SECONDS = 30


@dataclass
class RunningCommand:
    """`countersign demo --json --home DIR`, and where its two outputs go."""

    process: subprocess.Popen[bytes]
    home: Path
    out: Path
    err: Path

    def announced(self) -> dict[str, str]:
        """The line on standard output; waits for it."""

        def line() -> str:
            assert self.process.poll() is None, self.err.read_text()
            return self.out.read_text() if self.out.read_text().endswith("\n") else ""

        return dict(json.loads(eventually("the demo announces itself", line, 90)))


@contextmanager
def demo_command(home: Path) -> Iterator[RunningCommand]:
    out, err = home.with_suffix(".out"), home.with_suffix(".err")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = start(home, stdout, stderr)
    try:
        yield RunningCommand(process, home, out, err)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(STOPPED_WITHIN_SECONDS)


def start(home: Path, stdout: IO[bytes], stderr: IO[bytes], *more: str) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    command = [str(COUNTERSIGN), "demo", "--json", "--home", str(home), *more]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr, start_new_session=True)


def port(url: str) -> int:
    return int(urlsplit(url).port or 0)


def is_free(number: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) != 0


def test_two_demos_run_side_by_side_and_stop_without_a_trace(tmp_path: Path) -> None:
    with demo_command(tmp_path / "one") as one, demo_command(tmp_path / "two") as two:
        said = [one.announced(), two.announced()]
        for line in said:
            assert line.keys() == {"url", "app", "sandbox"}
            assert requests.get(f"http://127.0.0.1:{port(line['app'])}/readyz", timeout=5).json()["ok"]
            assert requests.get(f"http://127.0.0.1:{port(line['url'])}/", timeout=5).ok
        ports = [port(line[name]) for line in said for name in ("app", "sandbox")]
        assert len(set(ports)) == 4
        assert {urlsplit(line["app"]).hostname for line in said} == {"app.localhost"}
        assert {urlsplit(line["sandbox"]).hostname for line in said} == {"ehr.localhost"}

        a_dead_worker_is_started_again(one)

        for command, number in ((one, signal.SIGTERM), (two, signal.SIGINT)):
            command.process.send_signal(number)
        for command in (one, two):
            assert command.process.wait(STOPPED_WITHIN_SECONDS) == 0, command.err.read_text()
            eventually("no process is left", lambda c=command: not processes_that_know(c.home), 5)
            assert len(command.out.read_text().splitlines()) == 1
            assert "Traceback" not in command.err.read_text()
    assert all(is_free(number) for number in ports)


def a_dead_worker_is_started_again(command: RunningCommand) -> None:
    def workers() -> set[int]:
        return {pid for pid, line in processes_that_know(command.home).items() if line.endswith("app.cli worker")}

    [worker] = workers()
    os.kill(worker, signal.SIGKILL)
    eventually("another worker is there", lambda: workers() - {worker})
    eventually("the demo says so", lambda: "worker had stopped and was started again" in command.err.read_text())


def test_a_demo_stopped_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with demo_command(tmp_path / "home") as command:
        eventually("its first process is there", (command.home / "logs").exists)
        command.process.send_signal(signal.SIGTERM)

        assert command.process.wait(STOPPED_WITHIN_SECONDS) == 0, command.err.read_text()
        eventually("no process is left", lambda: not processes_that_know(command.home), 30)


STEPS = {
    "epic": {"launched", "drafted", "evidence", "edited", "confirmed", "signed", "filed", "verified"},
    "athenaone": {"launched", "drafted", "landing_explained", "signed", "copied"},
}


@pytest.mark.browser
def test_the_check_does_the_whole_job_in_a_browser_and_prints_one_report(tmp_path: Path) -> None:
    with (tmp_path / "err").open("wb") as stderr:
        process = start(tmp_path / "home", subprocess.PIPE, stderr, "--check")  # type: ignore[arg-type]
        out, _ = process.communicate(timeout=150)

    report: dict[str, Any] = json.loads(out)
    assert process.returncode == 0, report
    assert report["ok"] is True
    assert [run["product"] for run in report["runs"]] == ["epic", "athenaone"]
    for run in report["runs"]:
        assert run["steps"].keys() >= STEPS[run["product"]]
        assert all(reached is True for reached in run["steps"].values())
        assert run["seconds"].keys() == run["steps"].keys()
    assert report["runs"][0]["document_reference"].startswith("DocumentReference/")
    assert (tmp_path / "home" / "countersign.db").is_file()
    eventually("no process is left", lambda: not processes_that_know(tmp_path / "home"), 5)


def test_a_check_that_is_stopped_half_way_leaves_nothing(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = start(tmp_path / "home", out, err, "--check")
    eventually("the web process is there", (tmp_path / "home" / "logs" / "web.log").exists, 60)

    process.send_signal(signal.SIGTERM)

    assert process.wait(STOPPED_WITHIN_SECONDS) != 0
    try:
        eventually("no process is left", lambda: not processes_that_know(tmp_path / "home"), 5)
    finally:
        for left in processes_that_know(tmp_path / "home"):
            os.kill(left, signal.SIGKILL)
