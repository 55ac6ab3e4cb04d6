"""What happens around a launch."""

from typing import ClassVar

from app.event_log.event import Event


class LaunchCompleted(Event):
    """A clinician opened a chart with us: who, in which chart and visit, with which scopes granted."""

    tag: ClassVar[str] = "launch:completed"

    launch_id: str
    issuer: str
    subject: str
    fhir_user: str
    patient: str
    encounter: str | None
    scopes: str
