"""Where the note will land, in the words of the vendor's profile, told before anything is signed."""

from app.pages.screens import Landing
from app.policy.mutation import SENTENCES
from app.policy.route import Landing as ChosenLanding
from app.policy.route import Route
from vendors.profile import LandingNotice, Profile

REASONS = {
    "encounter_missing": "This chart was opened without a visit, and this EHR takes a note only in a visit.",
    "write_not_granted": "The EHR did not grant Countersign the right to create notes in this session.",
    "read_back_not_granted": "The EHR did not grant the right to read notes back, so filing could not be checked.",
    "vendor_takes_no_notes": "",
    "read_only": "Your organisation lets Countersign read charts in this workflow, and not draft or file notes yet.",
    "draft_only": "Your organisation does not let Countersign file notes in this workflow yet.",
    "switched_off": "Filing notes is switched off at the moment, by your organisation's administrators.",
    "low_risk": "Your organisation has notes of this workflow filed unsigned, to be signed in the EHR too.",
    "preliminary_not_taken": "Your organisation wants notes of this workflow filed unsigned, and this EHR takes none.",
}
# The organisation's own choices: what the EHR takes has nothing to do with them.
OURS = frozenset({"read_only", "draft_only", "switched_off", "preliminary_not_taken"})


def landing(chosen: ChosenLanding, profile: Profile) -> Landing:
    """The landing line of the page."""
    notice = _notice(chosen, profile)
    why = [words for words in (_words(reason, profile) for reason in chosen.reasons) if words]
    if not OURS & set(chosen.reasons) and not SENTENCES.keys() & set(chosen.reasons):
        why += [f"{statement.says} ({_source(profile, statement.source)})" for statement in notice.why]
    headline = notice.headline
    if chosen.route is Route.REFUSE:
        headline = f"{profile.title}: this note cannot be filed from here"
    elif chosen.route is Route.COPY and "vendor_takes_no_notes" not in chosen.reasons:
        headline = f"{profile.title}: not filed in this session; you will copy the signed note"
    return Landing(route=chosen.route, vendor=profile.title, headline=headline, why=tuple(why))


def _words(reason: str, profile: Profile) -> str:
    """The sentence of a route's reason, or of what becomes of a change."""
    return REASONS[reason] if reason in REASONS else SENTENCES[reason].format(ehr=profile.title)


def _notice(chosen: ChosenLanding, profile: Profile) -> LandingNotice:
    return profile.landing_for(chosen.file_as) if chosen.route is Route.FILE else profile.landing.not_filed


def _source(profile: Profile, key: str | None) -> str:
    return profile.sources[key].title if key else "no public source"
