"""The simulated time of everybody: the app, the EHRs and whoever waits. It moves only when the simulation says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

MONDAY_MORNING = datetime(2026, 1, 5, 9, tzinfo=UTC)


class SimulatedTime:
    """True time, and our own host's clock, which may be set wrong by `skew`."""

    def __init__(self) -> None:
        self.now = MONDAY_MORNING
        self.skew = timedelta(0)
        self.moved: Callable[[], None] = lambda: None

    def host(self) -> datetime:
        """What the app reads."""
        return self.now + self.skew

    def epoch(self) -> float:
        """What the EHRs read: seconds since 1970."""
        return self.now.timestamp()

    def pass_by(self, seconds: float) -> None:
        """Let time pass; `moved` is told."""
        self.now += timedelta(seconds=max(seconds, 0))
        self.moved()
