"""What the pages about one chart have in common: the note behind a request, and its landing line."""

from datetime import datetime

from app.notes.reading import ReadNote
from app.pages.landing import landing
from app.pages.screens import Landing
from app.pages.sessions import collaborators, current_launch
from app.policy.route import Landing as ChosenLanding


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


def current_landing(note: ReadNote) -> Landing:
    """Where this note will land when it is signed under this launch now."""
    return shown_landing(collaborators().signing.landing(current_launch(), note.state.draft_recorded.workflow))


def shown_landing(chosen: ChosenLanding) -> Landing:
    """A landing in the words of this launch's EHR."""
    return landing(chosen, collaborators().ehrs.adapter(current_launch().tenant_id).profile)
