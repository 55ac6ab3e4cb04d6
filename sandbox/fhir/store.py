"""FHIR resources with their versions, in SQLite."""

import copy
import json
import secrets
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.database import Database
from sandbox.fhir.compartment import patient_of

Resource = dict[str, Any]


class VersionConflict(Exception):
    """The resource is at another version than the writer thought."""


@dataclass(frozen=True)
class Version:
    """One entry of a resource's history."""

    method: str
    version: int
    last_updated: str
    resource: Resource


class Store:
    """Creates, versions and finds resources. Nothing here knows of HTTP, scopes or vendors."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(
        self, resource: Resource, *, patient: str | None = None, searchable_after_seconds: float = 0
    ) -> Resource:
        """Store a new resource; its own id is kept if it has one (seeding), else a new one is made."""
        stored = copy.deepcopy(resource)
        stored.setdefault("id", secrets.token_hex(12))
        owner = patient or patient_of(stored, self.patient_of)
        with self.database.transaction():
            self._stamp(stored, 1)
            self.database.change(
                "INSERT INTO resources (type, id, version, last_updated, patient, searchable_at, body)"
                " VALUES (?, ?, 1, ?, ?, ?, ?)",
                stored["resourceType"],
                stored["id"],
                stored["meta"]["lastUpdated"],
                owner,
                time.time() + searchable_after_seconds,
                json.dumps(stored),
            )
            self._remember("POST", stored)
        return stored

    def read(self, resource_type: str, resource_id: str) -> Resource | None:
        """The current version; None if there is none or it was deleted."""
        row = self._row(resource_type, resource_id)
        return json.loads(row["body"]) if row and not row["deleted"] else None

    def was_deleted(self, resource_type: str, resource_id: str) -> bool:
        """Whether there was such a resource once (410 rather than 404)."""
        row = self._row(resource_type, resource_id)
        return bool(row and row["deleted"])

    def version(self, resource_type: str, resource_id: str, version: int) -> Version | None:
        """One version by its number."""
        row = self.database.row(
            "SELECT * FROM versions WHERE type = ? AND id = ? AND version = ?",
            resource_type,
            resource_id,
            version,
        )
        return _version(row) if row else None

    def history(self, resource_type: str, resource_id: str) -> list[Version]:
        """Every version, newest first."""
        rows = self.database.rows(
            "SELECT * FROM versions WHERE type = ? AND id = ? ORDER BY version DESC",
            resource_type,
            resource_id,
        )
        return [_version(row) for row in rows]

    def update(self, resource: Resource, expected_version: int | None = None) -> Resource:
        """A new version (or the first, under the client's id). Raises VersionConflict."""
        stored = copy.deepcopy(resource)
        with self.database.transaction():
            row = self._row(stored["resourceType"], stored["id"])
            if expected_version is not None and (row is None or row["version"] != expected_version):
                raise VersionConflict
            if row is None:
                return self.create(stored)
            self._replace(stored, row["version"] + 1, deleted=False)
            self._remember("PUT", stored)
        return stored

    def delete(self, resource_type: str, resource_id: str) -> None:
        """End a resource; its history stays."""
        with self.database.transaction():
            row = self._row(resource_type, resource_id)
            if row and not row["deleted"]:
                last = json.loads(row["body"])
                self._replace(last, row["version"] + 1, deleted=True)
                self._remember("DELETE", last)

    def current(self, resource_type: str, patient: str | None = None) -> list[Resource]:
        """Every live resource of a type, oldest first; of one patient if said."""
        rows = self.database.rows(
            "SELECT body FROM resources WHERE type = ? AND deleted = 0 AND searchable_at <= ?"
            " AND (? IS NULL OR patient = ?) ORDER BY position",
            resource_type,
            time.time(),
            patient,
            patient,
        )
        return [json.loads(row["body"]) for row in rows]

    def patient_of(self, resource_type: str, resource_id: str) -> str | None:
        """Whose chart a stored resource is in."""
        row = self._row(resource_type, resource_id)
        return row["patient"] if row else None

    def _row(self, resource_type: str, resource_id: str) -> sqlite3.Row | None:
        return self.database.row("SELECT * FROM resources WHERE type = ? AND id = ?", resource_type, resource_id)

    def _replace(self, stored: Resource, version: int, *, deleted: bool) -> None:
        self._stamp(stored, version)
        self.database.change(
            "UPDATE resources SET version = ?, deleted = ?, last_updated = ?, body = ? WHERE type = ? AND id = ?",
            version,
            deleted,
            stored["meta"]["lastUpdated"],
            json.dumps(stored),
            stored["resourceType"],
            stored["id"],
        )

    def _remember(self, method: str, stored: Resource) -> None:
        self.database.change(
            "INSERT INTO versions (type, id, version, method, last_updated, body) VALUES (?, ?, ?, ?, ?, ?)",
            stored["resourceType"],
            stored["id"],
            int(stored["meta"]["versionId"]),
            method,
            stored["meta"]["lastUpdated"],
            json.dumps(stored),
        )

    def _stamp(self, stored: Resource, version: int) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        stored["meta"] = {**stored.get("meta", {}), "versionId": str(version), "lastUpdated": now}


def _version(row: sqlite3.Row) -> Version:
    return Version(row["method"], row["version"], row["last_updated"], json.loads(row["body"]))
