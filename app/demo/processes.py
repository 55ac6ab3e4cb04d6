"""Starting and stopping the demo's processes together: each is waited for, the worker is restarted when it dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.settings import ROOT

READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 15.0
GREETING_SECONDS = 0.05


class NotReady(RuntimeError):
    """A process of the demo did not come up; the message names it and ends with its last lines."""


@dataclass
class Processes:
    """The child processes by name, their logs in one directory."""

    logs: Path
    environment: Mapping[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """Start `python ARGUMENTS` as a process group of its own, so that stopping it leaves nothing behind."""
        self.commands[name] = [sys.executable, *arguments]
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log_of(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.commands[name],
                cwd=ROOT,
                env=dict(self.environment),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_for(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Return once `is_ready`. Raises `NotReady` when the process ends or takes too long."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not is_ready():
            if self.running[name].poll() is not None or time.monotonic() > deadline:
                raise NotReady(f"{name} did not start. Its last lines:\n{self.last_lines(name)}")
            time.sleep(GREETING_SECONDS)

    def restart_dead(self) -> list[str]:
        """Start again what has ended by itself; returns the names."""
        dead = [name for name, process in self.running.items() if process.poll() is not None]
        for name in dead:
            self.start(name, *self.commands[name][1:])
        return dead

    def stop(self) -> None:
        """Ask all to end, last started first; whoever does not is killed."""
        for process in reversed(self.running.values()):
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOPPED_WITHIN_SECONDS
        for process in reversed(self.running.values()):
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        self.running.clear()

    def log_of(self, name: str) -> Path:
        """Where the process's output goes."""
        return self.logs / f"{name}.log"

    def last_lines(self, name: str) -> str:
        """The end of the process's output."""
        return "\n".join(self.log_of(name).read_text(errors="replace").splitlines()[-20:])


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
