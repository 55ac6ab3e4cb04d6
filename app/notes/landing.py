"""Where a note signed under a launch would go: what the policy needs to know, gathered."""

from app.policy.route import Landing, RouteFacts, choose_route
from app.tenants.launches import Launch
from app.tenants.registrations import Tenant
from launch.scopes import GrantedScopes
from vendors.profile import Profile


def landing_of(launch: Launch, tenant: Tenant, profile: Profile) -> Landing:
    """The route for a note of this launch, from the documented profile, the tenant's choice and the granted scopes."""
    scopes = GrantedScopes(launch.scopes)
    return choose_route(
        RouteFacts(
            vendor_takes_notes=profile.supports("DocumentReference", "create"),
            write_granted=scopes.allows("DocumentReference", "c"),
            read_granted=scopes.allows("DocumentReference", "r") and scopes.allows("DocumentReference", "s"),
            encounter_required=tenant.encounter_required or profile.note.encounter_required.value,
            has_encounter=launch.encounter is not None,
        )
    )
