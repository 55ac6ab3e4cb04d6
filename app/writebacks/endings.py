"""What ends a write that waits for a person: one total table from where it stands to what may be done. Pure.

The first ending of a row is the one that the page offers first. None of them sends anything that a machine must not
send again: looking again asks the EHR, and the others are a person's word, kept in the log under that person's name.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from app.writebacks.state import ABANDONED, ACCEPTED_NOT_FILED, COPIED_BY_HAND, Stage, WritebackState

PARKED_FOR = (
    "reauth",
    "address_changed",
    "switched_off",
    "conflict",
    "manual",
    "original_not_filed",
    "missing",
    "unproven",
    "unreadable",
)
# What is written down as the reference of an ending: a resource, a ticket; never words about a patient.
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9/._:#-]{0,127}")


class Ending(StrEnum):
    """What a person can do about a write that stopped."""

    SIGN_IN = "sign_in"  # start again from the chart; it goes on by itself
    SWITCH_ON = "switch_on"  # an administrator lets it go on, on the tenant's page
    LOOK_AGAIN = "look_again"  # ask the EHR once more, and go on from there
    IN_CHART = "in_chart"  # a person says that it is in the chart
    ACCEPT = "accept"  # a person looked: what stands in the chart now is right
    COPY = "copy"  # a person copied it into the chart
    ABANDON = "abandon"  # it is not to be in the chart any more


class Person(StrEnum):
    """Who ends it."""

    SIGNER = "signer"
    OPERATIONS = "operations"


E = Ending
OF_PARKED: Mapping[str, tuple[Ending, ...]] = {
    "reauth": (E.SIGN_IN, E.ABANDON),
    "address_changed": (E.LOOK_AGAIN, E.COPY, E.ABANDON),
    "switched_off": (E.SWITCH_ON, E.ABANDON),
    "conflict": (E.LOOK_AGAIN, E.IN_CHART, E.ABANDON),
    "manual": (E.LOOK_AGAIN, E.IN_CHART, E.ABANDON),
    "original_not_filed": (E.LOOK_AGAIN, E.COPY, E.ABANDON),
    "missing": (E.LOOK_AGAIN, E.IN_CHART, E.ABANDON),
    "unproven": (E.IN_CHART, E.LOOK_AGAIN, E.COPY, E.ABANDON),
    "unreadable": (E.LOOK_AGAIN, E.IN_CHART, E.ABANDON),
}
OF_STAGE: Mapping[Stage, tuple[Ending, ...]] = {
    Stage.QUEUED: (),
    Stage.SENDING: (),
    Stage.OUTCOME_UNKNOWN: (),
    Stage.FILED: (),
    Stage.VERIFIED: (),
    Stage.PARKED: (),  # by its reason, above
    Stage.CANCELLED: (),
    Stage.SUPERSEDED: (),
    Stage.SETTLED: (),
    Stage.AWAITING_COPY: (),  # has its own button
    Stage.COPIED: (),
    Stage.REJECTED: (E.COPY, E.ABANDON),
    Stage.DRIFTED: (E.ACCEPT, E.LOOK_AGAIN),
    Stage.OVERRIDDEN: (E.ACCEPT, E.LOOK_AGAIN),
    Stage.MISSING: (E.LOOK_AGAIN, E.IN_CHART, E.COPY, E.ABANDON),
}
# What is said about a chart is its clinician's to say; operations may have the EHR asked, or give up with a ticket.
MAY: Mapping[Ending, frozenset[Person]] = {
    E.SIGN_IN: frozenset({Person.SIGNER}),
    E.SWITCH_ON: frozenset({Person.OPERATIONS}),
    E.LOOK_AGAIN: frozenset({Person.SIGNER, Person.OPERATIONS}),
    E.IN_CHART: frozenset({Person.SIGNER}),
    E.ACCEPT: frozenset({Person.SIGNER}),
    E.COPY: frozenset({Person.SIGNER}),
    E.ABANDON: frozenset({Person.SIGNER, Person.OPERATIONS}),
}
# What is written down; the others end nothing by themselves.
OUTCOMES: Mapping[Ending, str] = {
    E.IN_CHART: "filed_by_hand",
    E.COPY: COPIED_BY_HAND,
    E.ACCEPT: "accepted",
    E.ABANDON: ABANDONED,
}
if set(PARKED_FOR) != OF_PARKED.keys() or set(Stage) != OF_STAGE.keys() or set(Ending) != MAY.keys():
    raise TypeError("every way of stopping needs its endings, and every ending whoever may choose it")


def endings_of(state: WritebackState) -> tuple[Ending, ...]:
    """What may be done about a write, the best first; nothing where it waits for nobody.

    Where only the Provenance is left to send, the note stands: there is nothing to give up or to copy.
    """
    if state.stage is not Stage.PARKED:
        return OF_STAGE[state.stage] if state.stage else ()
    endings = OF_PARKED.get(state.parked_for, (E.LOOK_AGAIN, E.ABANDON))
    if state.unknown_for == ACCEPTED_NOT_FILED and E.LOOK_AGAIN in endings:
        endings = (E.LOOK_AGAIN, *(one for one in endings if one is not E.LOOK_AGAIN))  # it may still be filed
    if state.parked_from is Stage.VERIFIED:
        return tuple(one for one in endings if one in (E.SIGN_IN, E.SWITCH_ON, E.LOOK_AGAIN))
    return endings


def endings_for(state: WritebackState, person: Person) -> tuple[Ending, ...]:
    """The same, for one kind of person."""
    return tuple(one for one in endings_of(state) if person in MAY[one])
