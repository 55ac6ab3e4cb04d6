"""What an administrator does to one tenant: phases, switches, a move, keys, secrets, its end. Each one is an event."""

from collections.abc import Callable

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from app.administrators.roles import Act, Area
from app.errors import BadInput, NotFound, Refused
from app.ids import TenantId
from app.pages.admin.doors import guard, visitor
from app.pages.admin.tenant_page import page
from app.pages.admin.tenants import required_tenant
from app.pages.sessions import collaborators
from app.publication.retirement import retire_tenant
from app.tenants.registrations import Tenant

admin_tenant = Blueprint("admin_tenant", __name__, url_prefix="/admin/tenants/<tenant_id>")
guard(
    admin_tenant,
    {
        "show": Area.TENANTS,
        "change_phase": Act.CHANGE_PHASE,
        "turn_switch": Act.TURN_SWITCH,
        "say_same_ehr": Act.CHANGE_TENANT,
        "rotate_key": Act.ROTATE_KEY,
        "drop_key": Act.ROTATE_KEY,
        "keep_secret": Act.KEEP_SECRET,
        "retire": Act.RETIRE_TENANT,
    },
)


@admin_tenant.get("")
def show(tenant_id: str) -> ResponseReturnValue:
    """The tenant's page."""
    return page(required_tenant(tenant_id))


@admin_tenant.post("/phase")
def change_phase(tenant_id: str) -> ResponseReturnValue:
    """How far a workflow may go."""
    tenant, asked = required_tenant(tenant_id), request.form
    return _done(
        tenant,
        "workflows",
        "phase",
        lambda: collaborators().rollout.change(
            tenant, asked.get("workflow", ""), asked.get("phase", ""), visitor().account.actor
        ),
    )


@admin_tenant.post("/switch")
def turn_switch(tenant_id: str) -> ResponseReturnValue:
    """Switch writing off, or on again; always with a reason."""
    tenant, asked, switches = required_tenant(tenant_id), request.form, collaborators().switches
    is_on = asked.get("turn") == "on"
    turn = switches.turn_on if is_on else switches.turn_off
    which = (asked.get("workflow", ""), asked.get("resource", ""), asked.get("reason", "").strip())
    return _done(tenant, "switches", "on" if is_on else "off", lambda: turn(tenant, *which, visitor().account.actor))


@admin_tenant.post("/moved")
def say_same_ehr(tenant_id: str) -> ResponseReturnValue:
    """The EHR at an earlier address is the one at the present address; with a reason."""
    tenant, asked = required_tenant(tenant_id), request.form
    words = (asked.get("fhir_base", ""), asked.get("reason", "").strip(), visitor().account.actor)
    return _done(tenant, "moved", "moved", lambda: collaborators().moved_bases.say_same(tenant, *words))


@admin_tenant.post("/keys")
def rotate_key(tenant_id: str) -> ResponseReturnValue:
    """Publish the next key; it takes over by itself."""
    tenant, parts = required_tenant(tenant_id), collaborators()
    return _done(
        tenant, "keys", "rotated", lambda: parts.client_keys.rotate(tenant, parts.clock(), visitor().account.actor)
    )


@admin_tenant.post("/keys/dropped")
def drop_key(tenant_id: str) -> ResponseReturnValue:
    """Drop a key at once, because it may have leaked."""
    tenant, parts, kid = required_tenant(tenant_id), collaborators(), request.form.get("kid", "")
    return _done(
        tenant,
        "keys",
        "dropped",
        lambda: parts.client_keys.retire_key(tenant, kid, parts.clock(), visitor().account.actor),
    )


@admin_tenant.post("/secrets")
def keep_secret(tenant_id: str) -> ResponseReturnValue:
    """Seal a secret; from then on it can be replaced and used, and not read."""
    tenant, asked = required_tenant(tenant_id), request.form
    return _done(
        tenant,
        "secrets",
        "kept",
        lambda: collaborators().secrets.keep(
            tenant, asked.get("name", "").strip(), asked.get("value", ""), visitor().account.actor
        ),
    )


@admin_tenant.post("/retirement")
def retire(tenant_id: str) -> ResponseReturnValue:
    """End the registration; its id is typed once more, because it cannot be taken back."""
    tenant, parts = required_tenant(tenant_id), collaborators()
    if request.form.get("typed", "").strip() != tenant.id:
        return page(tenant, "retirement", f"Type {tenant.id} to say that you mean it."), 400
    retire_tenant(parts.registering, parts.giving_back, TenantId(tenant.id), visitor().account.actor)
    return redirect("/admin/?done=retired", 303)


def _done(tenant: Tenant, section: str, done: str, act: Callable[[], object]) -> ResponseReturnValue:
    """Do it and go back to where it was asked for; what cannot be done is said there."""
    try:
        act()
    except (BadInput, NotFound, Refused) as refused:
        return page(tenant, section, " ".join((refused.what_happened, *refused.what_to_do))), refused.status
    return redirect(f"/admin/tenants/{tenant.id}?done={done}#{section}", 303)
