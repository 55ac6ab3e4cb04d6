"""Canonical bytes: the one form in which anything is hashed, stored or sent."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no white space; refuses NaN. Equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(content: bytes) -> str:
    """SHA-256 as lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()
