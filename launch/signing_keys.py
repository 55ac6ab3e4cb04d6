"""The public keys that an EHR signs its id_tokens with, and the issuer name that goes with them.

Both come from the tenant's pinned metadata; nothing in a token can name a key or a place to fetch one (E17).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from launch.discovery import ServerMetadata, endpoint_in
from launch.errors import DiscoveryRefused, IdentityUnverified, KeysUnavailable
from launch.registration import Registration, Sessions
from launch.wire import NoAnswer, fetch

FETCH_SECONDS = 5
FRESH_FOR = timedelta(hours=1)
# While the EHR does not answer, its last answer counts for so long; an answer that withdraws a key counts at once.
USABLE_FOR = timedelta(hours=24)
# A token with an unknown kid makes us fetch again, so that a key published late is found; not more often than
# this, so that forged tokens cannot make us hammer the EHR (A42).
REFETCH_AFTER = timedelta(minutes=1)
SMALLEST_RSA_BITS = 2048

VerificationKey = RSAKey | ECKey


@dataclass(frozen=True)
class _KeySet:
    keys: tuple[VerificationKey, ...]
    fetched_at: datetime
    asked_at: datetime

    def find(self, kid: object) -> VerificationKey | None:
        if kid is None:
            # OIDC Core 10.1: without a kid there must be only one candidate.
            return self.keys[0] if len(self.keys) == 1 else None
        return next((key for key in self.keys if key.kid == kid), None)


@dataclass(frozen=True)
class IdentityProvider:
    """The OIDC side of an EHR: its issuer name and where its keys are."""

    issuer: str
    jwks_uri: str


@dataclass(frozen=True)
class _KnownProvider:
    registration: Registration
    provider: IdentityProvider
    fetched_at: datetime
    asked_at: datetime


class SigningKeys:
    """Looks up verification keys, with a cache per key set address: fresh for an hour, through an outage for a day."""

    def __init__(self, session_for: Sessions, now: Callable[[], datetime]) -> None:
        self._session_for = session_for
        self._now = now
        self._sets: dict[str, _KeySet] = {}
        self._providers: dict[str, _KnownProvider] = {}
        self._lock = Lock()

    def provider(self, registration: Registration, metadata: ServerMetadata) -> IdentityProvider:
        """Issuer and key address: from the SMART configuration, else from the base's openid-configuration.

        Raises `IdentityUnverified` when neither names them (SMART App Launch 2.2, steps for using an
        id_token).
        """
        if metadata.issuer and metadata.jwks_uri:
            return IdentityProvider(metadata.issuer, metadata.jwks_uri)
        known = self._providers.get(registration.tenant_id)
        if known and known.registration == registration and (self._is_fresh(known) or self._is_spared(known)):
            return known.provider
        kept = self._refreshed_provider(registration, known)
        with self._lock:
            self._providers[registration.tenant_id] = kept
        return kept.provider

    def find(self, registration: Registration, provider: IdentityProvider, kid: object) -> VerificationKey:
        """Return the key that a token with this `kid` must verify under. Raises `IdentityUnverified`."""
        known = self._sets.get(provider.jwks_uri)
        key = known.find(kid) if known and (self._is_fresh(known) or self._is_spared(known)) else None
        if key is None and (known is None or not self._was_just_asked(known)):
            kept = self._refreshed_set(registration, provider, known)
            with self._lock:
                self._sets[provider.jwks_uri] = kept
            key = kept.find(kid)
        if key is None:
            raise IdentityUnverified("the id_token names a key that the EHR does not publish")
        return key

    def _is_fresh(self, known: _KeySet | _KnownProvider) -> bool:
        return self._now() - known.fetched_at < FRESH_FOR

    def _is_spared(self, known: _KeySet | _KnownProvider) -> bool:
        # During an outage each launch would wait for the timeout before falling back; one a minute does.
        return self._was_just_asked(known) and self._is_usable(known)

    def _is_usable(self, known: _KeySet | _KnownProvider) -> bool:
        return self._now() - known.fetched_at < USABLE_FOR

    def _was_just_asked(self, known: _KeySet | _KnownProvider) -> bool:
        return self._now() - known.asked_at < REFETCH_AFTER

    def _refreshed_set(self, registration: Registration, provider: IdentityProvider, known: _KeySet | None) -> _KeySet:
        try:
            document = self._get(registration, provider.jwks_uri, "key set")
        except KeysUnavailable:
            if known is None or not self._is_usable(known):
                raise
            return replace(known, asked_at=self._now())
        return _KeySet(read_keys(document), self._now(), self._now())

    def _refreshed_provider(self, registration: Registration, known: _KnownProvider | None) -> _KnownProvider:
        try:
            provider = self._openid_configuration(registration)
        except KeysUnavailable:
            if known is None or known.registration != registration or not self._is_usable(known):
                raise
            return replace(known, asked_at=self._now())
        return _KnownProvider(registration, provider, self._now(), self._now())

    def _openid_configuration(self, registration: Registration) -> IdentityProvider:
        url = f"{registration.fhir_base.rstrip('/')}/.well-known/openid-configuration"
        document = self._get(registration, url, "openid-configuration")
        issuer = document.get("issuer")
        if not isinstance(issuer, str) or registration.oauth_issuer not in (None, issuer):
            raise IdentityUnverified("openid-configuration: issuer is missing or not the registered one")
        try:
            return IdentityProvider(issuer, endpoint_in(document, "jwks_uri", registration))
        except DiscoveryRefused as error:
            raise IdentityUnverified(f"openid-configuration: {error.detail}") from error

    def _get(self, registration: Registration, url: str, what: str) -> dict[str, Any]:
        try:
            answer = fetch(self._session_for(registration), url, {}, seconds=FETCH_SECONDS)
        except NoAnswer as error:
            raise KeysUnavailable(f"{what}: {error}") from error
        if answer.status != 200 or answer.document is None:
            raise KeysUnavailable(f"{what}: answered with status {answer.status} and no JSON object", answer.status)
        return answer.document


def read_keys(document: dict[str, Any]) -> tuple[VerificationKey, ...]:
    """Return the usable RSA and EC signature keys of a JWK Set; symmetric and weak ones are not."""
    entries = document.get("keys")
    return tuple(key for entry in (entries if isinstance(entries, list) else []) if (key := _read_key(entry)))


def _read_key(entry: object) -> VerificationKey | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    try:
        if entry.get("kty") == "EC":
            return ECKey.import_key(entry)
        return RSAKey.import_key(entry) if entry.get("kty") == "RSA" and _is_strong(entry) else None
    except (JoseError, ValueError, TypeError, KeyError):
        # One odd key must not take the others with it; a token signed with it finds no key and is refused.
        return None


def _is_strong(entry: dict[str, Any]) -> bool:
    # Base64 carries six bits a letter; the exact size does not matter, weak moduli are far below.
    return isinstance(entry.get("n"), str) and len(entry["n"]) * 6 >= SMALLEST_RSA_BITS
