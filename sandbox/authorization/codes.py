"""Authorization codes: one use, one minute, bound to client, redirect URI and code challenge."""

from dataclasses import dataclass

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin
from typing_extensions import override

from sandbox.authorization.launches import Launch
from sandbox.authorization.tokens import revoke_family
from sandbox.clock import now
from sandbox.database import Database
from sandbox.fingerprint import fingerprint

LIFETIME_SECONDS = 60


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """One issued code with everything the token will carry."""

    code_sha256: str
    family: str
    client_id: str
    redirect_uri: str
    scope: str
    launch: Launch
    nonce: str | None
    code_challenge: str
    code_challenge_method: str = "S256"

    @override
    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    @override
    def get_scope(self) -> str:
        return self.scope

    @override
    def get_nonce(self) -> str | None:
        return self.nonce

    @override
    def get_auth_time(self) -> None:
        return None

    @override
    def get_acr(self) -> None:
        return None

    @override
    def get_amr(self) -> None:
        return None


def save_code(database: Database, code: str, details: Code) -> None:
    """Remember a code by its fingerprint."""
    database.change(
        "INSERT INTO codes (code_sha256, family, client_id, redirect_uri, scope, practitioner, patient,"
        " encounter, nonce, code_challenge, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        fingerprint(code),
        details.family,
        details.client_id,
        details.redirect_uri,
        details.scope,
        details.launch.practitioner,
        details.launch.patient,
        details.launch.encounter,
        details.nonce,
        details.code_challenge,
        now() + LIFETIME_SECONDS,
    )


def find_code(database: Database, code: str, client_id: str) -> Code | None:
    """The code, if this client may redeem it; a second use revokes what the first got (RFC 6749 4.1.2)."""
    row = database.row("SELECT * FROM codes WHERE code_sha256 = ? AND client_id = ?", fingerprint(code), client_id)
    if row is None or row["expires_at"] < now():
        return None
    if row["used"]:
        revoke_family(database, row["family"])
        return None
    return Code(
        code_sha256=row["code_sha256"],
        family=row["family"],
        client_id=row["client_id"],
        redirect_uri=row["redirect_uri"],
        scope=row["scope"],
        launch=Launch(row["practitioner"], row["patient"], row["encounter"]),
        nonce=row["nonce"],
        code_challenge=row["code_challenge"],
    )


def claim_code(database: Database, code: Code) -> bool:
    """Use a code up; False when another request was first."""
    return database.change("UPDATE codes SET used = 1 WHERE code_sha256 = ? AND used = 0", code.code_sha256) == 1
