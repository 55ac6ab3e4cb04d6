"""One tenant on one page: its registration, how far it may go, what is off, its keys, secrets and launches."""

from collections.abc import Mapping
from datetime import datetime

from flask import render_template, request
from sqlalchemy import Connection, select

from app.ids import TenantId
from app.pages.admin.doors import visitor
from app.pages.admin.health import Healths
from app.pages.admin.screens import KeyRow, LaunchRow, SecretRow, SwitchRow, TenantScreen, WorkflowRow
from app.pages.admin.words import PHASES, lasting, moment, names_of_accounts, who
from app.pages.sessions import collaborators
from app.projections import follower
from app.tenants import habits, moved_bases, rollout, switches, trace_search
from app.tenants.client_keys import KeyAge
from app.tenants.habits import Habit, Seen
from app.tenants.registrations import Phase, Tenant
from app.tenants.switches import RESOURCES, Switch
from app.tenants.tables import rollout_phases
from app.tenants.trace_search import FoundTrace
from app.tenants.traces import COMPLETED
from vendors.profile import SignIn

LAUNCHES_SHOWN = 10
DONE = {
    "registered": "Registered. Next: the registration sheet says what to enter at the EHR; the launch doctor tries it.",
    "changed": "Saved. It counts from the next launch on.",
    "off": "Switched off. New notes are handed over for copying; what waits stays here.",
    "on": "Switched on. What waited goes on by itself.",
    "phase": "Changed. It counts from the next note on.",
    "moved": "Noted. What waits goes on when its signer starts Countersign from that chart.",
    "rotated": "A new key is published. It signs by itself when every EHR has had time to see it.",
    "dropped": "The key is dropped, and the next one signs already.",
    "kept": "Kept, sealed. Nothing shows it again.",
}

HABITS: dict[Habit, str] = {
    Habit.DROPS_IDENTIFIERS: "It drops our identifier: first from",
    Habit.FILES_LATER: "It answered 202 (accepted, not filed): first",
}
if missing := set(Habit) - HABITS.keys():
    raise TypeError(f"these habits of an EHR have no words: {sorted(missing)}")


def page(tenant: Tenant, problem_in: str = "", problem: str = "") -> str:
    """The page; `problem` is said in the section where something could not be done."""
    parts = collaborators()
    now = parts.clock()
    follower.catch_up(parts.database, tenant.id)
    keys = _keys(tenant, now)
    secrets = _secrets(tenant)
    with parts.database.read() as tx:
        launches = trace_search.newest(tx, tenant.id, LAUNCHES_SHOWN)
        screen = TenantScreen(
            tenant_id=tenant.id,
            organization=tenant.organization,
            vendor=tenant.vendor,
            environment=tenant.environment,
            health=Healths(tx, now).of(tenant, next(iter(launches), None)),
            file=f"smart-config/tenants/{tenant.id}.yaml" if parts.tenants.origin(tenant.id) == "file" else "",
            facts=(
                *_facts(tenant, parts.ehrs.adapter(TenantId(tenant.id)).profile.sign_in.value),
                *_seen(habits.seen(tx, tenant.id)),
                *_moved(tx, tenant),
            ),
            fhir_base=tenant.fhir_base,
            unexplained_bases=moved_bases.unexplained(tx, tenant),
            workflows=_workflows(tx, tenant),
            phases=tuple((phase, PHASES[phase][0]) for phase in Phase),
            switches=tuple(switch_row(tx, tenant, one) for one in switches.turned_off(tx, tenant.id)),
            resources=RESOURCES,
            keys=keys,
            key_set_url=f"{parts.settings.public_url}/.well-known/jwks/{tenant.id}.json",
            secrets=secrets,
            secret_reference=tenant.authentication.secret,
            launches=tuple(map(launch_row, launches)),
            done=DONE.get(request.args.get("done", ""), "") if request.method == "GET" else "",
            problem_in=problem_in,
            problem=problem,
        )
    return render_template("admin/tenant.html", screen=screen, visitor=visitor())


def switch_row(tx: Connection, tenant: Tenant | None, switch: Switch) -> SwitchRow:
    """One switch that is off."""
    title = tenant.workflow_named(switch.workflow).title if tenant and switch.workflow else switch.workflow
    covers = switch.resource or "All writing"
    return SwitchRow(
        workflow=switch.workflow,
        resource=switch.resource,
        covers=f"{covers} in {title}" if title else covers,
        since=moment(switch.off_since),
        by=who(switch.turned_by, names_of_accounts(tx)),
        reason=switch.reason,
    )


def launch_row(trace: FoundTrace) -> LaunchRow:
    """One launch in a list."""
    failed = trace.outcome != COMPLETED
    return LaunchRow(
        reference=trace.reference,
        at=moment(trace.happened_at),
        outcome="Failed" if failed else "Completed",
        failed=failed,
        tenant_id=trace.tenant_id,
        detail=f"at {trace.step}: {trace.outcome.replace('_', ' ')}" if failed else "",
    )


def _facts(tenant: Tenant, usual_sign_in: SignIn) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What is registered, as people ask for it; where the sign-in opens is the vendor's to say, unless it is said."""
    proof, sign_in = tenant.authentication, tenant.sign_in or usual_sign_in
    shown: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("FHIR base URL", (tenant.fhir_base,)),
        ("Client id", (tenant.client_id,)),
        ("Authentication", (f"{proof.method}, {proof.algorithm}" if not proof.secret else proof.method,)),
        ("Secret", (proof.secret,) if proof.secret else ()),
        ("May frame us", tenant.frame_origins),
        ("More origins", tenant.endpoint_origins),
        ("Expected context", tuple(f"{name}={value}" for name, value in tenant.expected_context.items())),
        ("Sign-in opens", ("in a window of its own" if sign_in == "top_window" else "in the frame",)),
        ("Time zone", (tenant.timezone,)),
        ("Contacts", tenant.contacts),
        ("Notes", (f"{tenant.note.type_display} ({tenant.note.type_code}), filed as {tenant.note.file_as}",)),
    )
    return tuple((name, values) for name, values in shown if values)


def _seen(known: Mapping[Habit, Seen]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What the EHR does that its registration does not say."""
    if not known:
        return ()
    words = [f"{HABITS[habit]} a {first.resource_type}, {moment(first.at)}." for habit, first in known.items()]
    return (("Seen in this EHR", (*words, "A write whose answer is lost waits for a person.")),)


def _moved(tx: Connection, tenant: Tenant) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What administrators said about the EHR's earlier addresses."""
    names = names_of_accounts(tx)
    words = []
    for one in moved_bases.said(tx, tenant.id):
        by = f"{who(one.said_by, names)}, {moment(one.said_at)}"
        words.append(f"{one.fhir_base} is the same EHR as {one.moved_to}: {by}. {one.reason}")
    return (("Moved", tuple(words)),) if words else ()


def _workflows(tx: Connection, tenant: Tenant) -> tuple[WorkflowRow, ...]:
    in_force = rollout.phases(tx, tenant)
    query = select(rollout_phases).where(rollout_phases.c.tenant_id == tenant.id)
    changed = {row.workflow: row for row in tx.execute(query)}
    rows = []
    for workflow in tenant.workflows:
        word, words = PHASES[in_force[workflow.id]]
        by, set_by = changed.get(workflow.id), "As registered."
        if by:
            set_by = f"Set by {who(by.changed_by, names_of_accounts(tx))}, {moment(by.changed_at)}."
        rows.append(
            WorkflowRow(workflow.id, workflow.title, workflow.queue, in_force[workflow.id], word, words, set_by)
        )
    return tuple(rows)


def _keys(tenant: Tenant, now: datetime) -> tuple[KeyRow, ...] | None:
    if tenant.authentication.method != "private_key_jwt":
        return None
    return tuple(_key(age, now) for age in collaborators().client_keys.ages(tenant, now))


def _key(age: KeyAge, now: datetime) -> KeyRow:
    over = age.published_until is not None and age.published_until <= now
    if age.signs:
        state = f"Signs now; published until {moment(age.published_until)}" if age.published_until else "Signs now"
    elif over and age.published_until:
        state = f"Over since {moment(age.published_until)}"
    elif age.signs_from > now:
        state = f"Published; signs from {moment(age.signs_from)}"
    else:
        state = f"Published until {moment(age.published_until)}" if age.published_until else "Published"
    made = moment(age.created_at)
    return KeyRow(age.kid, age.algorithm, made, lasting(now - age.created_at), state, published=not over)


def _secrets(tenant: Tenant) -> tuple[SecretRow, ...] | None:
    kept = collaborators().secrets.kept(tenant.id)
    if not kept and tenant.authentication.method != "client_secret_basic":
        return None
    used = tenant.authentication.secret.removeprefix("sealed:")
    return tuple(SecretRow(one.name, moment(one.created_at), used == one.name) for one in kept)
