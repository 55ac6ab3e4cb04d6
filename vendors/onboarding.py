"""What somebody must type, tick and sign so that an EHR launches Countersign: cited data of the profile.

The registration sheet (`app/onboarding/sheet.py`) fills the values in; nothing about a vendor is said in code.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from vendors.contract import Cited

SheetValue = Literal[
    "launch_url", "redirect_uri", "jwks_url", "client_id", "scopes", "authentication", "algorithm", "app_host"
]
"""What the sheet can fill in from a registration."""
SHEET_VALUES: tuple[SheetValue, ...] = get_args(SheetValue)

Party = Literal["app_owner", "organisation", "countersign"]
"""Who does a step: whoever registers the app with the vendor, the clinic's own team, or this installation's."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Advice(Cited):
    """One sentence for the person who registers, with its source."""

    says: str = Field(min_length=1)


class Entry(Cited):
    """One field of the vendor's console: its name there, and what goes in: a value of ours or `text` as it stands."""

    field: str = Field(min_length=1)
    value: SheetValue | None = None
    text: str = ""


class IncomingAPI(Cited):
    """One API that has to be ticked, with the vendor's number where a source gives it, and why it is needed."""

    name: str = Field(min_length=1)
    number: int | None = None
    reason: str = Field(min_length=1)
    required: bool


class Step(Cited):
    """One step, in the order in which it is done."""

    who: Party
    says: str = Field(min_length=1)


class WantedBack(Cited):
    """Something that Countersign has to be told: the registration's field that it goes into, and where it is found."""

    field: str = Field(pattern=r"^[a-z_]+(\.[a-z_]+)?$")
    says: str = Field(min_length=1)


class ScopeSpelling(Cited):
    """Which SMART spelling this console wants, and where the scopes are entered."""

    value: Literal["v1", "v2"]
    says: str = Field(min_length=1)


class Onboarding(_Strict):
    """One EHR product's registration: console, fields, APIs, steps, what comes back, keys, test users, support."""

    console: Advice
    scope_spelling: ScopeSpelling
    entries: tuple[Entry, ...] = Field(min_length=1)
    apis: tuple[IncomingAPI, ...]
    steps: tuple[Step, ...] = Field(min_length=1)
    wanted_back: tuple[WantedBack, ...] = Field(min_length=1)
    keys: tuple[Advice, ...] = Field(min_length=1)
    test_users: tuple[Advice, ...]
    support: Advice


def onboarding_problems(onboarding: Onboarding) -> list[str]:
    """What a total sheet lacks: an entry that says nothing or two things, or an address that no entry asks for."""
    problems = [
        f"onboarding.entries.{number}: write either value or text"
        for number, entry in enumerate(onboarding.entries)
        if (entry.value is None) == (not entry.text)
    ]
    entered = {entry.value for entry in onboarding.entries}
    problems += [
        f"onboarding.entries: nothing asks for {name}; without it no launch comes back"
        for name in ("launch_url", "redirect_uri")
        if name not in entered
    ]
    return problems
