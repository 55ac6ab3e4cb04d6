"""Where a note signed under a launch would go: what the policy needs to know, gathered."""

from app.policy.route import Landing, RouteFacts, choose_route
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from app.tenants.standing import Standing
from launch.scopes import GrantedScopes
from vendors.profile import Profile


def landing_of(launch: Launch, tenant: Tenant, profile: Profile, standing: Standing) -> Landing:
    """The route for a note of this launch: profile, the tenant's choice, how its workflow stands, granted scopes."""
    scopes = GrantedScopes(launch.scopes)
    return choose_route(
        RouteFacts(
            vendor_takes_notes=profile.supports("DocumentReference", "create"),
            write_granted=scopes.allows("DocumentReference", "c"),
            read_granted=scopes.allows("DocumentReference", "r") and scopes.allows("DocumentReference", "s"),
            encounter_required=tenant.encounter_required or profile.note.encounter_required.value,
            has_encounter=launch.encounter is not None,
            phase=standing.phase,
            switched_off=standing.switched_off,
            takes_preliminary=profile.note.doc_status["preliminary"].value == "unsigned",
            file_as=tenant.note.file_as,
        )
    )
