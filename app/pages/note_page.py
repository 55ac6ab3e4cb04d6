"""What the pages about one chart have in common: the note behind a request, and its landing line."""

from datetime import datetime

from app.notes.reading import ReadNote
from app.pages.entry_screens import ProposalsScreen
from app.pages.landing import landing
from app.pages.proposals_screen import proposals_screen
from app.pages.screens import Landing
from app.pages.sessions import collaborators, current_csrf, current_launch
from app.policy.mutation import Asked, sentence
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


def current_correction(note: ReadNote) -> str:
    """What signing the correction that is under way will do; empty for a note that is not signed yet."""
    if note.state.signed is None:
        return ""
    launch, parts = current_launch(), collaborators()
    plan = parts.amendments.plan(launch, note, Asked.CORRECT)
    return sentence(plan.change, parts.ehrs.adapter(launch.tenant_id).profile.title)


def current_landing(note: ReadNote) -> Landing:
    """Where this note will land when it is signed under this launch now."""
    if note.state.signed:
        return shown_landing(collaborators().amendments.plan(current_launch(), note, Asked.CORRECT).landing)
    return shown_landing(collaborators().signing.landing(current_launch(), note.state.draft_recorded.workflow))


def current_proposals(note: ReadNote) -> ProposalsScreen | None:
    """What the review page shows of the proposed entries; None where there are none, and once the note is signed."""
    if not note.review.proposals or note.state.signed:
        return None
    launch, parts = current_launch(), collaborators()
    ehr = parts.ehrs.adapter(launch.tenant_id).profile.title
    return proposals_screen(note.review, parts.signing.entry_landings(launch, note), csrf=current_csrf(), ehr=ehr)


def shown_landing(chosen: ChosenLanding) -> Landing:
    """A landing in the words of this launch's EHR."""
    return landing(chosen, collaborators().ehrs.adapter(current_launch().tenant_id).profile)
