"""What one EHR product is documented to do, loaded from `smart-config/vendors/<name>.yaml`.

The profile is total: every resource type x interaction has a cell, and every cell says who says so.
A "yes" without a source is refused, because a write that nobody documents must not be switched on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vendors.contract import INTERACTIONS, RESOURCE_TYPES, Capability, Cited, FileAs
from vendors.onboarding import Onboarding, onboarding_problems
from vendors.strict_yaml import read_yaml

ClientAuthentication = Literal[
    "private_key_jwt", "client_secret_basic", "client_secret_post", "client_secret_jwt", "none"
]
Algorithm = Literal["RS384", "ES384"]
SignIn = Literal["in_frame", "top_window"]
Interactions = Literal["read", "search", "create", "update", "patch", "delete"]
# A new document that replaces the first, the same document updated, or a new document that adds to the first.
Amendment = Literal["replaces", "in_place", "addendum"]
Retraction = Literal["update", "patch", "none"]
Value = TypeVar("Value")

_CELL = "{support: yes|no|unknown, source: <a key of sources>, confidence: documented|reported|uncertain}"


class ProfileRefused(ValueError):
    """A profile cannot be used; the message names the file, each place, and what to write there."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Strict):
    """A document that statements rest on: what it is and where it can be read."""

    title: str = Field(min_length=1)
    address: str = Field(min_length=1)


class Rule(Cited, Generic[Value]):
    """One cited value, such as the attachment's content type."""

    value: Value


class ScopeNeed(_Strict):
    """One scope that Countersign asks for, in both SMART spellings, and why."""

    v1: str
    v2: str
    reason: str = Field(min_length=1)
    required: bool


class DiscoveryHeader(Cited):
    """A header for the discovery call; `{client_id}` stands for the registration's client id."""

    header: str
    value: str


class Statement(Cited):
    """A sentence for the clinician, with its source."""

    says: str = Field(min_length=1)


class LandingNotice(_Strict):
    """Where a note will land: the headline, and the sentences behind it."""

    headline: str = Field(min_length=1)
    why: tuple[Statement, ...] = Field(min_length=1)


class Landing(_Strict):
    """The words for each way a note can leave: filed as final, as preliminary, or not filed."""

    final: LandingNotice | None
    preliminary: LandingNotice | None
    not_filed: LandingNotice


class EntryRules(_Strict):
    """What the EHR gives back of the other resources that are filed, so that a lost one can be found again."""

    identifier_search: Capability
    conditional_create: Capability

    @property
    def absence_can_be_proven(self) -> bool:
        """Tell whether an entry that is not found is certainly not there; see `NoteRules.absence_can_be_proven`."""
        return "yes" in (self.identifier_search.support, self.conditional_create.support)


class NoteRules(_Strict):
    """What the EHR demands of a clinical note, and what it gives back."""

    content_type: Rule[str]
    max_bytes: Rule[int]
    encounter_required: Rule[bool]
    doc_status: Mapping[FileAs, Rule[Literal["signed", "unsigned", "refused"]]]
    response: Rule[str]
    search_parameters: Rule[tuple[str, ...]]
    identifier_search: Capability
    conditional_create: Capability
    longest_execution_seconds: Rule[int]
    search_lag_seconds: Rule[int]
    excluded_types: Rule[tuple[str, ...]]
    amendment: Rule[tuple[Amendment, ...]]
    retraction: Rule[Retraction]

    @property
    def absence_can_be_proven(self) -> bool:
        """Tell whether a note that is not found is certainly not there, so that sending it again files it once."""
        return "yes" in (self.identifier_search.support, self.conditional_create.support)


class Profile(_Strict):
    """One EHR product: its capabilities, rules and words, each with source and confidence."""

    name: str
    version: str
    title: str
    product: str
    sources: Mapping[str, Source]
    discovery_headers: tuple[DiscoveryHeader, ...]
    client_authentication: Rule[tuple[ClientAuthentication, ...]]
    assertion_algorithms: Rule[tuple[Algorithm, ...]]
    sign_in: Rule[SignIn]
    search_page_size: Rule[int | None]
    scopes: tuple[ScopeNeed, ...]
    capabilities: Mapping[str, Mapping[Interactions, Capability]]
    note: NoteRules
    entry: EntryRules
    landing: Landing
    onboarding: Onboarding

    def capability(self, resource_type: str, interaction: str) -> Capability:
        """Return the cell; raises KeyError only for names outside the fixed lists."""
        return self.capabilities[resource_type][interaction]  # type: ignore[index]

    def supports(self, resource_type: str, interaction: str) -> bool:
        """Tell whether the cell says yes; "unknown" is not a yes."""
        return self.capability(resource_type, interaction).support == "yes"

    def retraction_of(self, resource_type: str) -> Retraction:
        """Return how a filed resource is marked as entered in error: a note by its rule, an entry by what is taken."""
        if resource_type == "DocumentReference":
            return self.note.retraction.value
        ways: tuple[Literal["update", "patch"], ...] = ("update", "patch")
        return next((way for way in ways if self.supports(resource_type, way)), "none")

    def without_identifiers(self) -> Self:
        """Return the profile of an EHR that was seen to drop our identifier: nothing finds by it there."""
        dropped = Capability(support="no", confidence="reported", note="Seen in this EHR: it dropped our identifier.")
        gone = {"identifier_search": dropped, "conditional_create": dropped}
        rules = {"note": self.note.model_copy(update=gone), "entry": self.entry.model_copy(update=gone)}
        return self.model_copy(update=rules)

    def landing_for(self, file_as: FileAs) -> LandingNotice:
        """Return the words for a note that is to be filed so, or that cannot be filed at all."""
        filed = self.landing.final if file_as == "final" else self.landing.preliminary
        if not self.supports("DocumentReference", "create") or filed is None:
            return self.landing.not_filed
        return filed

    def discovery_headers_for(self, client_id: str) -> dict[str, str]:
        """Return the headers that this product wants on the discovery call."""
        return {one.header: one.value.replace("{client_id}", client_id) for one in self.discovery_headers}

    def scope_strings(self, *, v2: bool, required_only: bool = False) -> tuple[str, ...]:
        """Return the scopes to ask for, in SMART v2 or v1 spelling, without repeats."""
        needed = [need for need in self.scopes if need.required or not required_only]
        return tuple(dict.fromkeys(need.v2 if v2 else need.v1 for need in needed))

    @model_validator(mode="after")
    def _complete_and_cited(self) -> Self:
        problems = [*_cell_problems(self.capabilities), *_citation_problems(self), *_landing_problems(self)]
        problems += _change_problems(self)
        problems += onboarding_problems(self.onboarding)
        if problems:
            raise ValueError("\n".join(problems))
        return self


def load_profile(path: Path) -> Profile:
    """Read and check one profile. Raises ProfileRefused with every problem of the file at once."""
    try:
        profile = Profile.model_validate(read_yaml(path.read_text(encoding="utf-8")))
    except OSError as failure:
        raise ProfileRefused(f"{path}: cannot be read: {failure.strerror}") from failure
    except (yaml.YAMLError, UnicodeDecodeError) as failure:
        raise ProfileRefused(f"{path}: is not readable YAML: {failure}") from failure
    except ValidationError as failure:
        raise ProfileRefused("\n".join(_lines(path, failure))) from failure
    if profile.name != path.stem:
        raise ProfileRefused(f"{path}: name is {profile.name!r}; write {path.stem!r}, the file's own name")
    return profile


def _lines(path: Path, failure: ValidationError) -> Iterator[str]:
    for error in failure.errors():
        place = ".".join(str(part) for part in error["loc"])
        for line in error["msg"].removeprefix("Value error, ").splitlines():
            yield f"{path}: {place}: {line}" if place else f"{path}: {line}"


def _cell_problems(capabilities: Mapping[str, Mapping[Any, Capability]]) -> Iterator[str]:
    for resource_type in RESOURCE_TYPES:
        for interaction in INTERACTIONS:
            if interaction not in capabilities.get(resource_type, {}):
                yield f"capabilities.{resource_type}.{interaction} is missing; write {_CELL}"
    for unknown in sorted(set(capabilities) - set(RESOURCE_TYPES)):
        yield f"capabilities.{unknown} is not one of the resource types that Countersign uses; remove it"


def _citation_problems(profile: Profile) -> Iterator[str]:
    for place, cited in _cited(profile, ""):
        if cited.source is not None and cited.source not in profile.sources:
            yield f"{place}: source {cited.source!r} is not a key of sources; add it there or name another"
        yield from _claim_problems(place, cited)


def _claim_problems(place: str, cited: Cited) -> Iterator[str]:
    says_unknown = isinstance(cited, Capability) and cited.support == "unknown"
    if cited.source is None and isinstance(cited, Capability) and cited.support == "yes":
        yield f"{place}: says yes without a source; name one, or write support: unknown"
    elif cited.source is None and cited.confidence != "uncertain":
        yield f"{place}: is {cited.confidence} without a source; name one, or write confidence: uncertain"
    if (says_unknown or cited.confidence == "uncertain") and not cited.note:
        yield f"{place}: is not certain; write a note that says what is not known"


def _cited(value: object, place: str) -> Iterator[tuple[str, Cited]]:
    """Walk the profile and yield each cited statement with its place."""
    if isinstance(value, Cited):
        yield place, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _cited(getattr(value, name), f"{place}.{name}".lstrip("."))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _cited(item, f"{place}.{key}")
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _cited(item, f"{place}.{number}")


def _landing_problems(profile: Profile) -> Iterator[str]:
    cell = profile.capabilities.get("DocumentReference", {}).get("create")
    takes_notes = cell is not None and cell.support == "yes"
    for file_as, rule in profile.note.doc_status.items():
        notice = profile.landing.final if file_as == "final" else profile.landing.preliminary
        if takes_notes and rule.value != "refused" and notice is None:
            yield f"landing.{file_as} is empty; write a headline and why, or doc_status refused"


# Which interaction each way of changing a filed note travels by; a way without its interaction could not be gone.
_TRAVELS_BY: Mapping[Amendment, Interactions] = {"replaces": "create", "in_place": "update", "addendum": "create"}


def _change_problems(profile: Profile) -> Iterator[str]:
    cells = profile.capabilities.get("DocumentReference", {})
    needed = {f"note.amendment names {way}": _TRAVELS_BY[way] for way in profile.note.amendment.value}
    retraction = profile.note.retraction.value
    if retraction != "none":
        needed[f"note.retraction is {retraction}"] = retraction
    for said, interaction in needed.items():
        if interaction in cells and cells[interaction].support != "yes":
            yield f"{said}, but DocumentReference.{interaction} is not yes; change one of the two"
