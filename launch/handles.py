"""One-time handles: how a launch goes on in another window, or after a look at whether the browser keeps cookies.

A new window is another cookie partition, so nothing that identifies a session could be of use there; what goes along
is a random handle that works once and stands for what the EHR asked for (conformance E03, E04).
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from launch.errors import HandleRefused
from launch.transaction import TIME_LIMIT, AskedLaunch, digest, new_secret

Purpose = Literal["check", "continue"]
Rung = Literal["frame", "storage_access", "window"]
"""Where the cookie is tried: in the EHR's frame, there again after the clinician allowed it, in a window of its own."""

HANDLE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class WaitingLaunch:
    """A launch that was asked for and not yet sent to the EHR. Stored sealed, under the digest of its handle.

    `fhir_base` and `client_id` are the registration's at the time, and must be the same when the launch goes on.
    `probe_digest` is of the secret in the cookie that a check looks for; empty where nothing is looked for yet.
    """

    handle_digest: str
    purpose: Purpose
    tenant_id: str
    asked: AskedLaunch
    rung: Rung
    expires_at: datetime
    fhir_base: str = ""
    client_id: str = ""
    probe_digest: str = ""


@dataclass(frozen=True)
class NewHandle:
    """A launch to store, its handle for an address, and the secret for its cookie."""

    waiting: WaitingLaunch
    handle: str = field(repr=False)
    probe: str = field(repr=False)


def new_handle(
    purpose: Purpose, tenant_id: str, asked: AskedLaunch, rung: Rung, now: datetime, *, fhir_base: str, client_id: str
) -> NewHandle:
    """Return a fresh handle of 256 random bits, for one use within ten minutes."""
    handle, probe = new_secret(), new_secret() if purpose == "check" else ""
    waiting = WaitingLaunch(
        handle_digest=handle_digest(handle),
        purpose=purpose,
        tenant_id=tenant_id,
        asked=asked,
        rung=rung,
        expires_at=now + TIME_LIMIT,
        fhir_base=fhir_base,
        client_id=client_id,
        probe_digest=digest(probe) if probe else "",
    )
    return NewHandle(waiting, handle, probe)


def read_handle(text: str) -> str:
    """Return the digest to look a handle up by. Raises `HandleRefused` for what was never a handle."""
    if not HANDLE.fullmatch(text):
        raise HandleRefused("not a handle")
    return handle_digest(text)


def handle_digest(handle: str) -> str:
    """BLAKE2 with a name of its own, so that no `state` can ever be looked up as a handle or the other way round."""
    return hashlib.blake2b(handle.encode(), digest_size=32, person=b"launch handle").hexdigest()


def require_waiting(waiting: WaitingLaunch | None, purpose: Purpose, now: datetime) -> WaitingLaunch:
    """Return the launch that a handle stood for; it is spent either way. Raises `HandleRefused`."""
    if waiting is None or waiting.purpose != purpose:
        raise HandleRefused("unknown or already used")
    if now >= waiting.expires_at:
        raise HandleRefused("over the time limit")
    return waiting


def require_unchanged(waiting: WaitingLaunch, *, fhir_base: str, client_id: str) -> None:
    """Raise `HandleRefused` unless the registration is still what it was when the handle was given out."""
    if (waiting.fhir_base, waiting.client_id) != (fhir_base, client_id):
        raise HandleRefused("the FHIR base or the client id was changed since the launch began")


def kept_cookie(waiting: WaitingLaunch, presented: str) -> bool:
    """Whether the browser brought back the secret that it was given for this check."""
    return bool(waiting.probe_digest) and hmac.compare_digest(digest(presented), waiting.probe_digest)
