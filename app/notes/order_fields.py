"""What every order says, whatever it writes: whose it is, for whom, under which grant, and for which EHR."""

from typing import Any, Literal

from app.notes.snapshot import Snapshot
from app.tenants.launches import Launch
from launch.scopes import GrantedScopes
from vendors.profile import Profile


def order_fields(
    launch: Launch, profile: Profile, signed: Snapshot, note_version: int, workflow: str, identifier: str
) -> dict[str, Any]:
    """The fields that all orders have in common; `identifier` is ours, `system|value`, fixed at signing."""
    return {
        "note_id": signed.note_id,
        "note_version": note_version,
        "launch_id": launch.launch_id,
        "fhir_base": launch.fhir_base,
        "author_issuer": launch.issuer,
        "author_subject": launch.subject,
        "author": signed.author,
        "patient": signed.patient,
        "encounter": signed.encounter,
        "workflow": workflow,
        "identifier": identifier,
        "profile": profile.name,
        "profile_version": profile.version,
    }


def provenance_route(launch: Launch, profile: Profile) -> Literal["post", "kept"]:
    """Whether the Provenance is filed too, or kept here: what the EHR takes and what its token was granted decide."""
    posts = profile.supports("Provenance", "create") and GrantedScopes(launch.scopes).allows("Provenance", "c")
    return "post" if posts else "kept"
