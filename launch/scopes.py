"""What was asked, what was granted, and what the difference forbids (SMART App Launch 2.2, scopes).

Granted scopes are compared as meaning, not as text: v1 `.read` is v2 `.rs`, a wildcard covers every type,
letter case is ignored (one EHR repeats scopes in mixed case), and `?params` narrow a grant. What cannot be
parsed grants nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

RESOURCE_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Za-z]+)\.([A-Za-z*]+)(?:\?(.*))?", re.IGNORECASE)
V2_INTERACTIONS = re.compile(r"(?=.)c?r?u?d?s?")
WORDS = {
    "read": "rs", "write": "cud", "*": "cruds",
    "create": "c", "update": "u", "delete": "d", "search": "s",
}  # fmt: skip
# What outlives the access token, and the capability that a server lists when it grants it (SMART App Launch 2.2).
LASTING = {"offline_access": "permission-offline", "online_access": "permission-online"}
# A launch has one patient and one user, so for what we do a grant on that patient is as good as one on all
# that the user may see. A system grant never is: nothing is written but under the signer's own authority.
PERSONAL_LEVELS = frozenset({"patient", "user"})


@dataclass(frozen=True)
class ResourceScope:
    """One parsed resource scope: `user/Observation.rs?category=laboratory`. Level and type are lower case."""

    level: str
    resource_type: str
    interactions: frozenset[str]
    constraints: frozenset[tuple[str, str]] = frozenset()

    def covers(self, resource_type: str, interaction: str, constraints: frozenset[tuple[str, str]]) -> bool:
        """Whether this grant permits the interaction on every resource that meets `constraints`."""
        return (
            self.level in PERSONAL_LEVELS
            and self.resource_type in ("*", resource_type.lower())
            and interaction in self.interactions
            and self.constraints <= constraints
        )


@dataclass(frozen=True)
class GrantedScopes:
    """The `scope` of a token response, as the server spelled it, and what it means."""

    text: str

    @cached_property
    def names(self) -> frozenset[str]:
        """Every scope, lower case."""
        return frozenset(self.text.lower().split())

    @cached_property
    def resources(self) -> tuple[ResourceScope, ...]:
        """The resource scopes among them that could be parsed."""
        return tuple(parsed for scope in self.text.split() if (parsed := parse_resource_scope(scope)))

    @property
    def reaches_beyond_the_user(self) -> bool:
        """Whether a `system/` scope is among them: such a token is nobody's own, and no note leaves under it (A63)."""
        return any(scope.level not in PERSONAL_LEVELS for scope in self.resources)

    def allows(self, resource_type: str, interaction: str, query: str = "") -> bool:
        """Whether an interaction (a letter of `cruds`) is granted on a type, or on the part `query` selects.

        True is not permission: the EHR may still refuse the request itself (conformance A31).
        """
        constraints = frozenset(parse_qsl(query))
        return any(scope.covers(resource_type, interaction, constraints) for scope in self.resources)

    def missing(self, needed: Iterable[str]) -> tuple[str, ...]:
        """Return the needed scopes, in either syntax, that this grant does not cover."""
        return tuple(scope for scope in needed if not self._satisfies(scope))

    def _satisfies(self, needed: str) -> bool:
        scope = parse_resource_scope(needed)
        if scope is None:
            return needed.lower() in self.names
        return all(
            any(granted.covers(scope.resource_type, letter, scope.constraints) for granted in self.resources)
            for letter in scope.interactions
        )


def parse_resource_scope(text: str) -> ResourceScope | None:
    """Return a v1 or v2 resource scope, or None for anything else (`openid`, `launch`, junk)."""
    found = RESOURCE_SCOPE.fullmatch(text)
    if found is None:
        return None
    level, resource_type, access, query = found.groups()
    letters = _interactions(access.lower())
    if not letters:
        return None
    return ResourceScope(level.lower(), resource_type.lower(), letters, frozenset(parse_qsl(query or "")))


def scopes_to_request(registered: Iterable[str], capabilities: frozenset[str]) -> tuple[str, ...]:
    """Return the scopes as this server reads them: v2 only where `permission-v2` is listed (A28).

    A lasting scope is left out where the server does not list its capability (A47): some servers refuse a whole
    request for one scope that they do not know.
    """
    asked = [scope for scope in registered if LASTING.get(scope, "") in ("", *capabilities)]
    if "permission-v2" in capabilities:
        return tuple(asked)
    return tuple(dict.fromkeys(_in_v1(scope) for scope in asked))


def standalone_scopes(registered: Iterable[str]) -> tuple[str, ...]:
    """The registered scopes for a launch without a chart: the EHR lets the user choose patient and visit (A12)."""
    chosen = ("launch/patient", "launch/encounter")
    rest = (scope for scope in registered if scope != "launch" and scope not in chosen)
    return (*chosen, *rest)


def _interactions(access: str) -> frozenset[str]:
    # The letters c, r, u, d, s must stand in this order; "read" and the like are v1 words, not letters.
    if access in WORDS:
        return frozenset(WORDS[access])
    return frozenset(access) if V2_INTERACTIONS.fullmatch(access) else frozenset()


def _in_v1(scope: str) -> str:
    found = RESOURCE_SCOPE.fullmatch(scope)
    if found is None or found[3].lower() in WORDS:
        return scope
    letters = _interactions(found[3].lower())
    reads, writes = bool(letters & set("rs")), bool(letters & set("cud"))
    word = {(True, False): "read", (False, True): "write", (True, True): "*"}.get((reads, writes))
    return f"{found[1]}/{found[2]}.{word}" if word else scope
