"""One launch between its two requests: what must be remembered until the EHR answers."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class LaunchTransaction:
    """A launch that waits for its callback. Kept server side only, keyed by the digest of its state.

    The state and the browser's secret are stored as digests: a copy of the store lets nobody answer for a
    launch. The verifier must be stored as it is, so the store seals it.
    """

    state_digest: str
    browser_digest: str
    tenant_id: str
    issuer: str
    redirect_uri: str
    code_verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    response_issuer: str | None
    response_issuer_required: bool
    expires_at: datetime


def digest(secret: str) -> str:
    """SHA-256 in hex; for values of 256 random bits, which need neither salt nor stretching."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


def cookie_name(state_digest: str) -> str:
    """Return the name of the cookie that binds one launch to one browser; parallel launches never collide."""
    return f"__Host-countersign-tx-{state_digest[:10]}"
