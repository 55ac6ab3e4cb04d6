"""What can become of one approved entry at this EHR: written, or handed over to be entered by hand. Pure.

As for notes, what a server's metadata says never switches a write on: the documented profile, the granted scopes, the
switches and the rollout phase do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.policy.route import Route
from app.tenants.registrations import Phase
from vendors.entry_values import EntryKind

Interaction = Literal["create", "update", "patch"]
# What each interaction needs of the scopes (SMART App Launch 2.2: a patch is an update).
LETTERS: Mapping[Interaction, str] = {"create": "c", "update": "u", "patch": "u"}


@dataclass(frozen=True)
class EntryFacts:
    """What the choice depends on. `takes`: the interactions that the profile says yes to, of those that would do."""

    takes: tuple[Interaction, ...]
    granted: frozenset[Interaction]
    read_granted: bool
    phase: Phase = Phase.FULL
    switched_off: bool = False
    has_encounter: bool = True
    ruleset_signs: bool = True


@dataclass(frozen=True)
class EntryLanding:
    """The route, how it travels where it is written, and the reason where it is not."""

    route: Route
    interaction: Interaction = "create"
    reason: str = ""


def ways(kind: EntryKind) -> tuple[Interaction, ...]:
    """The interactions that can carry a kind, the best first: a patch leaves the rest of the visit alone."""
    return ("patch", "update") if kind is EntryKind.VISIT_REASON else ("create",)


def choose_entry_route(facts: EntryFacts) -> EntryLanding:
    """The decision table; the first line that applies decides. An empty cell is anything.

    | vendor takes it | ruleset knows it | phase | writing on | visit open | granted | read granted | route | reason |
    |---|---|---|---|---|---|---|---|---|
    | no | | | | | | | copy | vendor_takes_none |
    | | no | | | | | | copy | ruleset_knows_none |
    | | | below full | | | | | copy | phase_below_full |
    | | | | no | | | | copy | switched_off |
    | | | | | no | | | copy | no_visit_open |
    | | | | | | no | | copy | write_not_granted |
    | | | | | | | no | copy | read_back_not_granted |
    | | | | | | | | file | |
    """
    reasons = (
        (not facts.takes, "vendor_takes_none"),
        (not facts.ruleset_signs, "ruleset_knows_none"),
        (not facts.phase.allows(Phase.FULL), "phase_below_full"),
        (facts.switched_off, "switched_off"),
        (not facts.has_encounter, "no_visit_open"),
        (not set(facts.takes) & facts.granted, "write_not_granted"),
        # Without reading it back, a lost answer could never be told from a lost entry.
        (not facts.read_granted, "read_back_not_granted"),
    )
    reason = next((code for applies, code in reasons if applies), "")
    if reason:
        return EntryLanding(Route.COPY, reason=reason)
    return EntryLanding(Route.FILE, next(way for way in facts.takes if way in facts.granted))
