"""What can become of a note at this EHR: filed, filed unsigned, or handed over for copying. Pure.

Inputs are the documented profile, the tenant's choice and what the token was granted. What a server's metadata says
never switches a write on: three of four vendors' metadata is wrong about writes.
"""

from dataclasses import dataclass
from enum import StrEnum


class Route(StrEnum):
    """Where a signed note goes."""

    FILE = "file"
    COPY = "copy"
    REFUSE = "refuse"


@dataclass(frozen=True)
class RouteFacts:
    """What the choice depends on."""

    vendor_takes_notes: bool
    write_granted: bool
    read_granted: bool
    encounter_required: bool
    has_encounter: bool


@dataclass(frozen=True)
class Landing:
    """The route and the reasons for it, as codes; the words come from the vendor's profile and the page."""

    route: Route
    reasons: tuple[str, ...] = ()


def choose_route(facts: RouteFacts) -> Landing:
    """The decision table; the first line that applies decides.

    | vendor takes notes | visit where needed | create granted | read granted | route | reason |
    |---|---|---|---|---|---|
    | no | | | | copy | vendor_takes_no_notes |
    | yes | no | | | refuse | encounter_missing |
    | yes | yes | no | | copy | write_not_granted |
    | yes | yes | yes | no | copy | read_back_not_granted |
    | yes | yes | yes | yes | file | |
    """
    if not facts.vendor_takes_notes:
        return Landing(Route.COPY, ("vendor_takes_no_notes",))
    if facts.encounter_required and not facts.has_encounter:
        return Landing(Route.REFUSE, ("encounter_missing",))
    if not facts.write_granted:
        return Landing(Route.COPY, ("write_not_granted",))
    if not facts.read_granted:
        # Without reading it back, a lost answer could never be told from a lost note.
        return Landing(Route.COPY, ("read_back_not_granted",))
    return Landing(Route.FILE)
