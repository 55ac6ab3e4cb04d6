"""Launch tokens: what a chart hands to the app, tied to user, patient and encounter."""

import secrets
import time
from dataclasses import dataclass

from sandbox.database import Database
from sandbox.fingerprint import fingerprint

LIFETIME_SECONDS = 600


@dataclass(frozen=True)
class Launch:
    """Who opened the app, in whose chart, during which visit."""

    practitioner: str
    patient: str
    encounter: str | None


def issue_launch(database: Database, launch: Launch) -> str:
    """A new one-use launch token."""
    token = secrets.token_urlsafe(32)
    database.change(
        "INSERT INTO launches (token_sha256, practitioner, patient, encounter, expires_at) VALUES (?, ?, ?, ?, ?)",
        fingerprint(token),
        launch.practitioner,
        launch.patient,
        launch.encounter,
        time.time() + LIFETIME_SECONDS,
    )
    return token


def find_launch(database: Database, token: str) -> Launch | None:
    """The launch behind a token that is neither used nor expired."""
    row = database.row(
        "SELECT * FROM launches WHERE token_sha256 = ? AND used = 0 AND expires_at > ?",
        fingerprint(token),
        time.time(),
    )
    return Launch(row["practitioner"], row["patient"], row["encounter"]) if row else None


def claim_launch(database: Database, token: str) -> bool:
    """Use a launch token up; False when another request was first."""
    return database.change("UPDATE launches SET used = 1 WHERE token_sha256 = ? AND used = 0", fingerprint(token)) == 1
