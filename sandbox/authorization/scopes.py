"""SMART scopes, v1 and v2: what is asked, what is granted, what a granted scope allows.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from flask import g

from sandbox.personality import Authorization

ALL = "cruds"
V1 = {"read": "rs", "write": "cud", "*": ALL}
LAUNCH_SCOPES = frozenset({"launch", "openid", "fhirUser", "profile", "launch/patient", "launch/encounter"})
LASTING_SCOPES = {"offline_access": "permission-offline", "online_access": "permission-online"}
_RESOURCE_SCOPE = re.compile(r"(patient|user|system)/([A-Za-z]+|\*)\.([a-zA-Z*]+)(?:\?(.+))?")


class ScopeRefused(Exception):
    """The whole request fails because of one scope (the vendor works that way)."""


@dataclass(frozen=True)
class ResourceScope:
    """One resource scope: `user/Observation.rs?category=vital-signs`."""

    context: str
    resource: str
    letters: str
    constraint: str = ""

    def covers(self, resource_type: str, letter: str) -> bool:
        """Whether this scope speaks of that interaction on that type."""
        return self.resource in ("*", resource_type) and letter in self.letters

    @property
    def search(self) -> list[tuple[str, str]]:
        """The constraint of a granular scope, as search parameters."""
        return parse_qsl(self.constraint)


def parse_scope(text: str) -> ResourceScope | None:
    """One resource scope in either spelling (case is ignored in v1's words); None for any other scope."""
    match = _RESOURCE_SCOPE.fullmatch(text)
    if match is None:
        return None
    context, resource, permission, constraint = match.groups()
    letters = V1.get(permission.lower(), permission)
    if not letters or "".join(sorted(letters, key=ALL.find)) != letters or not set(letters) <= set(ALL):
        return None
    return ResourceScope(context, resource, letters, constraint or "")


def resource_scopes(granted: str) -> list[ResourceScope]:
    """The resource scopes in a granted scope string."""
    return [scope for text in granted.split() if (scope := parse_scope(text)) is not None]


def grant_scopes(requested: str, rules: Authorization, app_record: Iterable[str] | None) -> str:
    """What this vendor grants for what was asked. Raises ScopeRefused where one bad scope fails all."""
    offered = tuple(app_record if app_record is not None else rules.app_record_scopes)
    asked = list(dict.fromkeys(requested.split()))
    granted = [text for text in asked if _is_granted_as_is(text, rules)]
    if rules.scope_source == "app_record":
        return " ".join([*granted, *offered])
    for text in asked:
        if text not in granted:
            granted += _granted_resource_scope(text, offered, rules)
    return " ".join(granted)


def really_granted(granted: str) -> str:
    """What was granted, after the `scopes_...` knobs."""
    change = g.get("change_scopes")
    return " ".join(change(granted.split())) if change else granted


def without_letters(granted: list[str], letters: str) -> list[str]:
    """The scopes without these permissions; one that allows nothing any more is left out."""
    return [kept for text in granted if (kept := _reduced(text, letters))]


def respelled(granted: list[str], spelling: Literal["v1", "v2"]) -> list[str]:
    """The same permissions in the other version's words."""
    spelled: list[str] = []
    for text in granted:
        scope = parse_scope(text)
        spelled += [text] if scope is None else _in_words(scope, scope.letters, spelling)
    return list(dict.fromkeys(spelled))


def _reduced(text: str, letters: str) -> str:
    scope = parse_scope(text)
    if scope is None or not set(scope.letters) & set(letters):
        return text
    left = "".join(letter for letter in scope.letters if letter not in letters)
    return " ".join(_in_words(scope, left, "v2")) if left else ""


def _is_granted_as_is(text: str, rules: Authorization) -> bool:
    return text in LAUNCH_SCOPES or LASTING_SCOPES.get(text) in rules.capabilities


def _granted_resource_scope(text: str, offered: Iterable[str], rules: Authorization) -> list[str]:
    asked = parse_scope(text)
    possible = asked is not None and (rules.wildcards or asked.resource != "*")
    letters = _offered_letters(asked, offered) if asked is not None and possible else ""
    complete = asked is not None and letters == asked.letters
    if rules.unknown_scopes == "refused" and not complete:
        raise ScopeRefused(text)
    return _spell(asked, letters, text, rules) if asked is not None and letters else []


def _offered_letters(asked: ResourceScope, offered: Iterable[str]) -> str:
    letters: set[str] = set()
    for text in offered:
        scope = parse_scope(text)
        if scope and scope.context == asked.context and scope.resource in ("*", asked.resource):
            letters |= set(scope.letters)
    return "".join(letter for letter in asked.letters if letter in letters)


def _spell(asked: ResourceScope, letters: str, text: str, rules: Authorization) -> list[str]:
    if rules.scope_spelling == "as_requested" and letters == asked.letters:
        return [text]
    return _in_words(asked, letters, "v1" if rules.scope_spelling == "v1" else "v2")


def _in_words(scope: ResourceScope, letters: str, spelling: Literal["v1", "v2"]) -> list[str]:
    stem = f"{scope.context}/{scope.resource}"
    if spelling == "v1":
        words = {"read": set("rs"), "write": set("cud")}
        return [f"{stem}.{word}" for word, meaning in words.items() if meaning & set(letters)]
    return [f"{stem}.{letters}" + (f"?{scope.constraint}" if scope.constraint else "")]
