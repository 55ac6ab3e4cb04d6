"""Launches: who opens the app, in whose chart, during which visit, and what is still asked at the sign-in."""

import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass, field

from sandbox.clock import now
from sandbox.database import Database
from sandbox.fingerprint import fingerprint

LIFETIME_SECONDS = 600
AUTOMATIC = "automatic"
NONE = "none"


@dataclass(frozen=True)
class Launch:
    """Who opened the app, in whose chart, during which visit. A backend has no person and no chart."""

    practitioner: str
    patient: str | None
    encounter: str | None


@dataclass(frozen=True)
class SignIn:
    """What the sign-in page asks; nothing by default, since the EHR knows its user.

    `patients` are those to choose from (a launch without a patient of its own), `encounter` is how the visit of the
    chosen patient is found: `automatic` (the open one), `none`, or an id.
    """

    login: bool = False
    approval: bool = False
    patients: tuple[str, ...] = ()
    encounter: str = AUTOMATIC

    @property
    def asks(self) -> bool:
        """Whether there is a page at all."""
        return self.login or self.approval or bool(self.patients)


@dataclass(frozen=True)
class Opened:
    """A launch that waits for its authorize request. Everything issued for it carries its family."""

    launch: Launch
    sign_in: SignIn = SignIn()
    family: str = field(default_factory=lambda: secrets.token_hex(16))


def issue_launch(database: Database, opened: Opened) -> str:
    """A new one-use launch token."""
    token = secrets.token_urlsafe(32)
    _save(database, fingerprint(token), opened)
    return token


def expect_standalone(database: Database, client_id: str, opened: Opened) -> None:
    """What the next standalone launch of this app shall meet; it brings no token that could say so."""
    _save(database, _standalone(client_id), opened)


def find_launch(database: Database, token: str | None, client_id: str) -> Opened | None:
    """The launch behind a token that is neither used nor expired; without a token, what standalone shall meet."""
    row = database.row(
        "SELECT * FROM launches WHERE token_sha256 = ? AND used = 0 AND expires_at > ?", _place(token, client_id), now()
    )
    return _opened(row) if row else None


def family_of_launch(database: Database, token: str | None, client_id: str) -> str | None:
    """The family of a launch, used or not."""
    row = database.row("SELECT family FROM launches WHERE token_sha256 = ?", _place(token, client_id))
    return str(row["family"]) if row else None


def claim_launch(database: Database, token: str | None, client_id: str) -> bool:
    """Use a launch up; False when another request was first."""
    place = _place(token, client_id)
    return database.change("UPDATE launches SET used = 1 WHERE token_sha256 = ? AND used = 0", place) == 1


def _place(token: str | None, client_id: str) -> str:
    return fingerprint(token) if token is not None else _standalone(client_id)


def _standalone(client_id: str) -> str:
    # No fingerprint looks like this, so no launch token can name it.
    return f"standalone:{client_id}"


def _save(database: Database, place: str, opened: Opened) -> None:
    database.change(
        "INSERT OR REPLACE INTO launches (token_sha256, practitioner, patient, encounter, expires_at, family, sign_in)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        place,
        opened.launch.practitioner,
        opened.launch.patient or "",
        opened.launch.encounter,
        now() + LIFETIME_SECONDS,
        opened.family,
        json.dumps(asdict(opened.sign_in)),
    )


def _opened(row: sqlite3.Row) -> Opened:
    asked = json.loads(row["sign_in"])
    sign_in = SignIn(**{**asked, "patients": tuple(asked.get("patients", ()))})
    return Opened(Launch(row["practitioner"], row["patient"] or None, row["encounter"]), sign_in, row["family"])
