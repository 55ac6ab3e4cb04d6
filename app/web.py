"""The web process: gunicorn with threads, the app built once and frozen before it serves."""

import gc
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from structlog import get_logger

from app.log_lines import place_of
from app.settings import Settings
from app.tenants.registrations import load_files
from app.tenants.secrets import require_secrets
from app.wiring import create_app

THREADS = 8

log = get_logger()


class _ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's messages as our log lines: the pattern of a message, never the request that it was filled with."""

    def warning(self, msg: str, *_: object, **__: object) -> None:
        """An invalid request comes filled in already: what follows "from" may hold a launch token or a code."""
        log.warning("web_server", detail=msg.partition(" from ")[0])

    def error(self, msg: str, *_: object, **__: object) -> None:
        """Such as a port that is taken."""
        log.error("web_server", detail=msg)

    def exception(self, msg: str, *_: object, **__: object) -> None:
        """What no error handler caught: where it happened, not which address was asked for."""
        error = sys.exception()
        place = place_of(error) if error else ""
        log.critical("web_server", detail=msg, error=type(error).__name__, place=place)


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured here instead of on a command line."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Take the options as they are."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the app in each worker process: connections and threads do not survive a fork."""
        app = create_app(self._settings)
        gc.freeze()  # what was built at start-up is never garbage; scanning it costs the slowest requests most
        return app


def serve(settings: Settings, bind: str, port: int, workers: int) -> None:
    """Serve until told to stop. The access log stays off: its lines would hold launch ids and codes.

    Raises `Misconfigured` before it starts when a tenant's secret is not set.
    """
    references = settings.references()
    require_secrets(load_files(settings.smart_config / "tenants", references), references, settings.secret_files)
    options = {
        "bind": f"{bind}:{port}",
        "workers": workers,
        "threads": THREADS,
        "worker_class": "gthread",
        "accesslog": None,
        "loglevel": "warning",
        "logger_class": _ServerLog,
        "graceful_timeout": 30,
        "control_socket_disable": True,
        "limit_request_field_size": 16380,  # one cookie for each open chart
        "limit_request_line": 8190,  # launch tokens can be long JWTs
    }
    _Server(settings, options).run()
