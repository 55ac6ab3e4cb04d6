"""What each of the administrators' templates is given."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SignInScreen:  # templates/admin/sign_in.html
    csrf: str
    next: str
    provider: bool  # whether the organisation's own sign-in is offered
    signed_out: bool
    problem: str
    advice: tuple[str, ...]
    code: str


@dataclass(frozen=True)
class Health:  # a dot and a word, never the dot alone
    kind: str  # "quiet" | "look" | "stopped"
    word: str  # "Fine" | "New" | "Look here" | "Stopped"
    sentence: str


@dataclass(frozen=True)
class TenantRow:
    tenant_id: str
    organization: str
    vendor: str
    environment: str
    health: Health
    last_launch: str
    origin: str  # "file" | "database"


@dataclass(frozen=True)
class TenantsScreen:  # templates/admin/tenants.html
    rows: tuple[TenantRow, ...]
    retired: tuple[str, ...]
    done: str


@dataclass(frozen=True)
class Problem:  # beside a field, and in the summary at the top
    wrong: str
    write: str


@dataclass(frozen=True)
class Field:
    name: str  # as in the document: "authentication.secret"
    control: str  # "line" | "lines" | "choice" | "tick"
    label: str
    help: str
    value: str
    choices: tuple[tuple[str, str], ...] = ()
    problem: Problem | None = None
    required: bool = False

    @property
    def id(self) -> str:
        """Its id on the page."""
        return "field-" + self.name.replace(".", "-")


@dataclass(frozen=True)
class Group:
    title: str
    words: str
    fields: tuple[Field, ...]
    folded: bool  # seldom needed: closed until opened, unless something in it is wrong
    problem: Problem | None = None  # with the group as a whole
    rows: tuple[tuple[str, tuple[Field, ...]], ...] = ()  # repeated fields: a title and the fields of each

    @property
    def open(self) -> bool:
        """Whether to show its fields at once."""
        return not self.folded or any(field.problem for field in self.fields)


@dataclass(frozen=True)
class TenantFormScreen:  # templates/admin/tenant_form.html
    heading: str
    action: str
    button: str
    back: str
    groups: tuple[Group, ...]
    problems: tuple[tuple[str, str, str], ...]  # (href, label, wrong) for the summary


@dataclass(frozen=True)
class WorkflowRow:
    workflow_id: str
    title: str
    queue: str
    phase: str
    phase_word: str
    phase_words: str
    set_by: str  # "set by Dana on ..." or "as registered"


@dataclass(frozen=True)
class SwitchRow:
    workflow: str
    resource: str
    covers: str  # "All writing" | "Provenance in Primary care"
    since: str
    by: str
    reason: str


@dataclass(frozen=True)
class KeyRow:
    kid: str
    algorithm: str
    made: str
    age: str
    state: str  # "Signs now" | "Signs from ..." | "Published until ..." | "Over since ..."
    published: bool


@dataclass(frozen=True)
class SecretRow:
    name: str
    kept: str
    used: bool


@dataclass(frozen=True)
class LaunchRow:
    reference: str
    at: str
    outcome: str
    failed: bool
    tenant_id: str
    detail: str


@dataclass(frozen=True)
class TenantScreen:  # templates/admin/tenant.html
    tenant_id: str
    organization: str
    vendor: str
    environment: str
    health: Health
    file: str  # the YAML file's name, or empty
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    fhir_base: str
    unexplained_bases: tuple[str, ...]  # where the EHR was before, and nobody has said that it is the same
    workflows: tuple[WorkflowRow, ...]
    phases: tuple[tuple[str, str], ...]
    switches: tuple[SwitchRow, ...]
    resources: tuple[str, ...]
    keys: tuple[KeyRow, ...] | None  # None: this tenant has no keys of ours
    key_set_url: str
    secrets: tuple[SecretRow, ...] | None  # None: this tenant needs no secret
    secret_reference: str
    launches: tuple[LaunchRow, ...]
    done: str
    problem_in: str  # the section in which something could not be done
    problem: str


@dataclass(frozen=True)
class LaunchesScreen:  # templates/admin/launches.html
    asked: str
    missing: str  # a code that was asked for and is not there
    rows: tuple[LaunchRow, ...]


@dataclass(frozen=True)
class LaunchScreen:  # templates/admin/launch.html
    reference: str
    traces: tuple["TraceStory", ...]


@dataclass(frozen=True)
class TraceStory:
    at: str
    tenant_id: str
    organization: str
    step: str
    outcome: str
    failed: bool
    detail: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AccountRow:
    account_id: str
    name: str
    signs_in: str  # "Password" | the provider's host
    is_local: bool
    roles: tuple[str, ...]
    since: str
    disabled: str  # when, or empty
    is_self: bool


@dataclass(frozen=True)
class AccountsScreen:  # templates/admin/accounts.html
    rows: tuple[AccountRow, ...]
    roles: tuple[tuple[str, str, str], ...]  # (value, name, what it is for)
    done: str
    problem_in: str
    problem: str


@dataclass(frozen=True)
class AuditRow:
    sequence: int
    at: str
    who: str
    actor: str  # as the log holds it, and as it is asked for
    what: str
    tag: str
    stream: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AuditScreen:  # templates/admin/audit.html
    tenants: tuple[tuple[str, str], ...]
    asked: dict[str, str]
    problem: str
    tags: tuple[tuple[str, str], ...]
    rows: tuple[AuditRow, ...] | None  # None: no tenant was chosen yet
    older: str  # the address of the next page, or empty
    newest: str
    is_story: bool


@dataclass(frozen=True)
class FindingRow:  # one check of the launch doctor
    check: str  # "redirect_uri"
    words: str  # "to change" | "advice" | "cannot tell" | "in order"
    title: str  # "The EHR knows the redirect URI"
    found: str
    expected: str
    change: str
    where: str
    because_of: str  # "" or the title of the check whose failure explains this one


@dataclass(frozen=True)
class DoctorScreen:  # templates/admin/doctor.html; the sheet's page takes app.onboarding.sheet.Sheet as it is
    tenant_id: str
    organization: str
    ran_at: str  # "" before the checks have run
    ok: bool
    verdict: str
    to_change: tuple[FindingRow, ...]
    advice: tuple[FindingRow, ...]
    open: tuple[FindingRow, ...]
    fine: tuple[FindingRow, ...]
    text: str  # for the vendor's support, "" when nothing failed
