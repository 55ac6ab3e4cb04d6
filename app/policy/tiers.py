"""How a proposal is approved: one table for every kind. Pure.

| tier | how it is approved |
|---|---|
| with_note | together with the others of this tier, by one press; signing writes it |
| each | by itself |
| each_confirmed | by itself, and the clinician says once more that it was checked |

Nothing is approved before somebody pressed, and signing never approves: what is undecided then is not written.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.drafting.draft import ClaimState
from vendors.entry_values import EntryKind


class Approval(StrEnum):
    """How much attention an approval demands."""

    WITH_NOTE = "with_note"
    EACH = "each"
    EACH_CONFIRMED = "each_confirmed"


TIERS: Mapping[EntryKind, Approval] = {
    EntryKind.VITAL_SIGN: Approval.WITH_NOTE,
    EntryKind.FOLLOW_UP: Approval.WITH_NOTE,
    EntryKind.PROBLEM: Approval.EACH,
    EntryKind.ALLERGY: Approval.EACH,
    EntryKind.MESSAGE: Approval.EACH,
    EntryKind.VISIT_REASON: Approval.EACH,
    # Never automatic, whatever the drafter, the phase or the organisation says.
    EntryKind.MEDICATION: Approval.EACH_CONFIRMED,
}
if TIERS.keys() != set(EntryKind):
    raise TypeError("every kind of entry needs its tier")


def tier_of(kind: EntryKind, state: ClaimState) -> Approval:
    """The tier of one proposal: what the evidence does not carry is never approved together with others."""
    tier = TIERS[kind]
    return Approval.EACH if tier is Approval.WITH_NOTE and state is not ClaimState.SUPPORTED else tier
