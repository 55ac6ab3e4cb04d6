"""What happens to administrators and their sign-ins. All of it is in the log of the reserved tenant `console`.

No name and nothing that was typed: accounts by id, and of an unknown name only enough to tell two of them apart.
"""

from typing import ClassVar

from app.event_log.event import Event


class AdministratorCreated(Event):
    """An account was made, with these roles; `issuer` is `local` or the identity provider's."""

    tag: ClassVar[str] = "admin:created"

    account_id: str
    issuer: str
    roles: str


class AdministratorSignedIn(Event):
    """A session began; by `password` or by `provider`."""

    tag: ClassVar[str] = "admin:signed:in"

    account_id: str
    method: str


class AdministratorSignInFailed(Event):
    """Somebody was not let in. `account_id` is empty when no account was found; then `name_mark` tells names apart."""

    tag: ClassVar[str] = "admin:sign:in:failed"

    method: str
    reason: str
    account_id: str = ""
    name_mark: str = ""


class AdministratorSignedOut(Event):
    """A session was ended by its owner."""

    tag: ClassVar[str] = "admin:signed:out"

    account_id: str


class AdministratorDisabled(Event):
    """The account opens nothing any more; its sessions ended with this."""

    tag: ClassVar[str] = "admin:disabled"

    account_id: str
    sessions_ended: int


class AdministratorRolesChanged(Event):
    """The account has these roles from now on; `because` is `asked` or `provider` (the claim said so at sign-in)."""

    tag: ClassVar[str] = "admin:roles:changed"

    account_id: str
    before: str
    after: str
    because: str
