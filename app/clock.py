"""The only source of the present moment, so that a test or a simulation can supply its own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time now, timezone-aware, in UTC."""
    return datetime.now(UTC)
