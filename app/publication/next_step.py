"""What a failed exchange means for the write: a total table from vendor error to next step."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.outbox.pause import pause
from app.writebacks.commands import Command, MarkUnknown, ParkWrite, PostponeAttempt, RejectWrite
from vendors import errors
from vendors.errors import VendorError


class NextStep(StrEnum):
    """What to do after a failed send."""

    POSTPONE = "postpone"
    ASK_FIRST = "ask_first"
    REJECT = "reject"
    PARK_FOR_SIGN_IN = "park_for_sign_in"
    PARK_FOR_ADMIN = "park_for_admin"
    PARK_FOR_CONFLICT = "park_for_conflict"


STEPS: dict[type[VendorError], NextStep] = {
    errors.Unsupported: NextStep.REJECT,
    errors.NotSent: NextStep.POSTPONE,
    errors.EgressBlocked: NextStep.PARK_FOR_ADMIN,
    errors.Throttled: NextStep.POSTPONE,
    errors.Rejected: NextStep.REJECT,
    errors.InvalidResource: NextStep.REJECT,
    errors.TokenRefused: NextStep.PARK_FOR_SIGN_IN,
    errors.NotAuthorized: NextStep.REJECT,
    errors.NotFound: NextStep.REJECT,
    errors.VersionConflict: NextStep.PARK_FOR_CONFLICT,
    errors.OutcomeUnknown: NextStep.ASK_FIRST,
    errors.Unavailable: NextStep.ASK_FIRST,
}

PARKED_FOR = {
    NextStep.PARK_FOR_SIGN_IN: "reauth",
    NextStep.PARK_FOR_ADMIN: "manual",
    NextStep.PARK_FOR_CONFLICT: "conflict",
}


def leaves(root: type[VendorError] = VendorError) -> set[type[VendorError]]:
    """Every error class that may be raised."""
    return {root} - {VendorError} | {leaf for child in root.__subclasses__() for leaf in leaves(child)}


if missing := leaves() - STEPS.keys():
    raise TypeError(f"these vendor errors have no next step: {sorted(leaf.__name__ for leaf in missing)}")


@dataclass(frozen=True)
class Circumstances:
    """What the pause depends on."""

    attempts: int
    now: datetime
    search_lag: timedelta


def next_command(error: VendorError, circumstances: Circumstances) -> Command:
    """The command that records a failed send."""
    step, now = STEPS[type(error)], circumstances.now
    reason = type(error).__name__
    match step:
        case NextStep.POSTPONE:
            return PostponeAttempt(reason, now + pause(circumstances.attempts, error.retry_after_seconds))
        case NextStep.ASK_FIRST:
            return MarkUnknown(reason, now + circumstances.search_lag)
        case NextStep.REJECT:
            return RejectWrite(reason, error.status, error.issue_codes)
        case _:
            return ParkWrite(PARKED_FOR[step])
