"""What a failed exchange means for the write: a total table from vendor error to next step."""

from datetime import datetime
from enum import StrEnum

from app.outbox.pause import pause
from app.writebacks.commands import Command, MarkUnknown, ParkWrite, PostponeAttempt, RejectWrite
from vendors import errors
from vendors.errors import TokenRefused, VendorError
from vendors.transport import SignersTransport

# Why a send goes again that was refused for its token: the token was renewed. Twice in a row it is no answer any more.
TOKEN_RENEWED = "token_renewed"  # noqa: S105 - a reason, not a token


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
    errors.TokenNotRenewed: NextStep.POSTPONE,
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


def may_go_again(error: VendorError, transport: SignersTransport, postponed_for: str) -> bool:
    """Whether a new attempt may follow at once, because this one was refused for a token that was renewed (A67).

    A 401 proves that nothing was executed. The new attempt is begun in the log like every other. Raises
    `TokenNotRenewed` when it is not known yet whether there is another token.
    """
    return isinstance(error, TokenRefused) and postponed_for != TOKEN_RENEWED and transport.renew_token()


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
