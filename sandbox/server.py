"""One process, many threads: a request that a fault knob makes hang must not hold up the others."""

import os
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.http import wsgi

from sandbox.clock import DATE_BY_THE_EHR
from sandbox.wiring import create_sandbox

THREADS = 64
KEEP_ALIVE_SECONDS = 30
STOP_WITHIN_SECONDS = 2


def serve(*, port: int, home: Path, clients_file: Path, transcripts_file: Path | None, bind: str) -> None:
    """Serve the sandbox on `bind:port` until SIGTERM or SIGINT."""
    # Authlib refuses http; on loopback there is no wire to protect (see docs of the sandbox).
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    app = create_sandbox(f"http://ehr.localhost:{port}", home, clients_file, transcripts_file)
    _let_the_ehr_say_the_date()
    _Server(app, f"{bind}:{port}").run()


def _let_the_ehr_say_the_date() -> None:
    # gunicorn writes the machine's time and drops a Date of the app; an EHR whose clock is wrong must show it there.
    usual = wsgi.Response.default_headers

    def default_headers(response: wsgi.Response) -> list[str]:
        said = dict(response.headers).get(DATE_BY_THE_EHR)
        if said is None:
            return list(usual(response))
        response.headers = [(name, value) for name, value in response.headers if name != DATE_BY_THE_EHR]
        return [f"Date: {said}\r\n" if line.startswith("Date:") else line for line in usual(response)]

    wsgi.Response.default_headers = default_headers


class _Server(BaseApplication):
    def __init__(self, wsgi: Any, address: str) -> None:
        self._served = wsgi
        self.address = address
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": self.address,
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 0,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": STOP_WITHIN_SECONDS,
            "control_socket_disable": True,
            # No access log: query strings carry launch tokens, codes and patient ids.
            "accesslog": None,
            "loglevel": "warning",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._served
