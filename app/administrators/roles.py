"""What each role may see and do: one table, asked by every page and before every act. What it does not say is refused.

Separation of duties: who registers tenants does not read the audit trail, and who reads it changes nothing.
Source: conformance E11, E30 (45 CFR 164.312(a)(1), 164.308(a)(4): access by role).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.errors import Misconfigured


class Role(StrEnum):
    """What an administrator is for the organisation."""

    IT_ADMIN = "it_admin"
    COMPLIANCE = "compliance"
    OPERATIONS = "operations"
    PRODUCT = "product"


class Area(StrEnum):
    """A group of pages that are seen together or not at all."""

    TENANTS = "tenants"
    LAUNCHES = "launches"
    ACCOUNTS = "accounts"
    AUDIT = "audit"
    OPERATIONS = "operations"


class Act(StrEnum):
    """Something that an administrator changes. Each leaves an event in the log."""

    REGISTER_TENANT = "register_tenant"
    CHANGE_TENANT = "change_tenant"
    RETIRE_TENANT = "retire_tenant"
    TURN_SWITCH = "turn_switch"
    CHANGE_PHASE = "change_phase"
    ROTATE_KEY = "rotate_key"
    KEEP_SECRET = "keep_secret"  # noqa: S105 - the name of an act
    END_WRITE = "end_write"
    CHANGE_ROLES = "change_roles"
    DISABLE_ACCOUNT = "disable_account"


@dataclass(frozen=True)
class Rights:
    """One row of the table: what the role is for, in words, what it sees and what it does."""

    words: str
    areas: frozenset[Area]
    acts: frozenset[Act]


RIGHTS = {
    Role.IT_ADMIN: Rights(
        "registers EHRs, keeps keys and secrets, looks after accounts",
        frozenset({Area.TENANTS, Area.LAUNCHES, Area.ACCOUNTS, Area.OPERATIONS}),
        frozenset(Act),
    ),
    Role.COMPLIANCE: Rights(
        "reads the audit trail; changes nothing",
        frozenset({Area.TENANTS, Area.AUDIT}),
        frozenset(),
    ),
    Role.OPERATIONS: Rights(
        "watches the writes, ends those that stopped, finds failed launches, turns switches",
        frozenset({Area.TENANTS, Area.LAUNCHES, Area.OPERATIONS}),
        frozenset({Act.TURN_SWITCH, Act.END_WRITE}),
    ),
    Role.PRODUCT: Rights(
        "decides how far each workflow may go",
        frozenset({Area.TENANTS, Area.OPERATIONS}),
        frozenset({Act.CHANGE_PHASE}),
    ),
}
if RIGHTS.keys() != set(Role):
    raise TypeError("every role needs its row of rights")


TOGETHER = "One account cannot be it_admin and compliance at once: who looks after accounts does not read the trail."
TWO_ACCOUNTS = ("Whoever does both has two accounts, one for each, with two names.",)


def roles_conflict(roles: Iterable[Role]) -> bool:
    """Whether these roles may not meet in one account: nobody should open the trail of what they did themselves."""
    return {Role.IT_ADMIN, Role.COMPLIANCE} <= set(roles)


def may_see(roles: Iterable[Role], area: Area) -> bool:
    """Whether any of these roles sees these pages."""
    return any(area in RIGHTS[role].areas for role in roles)


def may_do(roles: Iterable[Role], act: Act) -> bool:
    """Whether any of these roles may do this."""
    return any(act in RIGHTS[role].acts for role in roles)


def roles_of(written: str) -> tuple[Role, ...]:
    """The roles as they are stored, "compliance,product". Names that no release knows any more give no right."""
    known = {role.value: role for role in Role}
    return tuple(known[name] for name in written.split(",") if name in known)


def written(roles: Iterable[Role]) -> str:
    """The roles in one order, each once, as they are stored."""
    given = set(roles)
    return ",".join(role for role in Role if role in given)


class RoleMapping:
    """Which value of an identity provider's claim gives which role.

    Written `value=role, value=role`. A value may hold blanks and equals signs (a directory's group names do), but no
    comma; a name with commas is mapped by its id there. Raises `Misconfigured` naming the entry that cannot be read.
    """

    def __init__(self, claim: str, written_mapping: str) -> None:
        self._claim = claim
        self._pairs = [_pair(entry.strip()) for entry in written_mapping.split(",") if entry.strip()]

    def roles(self, claims: dict[str, object]) -> tuple[Role, ...]:
        """The roles that these verified claims give; none when the claim is missing or not a name or a list of such."""
        held = claims.get(self._claim)
        values = [held] if isinstance(held, str) else held if isinstance(held, list) else []
        return roles_of(written(role for value, role in self._pairs if value in values))


def _pair(entry: str) -> tuple[str, Role]:
    value, _, role = entry.rpartition("=")
    found = roles_of(role.strip())
    if not value.strip() or not found:
        names = ", ".join(Role)
        raise Misconfigured(f"COUNTERSIGN_ADMIN_OIDC_ROLES: {entry!r} is not VALUE=ROLE with a role of {names}.")
    return value.strip(), found[0]
