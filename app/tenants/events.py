"""What happens around a launch, and to a tenant: registration, move, keys, secrets, switches, phases, writes woken."""

from datetime import datetime
from typing import Any, ClassVar

from app.event_log.event import Event


class LaunchCompleted(Event):
    """A clinician opened a chart with us: who, in which chart and visit, with which scopes granted."""

    tag: ClassVar[str] = "launch:completed"

    launch_id: str
    issuer: str
    subject: str
    fhir_user: str
    patient: str
    encounter: str | None
    scopes: str


class TenantRegistered(Event):
    """A registration was added by a command or a page. It holds references to secrets, never a secret."""

    tag: ClassVar[str] = "tenant:registered"

    revision: int
    document: dict[str, Any]


class TenantChanged(Event):
    """A registration was changed: which fields, and the whole of it as it is now."""

    tag: ClassVar[str] = "tenant:changed"

    revision: int
    fields_changed: tuple[str, ...]
    document: dict[str, Any]


class TenantMoved(Event):
    """An administrator says that the EHR at one address is the one that is at another now."""

    tag: ClassVar[str] = "tenant:moved"

    fhir_base: str
    moved_to: str
    reason: str


class TenantRetired(Event):
    """A registration was ended; its id stays taken."""

    tag: ClassVar[str] = "tenant:retired"

    revision: int


class TenantKeyMade(Event):
    """A key of ours was made: published from now on, signing from `signs_from`."""

    tag: ClassVar[str] = "tenant:key:made"

    kid: str
    algorithm: str
    signs_from: datetime


class TenantKeyRetired(Event):
    """A key of ours has an end: it is published until then, so that what it signed can still be checked."""

    tag: ClassVar[str] = "tenant:key:retired"

    kid: str
    published_until: datetime
    at_once: bool


class TenantSwitchTurned(Event):
    """Writing was switched off or on: for the tenant, one workflow (empty: all) or one resource (empty: all)."""

    tag: ClassVar[str] = "tenant:switch:turned"

    workflow: str
    resource: str
    off: bool
    reason: str


class TenantPhaseChanged(Event):
    """How far a workflow may go was changed."""

    tag: ClassVar[str] = "tenant:phase:changed"

    workflow: str
    before: str
    phase: str


class TenantSecretKept(Event):
    """A secret was sealed under this name, replacing what was there."""

    tag: ClassVar[str] = "tenant:secret:kept"

    name: str


class TenantIdentifierLost(Event):
    """The EHR stored a write without our identifier, for the first time: no absence proves anything there any more."""

    tag: ClassVar[str] = "tenant:identifier:lost"

    resource_type: str
    writeback_id: str


class TenantAcceptedForLater(Event):
    """The EHR answered 202, for the first time: it files when it likes, and no absence proves anything any more."""

    tag: ClassVar[str] = "tenant:later:accepted"

    resource_type: str
    writeback_id: str


class TenantWriteWoken(Event):
    """A write that our own code had broken on was given to the workers again."""

    tag: ClassVar[str] = "tenant:write:woken"

    writeback_id: str


class LaunchWasEnded(Event):
    """A launch was ended before its time: signed out, another person's turn, or its tenant was retired."""

    tag: ClassVar[str] = "launch:ended"

    launch_id: str
    reason: str


class GrantRenewed(Event):
    """The launch's tokens were renewed, for the so-manieth time; the new pair was stored before it was used."""

    tag: ClassVar[str] = "launch:grant:renewed"

    launch_id: str
    renewals: int
    expires_at: datetime


class GrantEnded(Event):
    """The launch's tokens are of no use any more: an OAuth error code, or what the EHR changed in them."""

    tag: ClassVar[str] = "launch:grant:ended"

    launch_id: str
    reason: str


class GrantReturned(Event):
    """The launch's tokens were erased here; `revoked` where the EHR said that it had revoked them before."""

    tag: ClassVar[str] = "launch:grant:returned"

    launch_id: str
    revoked: bool
