"""One launch between its two requests: what must be remembered until the EHR answers."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

TIME_LIMIT = timedelta(minutes=10)
# 32 random bytes each: ASVS 11.5.1 asks for 128 bits and does not take UUIDs.
SECRET_BYTES = 32


@dataclass(frozen=True)
class AskedLaunch:
    """What was asked of us. `launch` is opaque: echoed, never decoded, logged or shown; a standalone one has none."""

    issuer: str
    launch: str | None = field(repr=False)

    @property
    def kind(self) -> Literal["ehr", "standalone"]:
        """Whether a chart asked, or a person with a link."""
        return "standalone" if self.launch is None else "ehr"


@dataclass(frozen=True)
class LaunchTransaction:
    """A launch that waits for its callback. Kept server side only, keyed by the digest of its state.

    The state and the browser's secret are stored as digests: a copy of the store lets nobody answer for a
    launch. The verifier must be stored as it is, so the store seals it. What it was begun with must still hold at the
    callback, or the code, the verifier and our secret would go to whoever the registration names by then; an empty
    value, of a launch begun before this was kept, never holds. The last three are for the trace.
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
    fhir_base: str = ""
    client_id: str = ""
    token_endpoint: str = ""
    kind: Literal["ehr", "standalone"] = "ehr"
    is_framed: bool = False
    requested_scopes: tuple[str, ...] = ()


def new_secret() -> str:
    """256 random bits, for a cookie, a state, a verifier, a nonce or a handle."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """SHA-256 in hex; for values of 256 random bits, which need neither salt nor stretching."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


def cookie_name(state_digest: str) -> str:
    """Return the name of the cookie that binds one launch to one browser; parallel launches never collide."""
    return f"__Host-countersign-tx-{state_digest[:10]}"
