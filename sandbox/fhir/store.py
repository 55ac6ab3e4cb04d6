"""FHIR resources with their versions, in SQLite."""

import copy
import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.clock import MACHINE, Clock
from sandbox.database import Database
from sandbox.fhir.compartment import patient_of

Resource = dict[str, Any]
CURRENT = "SELECT body FROM resources WHERE type = ? AND deleted = 0 AND searchable_at <= ?"
CURRENT_BY_IDENTIFIER = (
    "SELECT body FROM resources WHERE type = ? AND deleted = 0 AND searchable_at <= ?"
    " AND id IN (SELECT id FROM identifiers WHERE type = ? AND value = ?)"
)


class VersionConflict(Exception):
    """The resource is at another version than the writer thought."""


@dataclass(frozen=True)
class Version:
    """One entry of a resource's history."""

    method: str
    version: int
    last_updated: str
    resource: Resource


@dataclass(frozen=True)
class Written:
    """One version with who stored it: an app under a token (of the user `subject`), a person, or neither (seeding)."""

    resource_type: str
    id: str
    version: Version
    subject: str | None
    token_sha256: str | None
    person: str | None


class Store:
    """Creates, versions and finds resources. Nothing here knows of HTTP, scopes or vendors."""

    def __init__(self, database: Database, clock: Clock = MACHINE) -> None:
        self.database = database
        self.clock = clock
        if database.row("SELECT 1 FROM identifiers") is None:  # a home made before there was this index
            for row in database.rows("SELECT body FROM resources"):
                self._index(json.loads(row["body"]))

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
                self.clock.now() + searchable_after_seconds,
                json.dumps(stored),
            )
            self._index(stored)
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

    def everything(self) -> list[Written]:
        """Every version of every resource in the order of storing, with who stored it: for whoever checks the EHR."""
        rows = self.database.rows(
            "SELECT v.rowid AS position, v.*, w.subject, w.token_sha256, c.person"
            " FROM versions v"
            # The newest of each: after a restore from a backup the same version numbers are given again.
            " LEFT JOIN writes w ON w.number = (SELECT max(number) FROM writes"
            "  WHERE (resource_type, id, version) = (v.type, v.id, v.version))"
            " LEFT JOIN chart_changes c ON c.number = (SELECT max(number) FROM chart_changes"
            "  WHERE (resource_type, id, version) = (v.type, v.id, v.version))"
            " ORDER BY v.rowid"
        )
        return [
            Written(row["type"], row["id"], _version(row), row["subject"], row["token_sha256"], row["person"])
            for row in rows
        ]

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

    def current(self, resource_type: str, patient: str | None = None, identifier: str | None = None) -> list[Resource]:
        """Every live resource of a type, oldest first; of one patient, or with one identifier's value, if said."""
        # One text each, so that SQLite can use the index that narrows most.
        sql, narrowing = CURRENT, [resource_type, self.clock.now()]
        if identifier is not None:
            sql, narrowing = CURRENT_BY_IDENTIFIER, [*narrowing, resource_type, identifier]
        if patient is not None:
            sql, narrowing = f"{sql} AND patient = ?", [*narrowing, patient]
        rows = self.database.rows(f"{sql} ORDER BY position", *narrowing)
        return [json.loads(row["body"]) for row in rows]

    def versions_after(self, mark: int, types: Sequence[str]) -> list[tuple[int, str, Version]]:
        """Every version of these types that was stored after a mark, with its own mark and the resource's type."""
        rows = self.database.rows("SELECT rowid AS position, * FROM versions WHERE rowid > ? ORDER BY rowid", mark)
        return [(row["position"], row["type"], _version(row)) for row in rows if row["type"] in types]

    def mark(self) -> int:
        """The present, to come back to: what a backup would hold."""
        row = self.database.row("SELECT max(rowid) AS position FROM versions")
        return int(row["position"] or 0) if row else 0

    def rewind(self, mark: int) -> None:
        """Be as it was at a mark: what came later has never been, and version numbers are given again."""
        with self.database.transaction():
            later = self.database.rows("SELECT DISTINCT type, id FROM versions WHERE rowid > ?", mark)
            self.database.change("DELETE FROM versions WHERE rowid > ?", mark)
            for row in later:
                self._as_the_last_version_says(row["type"], row["id"])

    def move_chart(self, old: str, into: str) -> None:
        """What has no reference to its patient (Binary, Provenance) belongs to another chart from now on."""
        self.database.change(
            "UPDATE resources SET patient = ? WHERE patient = ? AND type IN ('Binary', 'Provenance')", into, old
        )

    def erase(self, resource_type: str, resource_id: str) -> None:
        """As if it had never been: 404, not 410."""
        with self.database.transaction():
            for table in ("resources", "versions", "identifiers"):
                sql = f"DELETE FROM {table} WHERE type = ? AND id = ?"  # noqa: S608 -- our own tables' names
                self.database.change(sql, resource_type, resource_id)

    def patient_of(self, resource_type: str, resource_id: str) -> str | None:
        """Whose chart a stored resource is in."""
        row = self._row(resource_type, resource_id)
        return row["patient"] if row else None

    def _row(self, resource_type: str, resource_id: str) -> sqlite3.Row | None:
        return self.database.row("SELECT * FROM resources WHERE type = ? AND id = ?", resource_type, resource_id)

    def _replace(self, stored: Resource, version: int, *, deleted: bool) -> None:
        self._stamp(stored, version)
        self.database.change(
            "UPDATE resources SET version = ?, deleted = ?, last_updated = ?, patient = COALESCE(?, patient), body = ?"
            " WHERE type = ? AND id = ?",
            version,
            deleted,
            stored["meta"]["lastUpdated"],
            patient_of(stored, self.patient_of),
            json.dumps(stored),
            stored["resourceType"],
            stored["id"],
        )
        self._index(stored)

    def _as_the_last_version_says(self, resource_type: str, resource_id: str) -> None:
        versions = self.history(resource_type, resource_id)
        if not versions:
            self.erase(resource_type, resource_id)
            return
        last = versions[0]
        self.database.change(
            "UPDATE resources SET version = ?, deleted = ?, last_updated = ?, patient = COALESCE(?, patient), body = ?"
            " WHERE type = ? AND id = ?",
            last.version,
            last.method == "DELETE",
            last.last_updated,
            patient_of(last.resource, self.patient_of),
            json.dumps(last.resource),
            resource_type,
            resource_id,
        )
        self._index(last.resource)

    def _index(self, stored: Resource) -> None:
        resource_type, resource_id = stored["resourceType"], stored["id"]
        self.database.change("DELETE FROM identifiers WHERE type = ? AND id = ?", resource_type, resource_id)
        for value in {str(identifier.get("value", "")) for identifier in _identifiers(stored)}:
            self.database.change("INSERT INTO identifiers VALUES (?, ?, ?)", resource_type, value, resource_id)

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
        now = datetime.fromtimestamp(self.clock.now(), UTC).isoformat(timespec="milliseconds")
        stored["meta"] = {**stored.get("meta", {}), "versionId": str(version), "lastUpdated": now}


def _identifiers(resource: Resource) -> list[dict[str, Any]]:
    found = resource.get("identifier", [])
    return found if isinstance(found, list) else [found]


def _version(row: sqlite3.Row) -> Version:
    return Version(row["method"], row["version"], row["last_updated"], json.loads(row["body"]))
