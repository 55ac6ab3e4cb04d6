"""Encryption at rest: AES-256-GCM envelopes.

Every sealed value has its own random key, wrapped by a key of the keyring. Rotation re-wraps the small key and
leaves the ciphertext alone, so a digest of the ciphertext can stand in the event log for ever; erasing the wrapped
key erases the meaning. The context (tenant, table, row) is authenticated: a ciphertext moved to another row or
tenant does not open.
"""

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import Corrupt, Misconfigured

NONCE_BYTES = 12
KEY_BYTES = 32


@dataclass(frozen=True)
class Sealed:
    """A ciphertext (nonce first), the wrapped key that opens it and the id of the key that wrapped it."""

    ciphertext: bytes
    wrapped_key: bytes
    key_id: str


class Keyring:
    """Master keys by id, newest first: the first seals, all of them open."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise Misconfigured("Sealing keys must be 32 bytes each, written as id:base64, at least one of them.")
        self._keys = keys
        self._newest = next(iter(keys))

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    def mac(self, message: str, purpose: str) -> str:
        """A keyed fingerprint of `message`: equal for equal messages, of no use to whoever sees it."""
        key = hmac.new(self._keys[self._newest], purpose.encode(), hashlib.sha256).digest()
        return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()

    def seeds(self, purpose: str) -> list[bytes]:
        """32 secret bytes of each key for another purpose, the newest key's first; they say nothing about the keys."""
        return [hmac.new(key, purpose.encode(), hashlib.sha256).digest() for key in self._keys.values()]

    def seal(self, plaintext: bytes, context: str) -> Sealed:
        """Encrypt `plaintext` so that it opens only under the same `context`."""
        random = secrets.token_bytes(KEY_BYTES + 2 * NONCE_BYTES)  # asked for once: it is what costs most here
        key, nonces = random[:KEY_BYTES], random[KEY_BYTES:]
        wrapped = _encrypt(self._keys[self._newest], nonces[:NONCE_BYTES], key, context)
        return Sealed(_encrypt(key, nonces[NONCE_BYTES:], plaintext, context), wrapped, self._newest)

    def open(self, sealed: Sealed, context: str) -> bytes:
        """The plaintext. Raises `Corrupt` when bytes or context were changed, or the key is unknown."""
        master = self._keys.get(sealed.key_id)
        if master is None:
            raise Corrupt(f"The sealing key {sealed.key_id} is not in the keyring.")
        return _decrypt(_decrypt(master, sealed.wrapped_key, context), sealed.ciphertext, context)


def load_keyring(configured: str, home: Path) -> Keyring:
    """The keyring from `COUNTERSIGN_SEALING_KEYS`, else from a key file in `home`, made at the first start."""
    if configured:
        return Keyring(dict(_parse_key(part) for part in configured.split(",")))
    path = home / "sealing.key"
    if not path.exists():
        _write_new_key(path)
    return Keyring(dict([_parse_key(path.read_text().strip())]))


def _write_new_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    draft.write_text(f"k1:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n")
    try:
        os.link(draft, path)  # atomic: of two processes starting at once, one key wins and both use it
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _parse_key(part: str) -> tuple[str, bytes]:
    key_id, _, encoded = part.strip().partition(":")
    try:
        return key_id, base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise Misconfigured(f"The sealing key {key_id!r} is not base64.") from error


def _encrypt(key: bytes, nonce: bytes, plaintext: bytes, context: str) -> bytes:
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context.encode())


def _decrypt(key: bytes, ciphertext: bytes, context: str) -> bytes:
    try:
        return AESGCM(key).decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], context.encode())
    except InvalidTag as error:
        raise Corrupt("A sealed value does not open: it was changed, moved, or sealed for something else.") from error
