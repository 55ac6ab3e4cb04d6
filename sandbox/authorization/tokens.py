"""Access and refresh tokens, kept as fingerprints with everything they stand for."""

import sqlite3
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import TokenMixin
from flask import g
from typing_extensions import override

from sandbox.authorization.clients import Client
from sandbox.authorization.launches import Launch
from sandbox.clock import now
from sandbox.database import Database
from sandbox.fingerprint import fingerprint


@dataclass(frozen=True)
class IssuedToken(TokenMixin):
    """One access token, and the refresh token issued beside it if there was one."""

    token_sha256: str
    refresh_sha256: str | None
    family: str
    client_id: str
    scope: str
    launch: Launch
    issued_at: int
    expires_at: int
    revoked: bool
    refresh_used: bool

    @override
    def check_client(self, client: Client) -> bool:
        return self.client_id == client.client_id

    @override
    def get_scope(self) -> str:
        return self.scope

    @override
    def get_expires_in(self) -> int:
        return self.expires_at - self.issued_at

    @override
    def is_expired(self) -> bool:
        return self.expires_at <= now()

    @override
    def is_revoked(self) -> bool:
        return self.revoked


def save_token(database: Database, token: dict[str, str], *, family: str, client_id: str, launch: Launch) -> None:
    """Remember what a token response handed out."""
    issued_at = int(now())
    refresh = token.get("refresh_token")
    database.change(
        "INSERT INTO tokens (token_sha256, refresh_sha256, family, client_id, practitioner, patient,"
        " encounter, scope, issued_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        fingerprint(token["access_token"]),
        fingerprint(refresh) if refresh else None,
        family,
        client_id,
        launch.practitioner,
        launch.patient,
        launch.encounter,
        token.get("scope", ""),
        issued_at,
        issued_at + (0 if g.get("token_is_dead") else int(token["expires_in"])),
    )


def find_access_token(database: Database, token: str) -> IssuedToken | None:
    """What an access token stands for, expired and revoked ones included."""
    row = database.row("SELECT * FROM tokens WHERE token_sha256 = ?", fingerprint(token))
    return _issued(row) if row else None


def find_refresh_token(database: Database, token: str) -> IssuedToken | None:
    """What a refresh token was issued with, used and revoked ones included."""
    row = database.row("SELECT * FROM tokens WHERE refresh_sha256 = ?", fingerprint(token))
    return _issued(row) if row else None


def all_tokens(database: Database) -> list[IssuedToken]:
    """Every token ever issued here, oldest first."""
    return [_issued(row) for row in database.rows("SELECT * FROM tokens ORDER BY rowid")]


def claim_refresh(database: Database, token: IssuedToken) -> bool:
    """Use a refresh token up; False when another request was first."""
    changed = database.change(
        "UPDATE tokens SET refresh_used = 1 WHERE token_sha256 = ? AND refresh_used = 0", token.token_sha256
    )
    return changed == 1


def revoke_family(database: Database, family: str) -> None:
    """End every token that descends from one code."""
    database.change("UPDATE tokens SET revoked = 1 WHERE family = ?", family)


def _issued(row: sqlite3.Row) -> IssuedToken:
    return IssuedToken(
        token_sha256=row["token_sha256"],
        refresh_sha256=row["refresh_sha256"],
        family=row["family"],
        client_id=row["client_id"],
        scope=row["scope"],
        launch=Launch(row["practitioner"], row["patient"], row["encounter"]),
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        revoked=bool(row["revoked"]),
        refresh_used=bool(row["refresh_used"]),
    )
