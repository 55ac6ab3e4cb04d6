"""What a failed exchange means for the write: a total table from vendor error to next step."""

from datetime import datetime
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
    errors.VersionConflict: NextStep.ASK_FIRST,  # what stands in the way may be our own note, filed after all
    errors.OutcomeUnknown: NextStep.ASK_FIRST,
    errors.Unavailable: NextStep.ASK_FIRST,
}

PARKED_FOR = {
    NextStep.PARK_FOR_SIGN_IN: "reauth",
    NextStep.PARK_FOR_ADMIN: "manual",
}


def leaves(root: type[VendorError] = VendorError) -> set[type[VendorError]]:
    """Every error class that may be raised."""
    return {root} - {VendorError} | {leaf for child in root.__subclasses__() for leaf in leaves(child)}


if missing := leaves() - STEPS.keys():
    raise TypeError(f"these vendor errors have no next step: {sorted(leaf.__name__ for leaf in missing)}")


def next_command(error: VendorError, attempts: int, now: datetime) -> Command:
    """The command that records a failed send, the write having been attempted `attempts` times before it."""
    step, reason = STEPS[type(error)], type(error).__name__
    match step:
        case NextStep.POSTPONE:
            return PostponeAttempt(reason, now + pause(attempts, error.retry_after_seconds))
        case NextStep.ASK_FIRST:
            return MarkUnknown(reason, now + pause(0, error.retry_after_seconds))
        case NextStep.REJECT:
            return RejectWrite(reason, error.status, error.issue_codes)
        case _:
            return ParkWrite(PARKED_FOR[step])
