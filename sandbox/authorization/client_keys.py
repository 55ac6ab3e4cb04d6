"""An app's public keys, read from the JWKS URL that it registered."""

import threading
import time
from typing import Any

import requests
from flask import g
from joserfc.jwk import JWKRegistry, Key

from sandbox.clock import now
from sandbox.loopback import loopback_session

CACHE_SECONDS = 300
REFETCH_NO_SOONER_THAN_SECONDS = 1
TIMEOUT_SECONDS = 5


class ClientKeys:
    """Cached as SMART's caching rules say; an unknown key id causes one new read.

    Under the `stale_client_keys` knob the copy is kept as long as the knob says, by the EHR's clock, and an unknown
    key id causes no read.
    """

    def __init__(self, jwks_uri: str) -> None:
        self.jwks_uri = jwks_uri
        self._lock = threading.Lock()
        self._keys: list[dict[str, Any]] = []
        self._read_at: float | None = None
        self._read_last = float("-inf")

    def find(self, kid: str) -> Key | None:
        """The key with this id, or None when the app publishes none. Raises `requests.RequestException`."""
        stale_for = g.get("client_keys_seconds")
        with self._lock:
            if not self._is_fresh(CACHE_SECONDS if stale_for is None else stale_for):
                self._read()
            found = self._with_id(kid)
            if found is None and stale_for is None and self._may_read_again():
                self._read()
                found = self._with_id(kid)
            return found

    def _with_id(self, kid: str) -> Key | None:
        matching = [key for key in self._keys if key.get("kid") == kid]
        # Two keys under one id say nothing about which is meant.
        return JWKRegistry.import_key(matching[0]) if len(matching) == 1 else None

    def _is_fresh(self, seconds: float) -> bool:
        # A copy from the future was read before the clock was set back.
        return self._read_at is not None and 0 <= now() - self._read_at <= seconds

    def _may_read_again(self) -> bool:
        return time.monotonic() - self._read_last > REFETCH_NO_SOONER_THAN_SECONDS

    def _read(self) -> None:
        with loopback_session() as session:
            reply = session.get(self.jwks_uri, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        reply.raise_for_status()
        try:
            self._keys = reply.json()["keys"]
        except (KeyError, TypeError) as error:
            raise requests.exceptions.InvalidJSONError("the JWKS URL does not answer a JWK Set") from error
        self._read_at, self._read_last = now(), time.monotonic()
