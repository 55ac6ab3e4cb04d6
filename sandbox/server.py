"""One process, many threads: a request that a fault knob makes hang must not hold up the others."""

import os
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from sandbox.wiring import create_sandbox

THREADS = 64
KEEP_ALIVE_SECONDS = 30
STOP_WITHIN_SECONDS = 2


def serve(*, port: int, home: Path, clients_file: Path, transcripts_file: Path | None, bind: str) -> None:
    """Serve the sandbox on `bind:port` until SIGTERM or SIGINT."""
    # Authlib refuses http; on loopback there is no wire to protect (see docs of the sandbox).
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    wsgi = create_sandbox(f"http://ehr.localhost:{port}", home, clients_file, transcripts_file)
    _Server(wsgi, f"{bind}:{port}").run()


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
