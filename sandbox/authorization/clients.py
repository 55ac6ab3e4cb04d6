"""The apps registered at one EHR, as `--clients FILE` lists them."""

import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin
from typing_extensions import override

from sandbox.authorization.client_keys import ClientKeys
from sandbox.errors import UnusableFile


@dataclass(frozen=True)
class Client(ClientMixin):
    """One registered app, in the shape that Authlib asks questions of."""

    client_id: str
    redirect_uris: tuple[str, ...]
    launch_url: str
    method: str
    secret: str | None
    keys: ClientKeys | None
    scopes: tuple[str, ...] | None

    @property
    def confidential(self) -> bool:
        """Whether the app can keep a secret."""
        return self.method != "none"

    @override
    def get_client_id(self) -> str:
        return self.client_id

    @override
    def get_default_redirect_uri(self) -> str | None:
        # No default: RFC 9700 wants the redirect URI said and matched exactly.
        return None

    @override
    def get_allowed_scope(self, scope: str | None) -> str:
        # What is granted is decided once, in scopes.py, when the code is issued.
        return scope or ""

    @override
    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    @override
    def check_client_secret(self, client_secret: str) -> bool:
        return self.secret is not None and hmac.compare_digest(self.secret.encode(), client_secret.encode())

    @override
    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        # One registered secret serves both spellings of client-secret authentication.
        return method.replace("_post", "_basic") == self.method

    @override
    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    @override
    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


def load_clients(file: Path) -> dict[str, dict[str, Client]]:
    """Read the registrations of all EHRs: EHR name, then client id. Raises UnusableFile."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return {ehr: _clients(entries) for ehr, entries in document.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableFile(file, 'registered apps per EHR: {"epic": [{"client_id": ...}]}') from error


def _clients(entries: list[dict[str, Any]]) -> dict[str, Client]:
    return {entry["client_id"]: _client(entry) for entry in entries}


def _client(entry: dict[str, Any]) -> Client:
    auth = entry["auth"]
    return Client(
        client_id=entry["client_id"],
        redirect_uris=tuple(entry["redirect_uris"]),
        launch_url=entry["launch_url"],
        method=auth["method"],
        secret=auth.get("secret"),
        keys=_keys(auth),
        scopes=tuple(entry["scopes"]) if "scopes" in entry else None,
    )


def _keys(auth: dict[str, Any]) -> ClientKeys | None:
    if auth["method"] != "private_key_jwt":
        return None
    return ClientKeys(auth["jwks_uri"])
