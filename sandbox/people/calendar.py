"""When the visits of our data files took place, counted back from the day an EHR is set up."""

from datetime import UTC, date, datetime, time, timedelta

from sandbox.people.patient_file import Visit

EARLIEST_HOUR = 6
DEFAULT_MINUTES = 20


class Calendar:
    """Turns "25 minutes ago" and "90 days ago at 09:30" into instants."""

    def __init__(self, now: datetime) -> None:
        # Two visits on one day must stay on one day, also for an EHR set up shortly after midnight.
        yesterday = datetime.combine(now.date(), time(), tzinfo=UTC) - timedelta(minutes=1)
        self.now = now if now.hour >= EARLIEST_HOUR else yesterday

    def start(self, visit: Visit) -> datetime:
        """When a visit began."""
        if visit.minutes_ago is not None:
            return (self.now - timedelta(minutes=visit.minutes_ago)).replace(second=0, microsecond=0)
        return self.day(visit.days_ago or 0, visit.time)

    def end(self, visit: Visit) -> datetime | None:
        """When it ended; None while it is open."""
        if visit.open:
            return None
        return self.start(visit) + timedelta(minutes=visit.minutes or DEFAULT_MINUTES)

    def day(self, days_ago: int, clock: str = "05:30") -> datetime:
        """A clock time some days ago."""
        day = self.now.date() - timedelta(days=days_ago)
        return datetime.combine(day, time.fromisoformat(clock), tzinfo=UTC)


def written(moment: datetime | date) -> str:
    """An instant or a day as FHIR writes it."""
    return moment.isoformat()
