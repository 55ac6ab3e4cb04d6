"""The apps registered at one EHR: those of `--clients FILE`, and those registered while it runs."""

import hmac
import json
import threading
from collections.abc import Iterator
from pathlib import Path

from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError
from typing_extensions import override

from sandbox.authorization.client_keys import ClientKeys
from sandbox.authorization.registration import Registration
from sandbox.database import Database
from sandbox.errors import UnusableFile

GRANT_TYPES = frozenset({"authorization_code", "refresh_token"})


class Client(ClientMixin):
    """One registered app, in the shape that Authlib asks questions of."""

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        uri = registration.auth.jwks_uri
        self.keys = ClientKeys(uri) if uri and self.method == "private_key_jwt" else None

    @property
    def client_id(self) -> str:
        """The id it was given."""
        return self.registration.client_id

    @property
    def launch_url(self) -> str:
        """Where the chart sends its users."""
        return self.registration.launch_url

    @property
    def standalone_url(self) -> str:
        """Where a launch without a chart begins."""
        return self.registration.standalone_url or self.launch_url

    @property
    def method(self) -> str:
        """How it proves who it is."""
        return self.registration.auth.method

    @property
    def scopes(self) -> tuple[str, ...] | None:
        """What it can be granted at most; None: what the EHR offers."""
        return self.registration.scopes

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
        return redirect_uri in self.registration.redirect_uris

    @override
    def check_client_secret(self, client_secret: str) -> bool:
        secret = self.registration.auth.secret
        return secret is not None and hmac.compare_digest(secret.encode(), client_secret.encode())

    @override
    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        if self.registration.status == "expired":
            raise InvalidClientError(description="The registration of this client has expired.", status_code=401)
        # One registered secret serves both spellings of client-secret authentication.
        return method.replace("_post", "_basic") == self.method

    @override
    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    @override
    def check_grant_type(self, grant_type: str) -> bool:
        # https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html: keys only, no shared secret.
        return grant_type in GRANT_TYPES or (grant_type == "client_credentials" and self.method == "private_key_jwt")


class Clients:
    """Every app of one EHR. What is registered while it runs is kept, and stands before the file's entry."""

    def __init__(self, database: Database, of_the_file: list[Registration]) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._of_the_file = {entry.client_id: entry for entry in of_the_file}
        rows = database.rows("SELECT registration FROM clients ORDER BY rowid")
        later = [Registration.model_validate_json(row["registration"]) for row in rows]
        self._clients = {entry.client_id: Client(entry) for entry in [*of_the_file, *later]}

    def __iter__(self) -> Iterator[Client]:
        """Every client, the file's first."""
        return iter(list(self._clients.values()))

    def __len__(self) -> int:
        """How many there are; an EHR without any has nothing to launch."""
        return len(self._clients)

    def get(self, client_id: str) -> Client | None:
        """The client of this id, in whatever state."""
        return self._clients.get(client_id)

    def known(self, client_id: str) -> Client | None:
        """As the authorization server sees it: a disabled client is none."""
        client = self.get(client_id)
        return None if client is None or client.registration.status == "disabled" else client

    def register(self, registration: Registration) -> Client:
        """Add an app, or say about a known one something else. Its keys are read anew."""
        with self._lock:
            self._database.change(
                "INSERT OR REPLACE INTO clients (client_id, registration) VALUES (?, ?)",
                registration.client_id,
                registration.model_dump_json(),
            )
            client = Client(registration)
            self._clients[registration.client_id] = client
        return client

    def forget(self, client_id: str) -> bool:
        """Take back what was registered while the EHR runs; the file's entry stands again if there is one."""
        with self._lock:
            removed = self._database.change("DELETE FROM clients WHERE client_id = ?", client_id) == 1
            if removed and client_id in self._of_the_file:
                self._clients[client_id] = Client(self._of_the_file[client_id])
            elif removed:
                del self._clients[client_id]
        return removed


def load_registrations(file: Path) -> dict[str, list[Registration]]:
    """Read the registrations of all EHRs, by EHR name. Raises UnusableFile."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return {ehr: [Registration.model_validate(entry) for entry in entries] for ehr, entries in document.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UnusableFile(file, 'registered apps per EHR: {"epic": [{"client_id": ...}]}') from error
