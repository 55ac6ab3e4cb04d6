"""What would become of a change of a signed note now: the policy's facts, gathered from our own log, and its choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from app.artifacts.store import ArtifactStore
from app.ids import WritebackId
from app.notes.amendment import Amendment, Amends
from app.notes.commands import Kind
from app.notes.landing import landing_of
from app.notes.reading import ReadNote
from app.notes.snapshot import Snapshot
from app.notes.versions import Version, original_of, versions_of
from app.policy.mutation import Asked, Change, ChangeFacts, Move, choose_change
from app.policy.route import Landing, Route
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from app.tenants.standing import Standing
from launch.scopes import GrantedScopes
from vendors.profile import Profile

NOTE = "DocumentReference"
ASKED = {Kind.CORRECTION: Asked.CORRECT, Kind.ADDENDUM: Asked.ADD}
ROUTES = {Move.SEND: Route.FILE, Move.COPY: Route.COPY}


@dataclass(frozen=True)
class Plan:
    """The choice, the version that it acts on as it was signed, and how a signature of it would land."""

    change: Change
    original: Version
    snapshot: Snapshot
    landing: Landing

    @property
    def target(self) -> str:
        """The original in the EHR, where its id is known."""
        resource_id = self.original.write.resource_id
        return f"{NOTE}/{resource_id}" if resource_id else ""

    @property
    def changes_what_is_filed(self) -> bool:
        """Whether the filed resource itself is changed, so that it has to be read just before."""
        return self.change.move is Move.SEND and self.change.interaction in ("update", "patch")

    @property
    def puts_aside_what_is_filed(self) -> bool:
        """Whether it takes the place of what stands in the chart now."""
        return self.change.move is Move.SEND and bool(self.change.supersedes and self.target)

    def amendment(self, kind: str, reason: str, zone: ZoneInfo) -> Amendment:
        """The same as the sign page shows it and the snapshot keeps it."""
        amends = Amends.model_validate(
            {
                "kind": kind,
                "reason": reason,
                "identifier": self.snapshot.identifier,
                "reference": self.target if self.change.relation else "",
                "relation": self.change.relation,
                "doc_status": self.change.doc_status,
            }
        )
        displayed = (self.change.reason, self.original.writeback_id, self.original.signed.note_version)
        return Amendment(amends, self.landing, self.snapshot.signed_at.astimezone(zone), displayed)


def plan_changes(
    tx: Connection,
    artifacts: ArtifactStore,
    asked: Sequence[Asked],
    launch: Launch,
    note: ReadNote,
    tenant: Tenant,
    profile: Profile,
    standing: Standing,
    of: WritebackId | None = None,
) -> dict[Asked, Plan]:
    """What would become of these changes under this launch now; `of` names one version, else the one that counts."""
    versions = versions_of(tx, note.tenant_id, note.state)
    named = next((version for version in versions if version.writeback_id == of), None)
    original = named or original_of(versions)
    snapshot = Snapshot.model_validate_json(artifacts.open(tx, note.tenant_id, original.signed.snapshot))
    landing, scopes = landing_of(launch, tenant, profile, standing), GrantedScopes(launch.scopes)

    def plan(one: Asked) -> Plan:
        facts = ChangeFacts(
            asked=one,
            standing=original.standing,
            landing=landing,
            ways=profile.note.amendment.value,
            retraction=profile.note.retraction.value,
            update_granted=scopes.allows(NOTE, "u"),
        )
        change = choose_change(facts)
        return Plan(change, original, snapshot, landed(change, landing))

    return {one: plan(one) for one in asked}


def landed(change: Change, landing: Landing) -> Landing:
    """How a signature of this change lands: the route of its own, under the reason that has its sentence."""
    file_as = "final" if change.doc_status else landing.file_as
    return Landing(ROUTES.get(change.move, Route.REFUSE), (change.reason,), file_as)
