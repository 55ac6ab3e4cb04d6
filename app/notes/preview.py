"""What the sign page displays and a signature covers: the note, for whom, by whom, and what will become of it. Pure."""

from dataclasses import dataclass
from typing import Any

from app.event_log.canonical import canonical_json, digest
from app.notes.amendment import Amendment, Amends
from app.notes.changed_text import statement_to_attest, text_to_sign
from app.notes.entries import PlannedEntry, statement_on_entries
from app.notes.landing import landing_of
from app.notes.reading import ReadNote
from app.policy.route import Landing
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from app.tenants.standing import Standing
from vendors.profile import Profile


@dataclass(frozen=True)
class Preview:
    """The text, the statement that is attested, the landing, and the hash that covers them all."""

    text: str
    statement: str
    landing: Landing
    displayed_hash: str
    entries: tuple[PlannedEntry, ...] = ()
    undecided: tuple[str, ...] = ()
    amends: Amends | None = None


def preview_of(
    launch: Launch,
    note: ReadNote,
    tenant: Tenant,
    profile: Profile,
    standing: Standing,
    entries: tuple[PlannedEntry, ...] = (),
    amendment: Amendment | None = None,
) -> Preview:
    """The preview of this note and the entries beside it, or of a change of it once it is signed.

    Any change of what is displayed changes the hash.
    """
    review = note.review
    offered = review.proposals if note.state.signed is None else ()  # entries are signed once, with the first version
    undecided = tuple(one.proposal.id for one in offered if one.undecided)
    text = text_to_sign(note, amendment.signed_before if amendment else None)
    statement = f"{statement_to_attest(note)}{statement_on_entries(len(entries))}"
    landing = amendment.landing if amendment else landing_of(launch, tenant, profile, standing)
    shown: dict[str, Any] = {
        "review": review.displayed_hash,
        "text": text,
        "statement": statement,
        "patient": review.draft.patient.model_dump(mode="json"),
        "visit": review.draft.visit.model_dump(mode="json") if review.draft.visit else None,
        "clinician": review.draft.clinician.model_dump(mode="json"),
        "author": launch.fhir_user,
        "landing": [landing.route, landing.file_as, *landing.reasons],
        "filing": tenant.note.model_dump(mode="json"),
        "profile": [profile.name, profile.version],
    }
    if offered:
        shown |= {"entries": [one.displayed for one in entries], "undecided": undecided}
    if amendment:
        shown |= {"amends": amendment.amends.model_dump(mode="json"), "change": amendment.displayed}
    return Preview(
        text,
        statement,
        landing,
        digest(canonical_json(shown)),
        entries,
        undecided,
        amendment.amends if amendment else None,
    )
