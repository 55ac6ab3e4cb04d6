"""How long a write waits before it is tried again, and how long before a person is asked instead."""

from datetime import timedelta

FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 600
LONGEST_LOOK_SECONDS = 120
LONGEST_ASKED_FOR_SECONDS = 3600
# For so long a question that the EHR does not answer is asked again; then a person should know.
PATIENCE = timedelta(minutes=15)
# A signed note that waits longer than this is somebody's business, whatever the reason.
UNDELIVERED_TOO_LONG = timedelta(minutes=30)


def pause(attempts: int, asked_for_seconds: float | None = None) -> timedelta:
    """How long before sending again: what the EHR asked for, else twice as long each time, within bounds."""
    doubling = min(FIRST_PAUSE_SECONDS * 2 ** min(attempts, 10), LONGEST_PAUSE_SECONDS)
    return _asked_for(asked_for_seconds) or timedelta(seconds=doubling)


def pause_after(waited: timedelta, asked_for_seconds: float | None = None) -> timedelta:
    """How long before looking again: what the EHR asked for, else as long again as was `waited`, within bounds."""
    again = min(max(waited.total_seconds(), FIRST_PAUSE_SECONDS), LONGEST_LOOK_SECONDS)
    return _asked_for(asked_for_seconds) or timedelta(seconds=again)


def _asked_for(seconds: float | None) -> timedelta:
    """The EHR's own Retry-After, obeyed up to an hour; zero where it did not say."""
    return timedelta(seconds=min(seconds or 0, LONGEST_ASKED_FOR_SECONDS))
