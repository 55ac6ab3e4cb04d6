"""A write-back's life as an aggregate of the eventsourcing library, as its documentation shows it."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

NAMESPACE = UUID(int=0)


class Write(Aggregate):
    """What became of one write."""

    @event("Ordered")
    def __init__(self, writeback_id: str) -> None:
        self.writeback_id = writeback_id
        self.stage = ""
        self.known: dict[str, Any] = {}

    @staticmethod
    def create_id(writeback_id: str) -> UUID:
        """From our own id."""
        return uuid5(NAMESPACE, writeback_id)

    @event("Happened")
    def happened(self, tag: str, fields: dict[str, Any]) -> None:
        """One of its events."""
        self.stage = tag
        self.known |= fields


def application(path: Path) -> tuple[Any, Any]:
    """The library's application on a SQLite file, and the aggregate's class."""
    settings = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
    return Application(env=settings), Write
