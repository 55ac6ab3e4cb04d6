"""What can become of a note at this EHR: filed, filed unsigned, or handed over for copying. Pure.

Inputs are the documented profile, the tenant's choice, how far its workflow may go, the kill switches and what the
token was granted. What a server's metadata says never switches a write on: three of four vendors' metadata is wrong
about writes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.tenants.registrations import Phase

FileAs = Literal["final", "preliminary"]


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
    phase: Phase = Phase.FULL
    switched_off: bool = False
    takes_preliminary: bool = True
    file_as: FileAs = "final"


@dataclass(frozen=True)
class Landing:
    """The route and the reasons for it, as codes; the words come from the vendor's profile and the page.

    `file_as` is how the note would be filed: what is signed, rendered and shown.
    """

    route: Route
    reasons: tuple[str, ...] = ()
    file_as: FileAs = "final"


def choose_route(facts: RouteFacts) -> Landing:
    """The decision table; the first line that applies decides. An empty cell is anything.

    | phase | vendor takes notes | writing on | visit where needed | create granted | read granted | takes preliminary | route | reason |
    |---|---|---|---|---|---|---|---|---|
    | read_only | | | | | | | refuse | read_only |
    | | no | | | | | | copy | vendor_takes_no_notes |
    | draft_only | | | | | | | copy | draft_only |
    | | | no | | | | | copy | switched_off |
    | | | | no | | | | refuse | encounter_missing |
    | | | | | no | | | copy | write_not_granted |
    | | | | | | no | | copy | read_back_not_granted |
    | low_risk | | | | | | no | copy | preliminary_not_taken |
    | low_risk | | | | | | | file, as preliminary | low_risk |
    | | | | | | | | file | |
    """  # noqa: E501 - a table's row is one line
    if facts.phase is Phase.READ_ONLY:
        return Landing(Route.REFUSE, ("read_only",))
    if not facts.vendor_takes_notes:
        return Landing(Route.COPY, ("vendor_takes_no_notes",))
    if facts.phase is Phase.DRAFT_ONLY:
        return Landing(Route.COPY, ("draft_only",))
    if facts.switched_off:
        return Landing(Route.COPY, ("switched_off",))
    if facts.encounter_required and not facts.has_encounter:
        return Landing(Route.REFUSE, ("encounter_missing",))
    if not facts.write_granted:
        return Landing(Route.COPY, ("write_not_granted",))
    if not facts.read_granted:
        # Without reading it back, a lost answer could never be told from a lost note.
        return Landing(Route.COPY, ("read_back_not_granted",))
    if facts.phase is Phase.LOW_RISK:
        return _as_preliminary(facts)
    return Landing(Route.FILE, file_as=facts.file_as)


def _as_preliminary(facts: RouteFacts) -> Landing:
    """To be signed in the EHR too, whatever the organisation's own choice is."""
    if not facts.takes_preliminary:
        return Landing(Route.COPY, ("preliminary_not_taken",))
    return Landing(Route.FILE, ("low_risk",), "preliminary")
