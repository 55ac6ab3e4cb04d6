"""The entries that are signed beside a note: what would become of each, and what of it the signature fixes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.drafting.draft import Draft, Value
from app.drafting.proposals import in_words
from app.event_log.canonical import canonical_json, digest
from app.policy.entry_route import LETTERS, EntryFacts, EntryLanding, choose_entry_route, ways
from app.policy.route import Route
from app.policy.rules import EntryToSign
from app.policy.rulesets import SIGNS_ENTRIES
from app.review.proposals import ReviewedProposal
from app.review.review import Review
from app.tenants.launches import Launch
from app.tenants.standing import Standing
from launch.scopes import GrantedScopes
from vendors.amendments import version_to_match
from vendors.contract import Stored
from vendors.entry_rules import IN_A_VISIT
from vendors.entry_values import RESOURCE_OF, Content, EntryKind
from vendors.profile import Profile

IDENTIFIER_SYSTEM = "urn:countersign:entry"
ONE_CHANGE = "only one change of the visit can be signed at once"


class EntrySnapshot(Value):
    """One signed entry: what it says, where it goes, and for a change of the visit the visit as it was read."""

    proposal_id: str
    identifier: str
    content: Content
    route: Literal["file", "copy"]
    reason: str = ""
    interaction: Literal["create", "update", "patch"] = "create"
    target: str = ""
    if_match: str = ""
    base: dict[str, Any] | None = None

    @property
    def kind(self) -> EntryKind:
        """Which kind of entry it is."""
        return EntryKind(self.content.kind)

    @property
    def resource_type(self) -> str:
        """What it is in the EHR."""
        return RESOURCE_OF[self.kind]


@dataclass(frozen=True)
class PlannedEntry:
    """One approved entry, and what becomes of it when the note is signed now."""

    reviewed: ReviewedProposal
    landing: EntryLanding

    @property
    def displayed(self) -> list[object]:
        """What the sign page shows of it, for the displayed hash."""
        landing = self.landing
        return [*self.reviewed.displayed, landing.route, landing.interaction, landing.reason]


def landing_of_entry(
    kind: EntryKind, launch: Launch, profile: Profile, standing: Standing, ruleset: str
) -> EntryLanding:
    """The route of one kind of entry under this launch: profile, granted scopes, phase, switches, ruleset."""
    scopes, resource = GrantedScopes(launch.scopes), RESOURCE_OF[kind]
    read_granted = scopes.allows(resource, "r") and (kind is EntryKind.VISIT_REASON or scopes.allows(resource, "s"))
    facts = EntryFacts(
        takes=tuple(way for way in ways(kind) if profile.supports(resource, way)),
        granted=frozenset(way for way in ways(kind) if scopes.allows(resource, LETTERS[way])),
        read_granted=read_granted,
        phase=standing.phase,
        switched_off=standing.switched_off,
        has_encounter=launch.encounter is not None or kind not in IN_A_VISIT,
        ruleset_signs=ruleset in SIGNS_ENTRIES,
    )
    return choose_entry_route(facts)


def planned_entries(review: Review, landings: Mapping[EntryKind, EntryLanding]) -> tuple[PlannedEntry, ...]:
    """What signing would write or hand over, in the order of the draft."""
    return tuple(PlannedEntry(one, landings[one.kind]) for one in review.proposals if one.to_be_signed)


def entry_snapshot(
    launch: Launch, note_id: str, version: int, plan: PlannedEntry, visit: Stored | None
) -> EntrySnapshot:
    """What the signature fixes of one entry. `visit` is the Encounter as it was read for this signature."""
    proposal_id = plan.reviewed.proposal.id
    fixed: dict[str, Any] = {
        "proposal_id": proposal_id,
        "identifier": digest(canonical_json([launch.tenant_id, note_id, version, proposal_id]))[:40],
        "content": plan.reviewed.content,
        "route": "file" if plan.landing.route is Route.FILE else "copy",
        "reason": plan.landing.reason,
        "interaction": plan.landing.interaction,
    }
    if plan.reviewed.kind is EntryKind.VISIT_REASON and visit is not None and version_to_match(visit):
        target = f"Encounter/{visit.resource_id}"
        fixed |= {"target": target, "if_match": version_to_match(visit), "base": visit.resource}
    return EntrySnapshot.model_validate(fixed)


def entries_to_sign(
    entries: tuple[EntrySnapshot, ...], broken: Mapping[str, tuple[str, ...]]
) -> tuple[EntryToSign, ...]:
    """The entries as the rules see them. `broken`: by proposal, why this EHR could not hold it."""
    changes = [one.proposal_id for one in entries if one.route == "file" and one.kind is EntryKind.VISIT_REASON]
    return tuple(
        EntryToSign(
            words=in_words(one.content),
            kind=one.kind,
            is_filed=one.route == "file",
            broken=(*broken.get(one.proposal_id, ()), *((ONE_CHANGE,) if one.proposal_id in changes[1:] else ())),
        )
        for one in entries
    )


def identity_missing(draft: Draft) -> tuple[str, ...]:
    """What the chart does not tell of who the patient is."""
    patient = draft.patient
    named = bool(patient.family or patient.given)
    return tuple(
        what for what, known in (("name", named), ("date of birth", patient.birth_date is not None)) if not known
    )


def statement_on_entries(count: int) -> str:
    """What the clinician attests of the entries beside the note; empty where there are none."""
    if not count:
        return ""
    return " I approved the entry beside it." if count == 1 else f" I approved each of the {count} entries beside it."
