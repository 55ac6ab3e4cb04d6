"""The tenants: all of them as a table, and the form that registers one or changes it."""

from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.administrators.roles import Act, Area
from app.errors import NotFound, Refused
from app.pages.admin.doors import guard, visitor
from app.pages.admin.health import Healths, last_launch
from app.pages.admin.screens import TenantFormScreen, TenantRow, TenantsScreen
from app.pages.admin.tenant_form import document_of, groups, new_document, summary
from app.pages.admin.words import moment
from app.pages.sessions import collaborators
from app.projections import follower
from app.tenants.registering import Problem, RegistrationRefused
from app.tenants.registrations import Tenant
from app.tenants.trace_search import FoundTrace

admin_tenants = Blueprint("admin_tenants", __name__, url_prefix="/admin")
guard(
    admin_tenants,
    {
        "everyone": Area.TENANTS,
        "blank": Act.REGISTER_TENANT,
        "register": Act.REGISTER_TENANT,
        "begun": Act.CHANGE_TENANT,
        "change": Act.CHANGE_TENANT,
    },
)


@admin_tenants.get("/")
def everyone() -> ResponseReturnValue:
    """Every tenant, with how it is doing."""
    parts = collaborators()
    follower.catch_up(parts.database)
    with parts.database.read() as tx:
        healths = Healths(tx, parts.clock())
        last = {tenant.id: last_launch(tx, tenant.id) for tenant in parts.tenants}
        rows = tuple(_row(tenant, healths, last[tenant.id]) for tenant in parts.tenants if tenant.id in last)
    retired = tuple(tenant.id for tenant in parts.tenants.retired())
    screen = TenantsScreen(rows, retired, "retired" if request.args.get("done") == "retired" else "")
    return render_template("admin/tenants.html", screen=screen, visitor=visitor())


@admin_tenants.get("/tenants/new")
def blank() -> ResponseReturnValue:
    """The form of a new tenant."""
    return _form(None, new_document(), ())


@admin_tenants.post("/tenants/new")
def register() -> ResponseReturnValue:
    """Register a tenant, or show every mistake beside its field."""
    document = document_of(request.form, new_document())
    try:
        tenant = collaborators().registering.register(document, visitor().account.actor)
    except RegistrationRefused as refused:
        return _form(None, document, refused.problems), refused.status
    return redirect(f"/admin/tenants/{tenant.id}?done=registered", 303)


@admin_tenants.get("/tenants/<tenant_id>/change")
def begun(tenant_id: str) -> ResponseReturnValue:
    """The form, filled with the registration as it is."""
    return _form(tenant_id, _changeable(tenant_id), ())


@admin_tenants.post("/tenants/<tenant_id>/change")
def change(tenant_id: str) -> ResponseReturnValue:
    """Change a registration, or show every mistake beside its field."""
    document = document_of(request.form, _changeable(tenant_id))
    try:
        collaborators().registering.change(tenant_id, document, visitor().account.actor)
    except RegistrationRefused as refused:
        return _form(tenant_id, document, refused.problems), refused.status
    return redirect(f"/admin/tenants/{tenant_id}?done=changed", 303)


def required_tenant(tenant_id: str) -> Tenant:
    """The live tenant of this id. Raises `NotFound`."""
    tenant = collaborators().tenants.get(tenant_id)
    if tenant is None:
        raise NotFound("There is no such tenant, or it was retired.", "Go back to the list of tenants.")
    return tenant


def _changeable(tenant_id: str) -> dict[str, Any]:
    parts = collaborators()
    required_tenant(tenant_id)
    if parts.tenants.origin(tenant_id) == "file":
        raise Refused(
            "This tenant is registered in a file, so that it is reviewed and deployed with the rest.",
            f"Change smart-config/tenants/{tenant_id}.yaml and restart Countersign.",
        )
    return parts.registering.document(tenant_id)


def _row(tenant: Tenant, healths: Healths, last: FoundTrace | None) -> TenantRow:
    return TenantRow(
        tenant_id=tenant.id,
        organization=tenant.organization,
        vendor=tenant.vendor,
        environment=tenant.environment,
        health=healths.of(tenant, last),
        last_launch=moment(last.happened_at) if last else "",
        origin=collaborators().tenants.origin(tenant.id),
    )


def _form(tenant_id: str | None, document: dict[str, Any], found: tuple[Problem, ...]) -> str:
    vendors = collaborators().registering.vendors
    is_new = tenant_id is None
    screen = TenantFormScreen(
        heading="Register a tenant" if is_new else f"Change {document['organization'] or tenant_id}",
        action="/admin/tenants/new" if is_new else f"/admin/tenants/{tenant_id}/change",
        button="Register" if is_new else "Save",
        back="/admin/" if is_new else f"/admin/tenants/{tenant_id}",
        groups=groups(document, vendors, found, is_new=is_new),
        problems=summary(found),
    )
    return render_template("admin/tenant_form.html", screen=screen, visitor=visitor())
