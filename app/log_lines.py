"""Log lines: JSON on standard error, only fields from the list. What is not listed is dropped, never masked.

Identifiers may be logged; texts, names, tokens and URLs may not. Third parties' debug loggers stay silent, because
some of them print what they send.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

FIELDS = frozenset(
    {
        "event", "level", "timestamp", "tenant", "workflow", "writeback", "note", "launch", "code", "detail",
        "reference", "endpoint", "error", "place", "count", "steps", "reason", "status",
    }
)  # fmt: skip
QUIET = ("authlib", "fhirclient", "requests", "urllib3", "httpx", "sqlalchemy", "joserfc")


def configure_logging() -> None:
    """Set up structlog and quiet the libraries; called once by each process."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format='{"event":"library","detail":"%(name)s"}')
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_listed_fields,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # A logger that has spoken must still be heard by whoever collects lines, as the simulation does.
        cache_logger_on_first_use=False,
    )


def place_of(error: BaseException) -> str:
    """The module and line that raised `error`: what may be logged of an exception whose message may hold anything."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""


def _only_listed_fields(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    return {name: value for name, value in line.items() if name in FIELDS}
