"""How long a write waits before it is tried again."""

from datetime import timedelta

FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 600


def pause(attempts: int, retry_after_seconds: float | None = None) -> timedelta:
    """How long to wait: what the EHR asked for, else twice as long each time, within bounds."""
    doubling = FIRST_PAUSE_SECONDS * 2 ** min(attempts, 10)
    return timedelta(seconds=min(retry_after_seconds or doubling, LONGEST_PAUSE_SECONDS))
