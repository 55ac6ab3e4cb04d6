"""What the pages about one chart have in common: the note behind a request, and its landing line."""

from datetime import datetime

from app.notes.reading import ReadNote
from app.pages.landing import landing
from app.pages.screens import Landing
from app.pages.sessions import collaborators, current_launch


def current_note() -> ReadNote | None:
    """The note of this launch's chart, visit and clinician, if a draft was made."""
    return collaborators().notes.find(current_launch())


def required_note() -> ReadNote:
    """The same. Raises `NotFound` when there is none."""
    return collaborators().notes.require(current_launch())


def local(moment: datetime) -> datetime:
    """The moment as the clocks of this launch's organisation show it."""
    return moment.astimezone(collaborators().ehrs.tenant(current_launch().tenant_id).zone)


def local_now() -> datetime:
    """The present moment there."""
    return local(collaborators().clock())


def current_landing() -> Landing:
    """Where a note signed under this launch will land."""
    parts, launch = collaborators(), current_launch()
    profile = parts.ehrs.adapter(launch.tenant_id).profile
    return landing(parts.signing.landing(launch), parts.ehrs.tenant(launch.tenant_id), profile)
