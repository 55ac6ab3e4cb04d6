"""Where the note will land, in the words of the vendor's profile, told before anything is signed."""

from app.pages.screens import Landing
from app.policy.route import Landing as ChosenLanding
from app.policy.route import Route
from app.tenants.registrations import Tenant
from vendors.profile import LandingNotice, Profile

REASONS = {
    "encounter_missing": "This chart was opened without a visit, and this EHR takes a note only in a visit.",
    "write_not_granted": "The EHR did not grant Countersign the right to create notes in this session.",
    "read_back_not_granted": "The EHR did not grant the right to read notes back, so filing could not be checked.",
    "vendor_takes_no_notes": "",
}


def landing(chosen: ChosenLanding, tenant: Tenant, profile: Profile) -> Landing:
    """The landing line of the page."""
    notice = _notice(chosen, tenant, profile)
    why = [REASONS[reason] for reason in chosen.reasons if REASONS[reason]]
    why += [f"{statement.says} ({_source(profile, statement.source)})" for statement in notice.why]
    headline = notice.headline
    if chosen.route is Route.REFUSE:
        headline = f"{profile.title}: this note cannot be filed from here"
    elif chosen.route is Route.COPY and "vendor_takes_no_notes" not in chosen.reasons:
        headline = f"{profile.title}: not filed in this session; you will copy the signed note"
    return Landing(route=chosen.route, vendor=profile.title, headline=headline, why=tuple(why))


def _notice(chosen: ChosenLanding, tenant: Tenant, profile: Profile) -> LandingNotice:
    return profile.landing_for(tenant.note.file_as) if chosen.route is Route.FILE else profile.landing.not_filed


def _source(profile: Profile, key: str | None) -> str:
    return profile.sources[key].title if key else "no public source"
