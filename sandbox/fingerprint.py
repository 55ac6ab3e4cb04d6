"""Tokens, codes and launches are kept and shown as fingerprints only."""

import hashlib


def fingerprint(secret: str) -> str:
    """The SHA-256 of a token, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
