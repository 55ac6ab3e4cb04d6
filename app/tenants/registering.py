"""Registrations that commands and pages add, change and retire: checked as a whole, so all mistakes show at once.

What is stored is the document with references to secrets in it, never a secret. Each change is an event in the
tenant's own log, and raises the revision that every process compares before it looks a tenant up.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from sqlalchemy import Connection, func, insert, select, update

from app.clock import Clock
from app.db import Database, lock_named
from app.errors import BadInput, NotFound, Refused
from app.event_log.event import Event
from app.settings import Settings
from app.tenants.client_keys import ClientKeys
from app.tenants.directory import Tenants, sharing_a_base
from app.tenants.events import TenantChanged, TenantRegistered, TenantRetired
from app.tenants.registration_words import problem_of
from app.tenants.registrations import Tenant
from app.tenants.secrets import may_be_registered, own_files
from app.tenants.tables import registrations as table
from app.tenants.tenant_log import record
from launch.endpoints import origin_of
from launch.registration import RESERVED_TENANT_IDS
from vendors.pinning import is_loopback_name
from vendors.profile import Profile

# The log of the administrators' own events, and words that stand in the place of an id in an address.
RESERVED = frozenset({"console"}) | RESERVED_TENANT_IDS


@dataclass(frozen=True)
class Problem:
    """One mistake: the field as in the document (`authentication.secret`), what is wrong, and what to write."""

    field: str
    wrong: str
    write: str

    def __str__(self) -> str:
        return f"{self.field}: {self.wrong} {self.write}".strip()


class RegistrationRefused(BadInput):
    """The document is no registration; `problems` holds every mistake in it."""

    code = "registration_refused"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(" ".join(str(problem) for problem in problems), "Correct these fields and send it again.")
        self.problems = problems


class Registering:
    """The commands on registrations that are kept in the database."""

    def __init__(
        self,
        database: Database,
        tenants: Tenants,
        keys: ClientKeys,
        profiles: Mapping[str, Profile],
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._tenants = tenants
        self._keys = keys
        self._profiles = profiles
        self._secret_files = settings.secret_files
        self._loopback = settings.on_this_machine
        self._clock = clock

    @property
    def vendors(self) -> tuple[str, ...]:
        """The EHR products that a tenant may have."""
        return tuple(sorted(self._profiles))

    def problems(self, document: Mapping[str, Any], replacing: str | None = None) -> tuple[Problem, ...]:
        """Every mistake in `document` as a new registration, or as the change of the tenant `replacing`."""
        return self._checked(document, replacing)[1]

    def register(self, document: Mapping[str, Any], actor: str) -> Tenant:
        """Add a tenant. Raises `RegistrationRefused` with every mistake; ids of files and reserved ids are mistakes."""
        now = self._clock()
        with self._database.write() as tx:
            revision = _next_revision(tx)
            tenant = self._required(document, None)
            kept = _document(tenant)
            row = {"tenant_id": tenant.id, "document": json.dumps(kept), "revision": revision, "changed_at": now}
            tx.execute(insert(table).values(**row))
            self._record(tx, tenant.id, TenantRegistered(revision=revision, document=kept), actor)
        return tenant

    def change(self, tenant_id: str, document: Mapping[str, Any], actor: str) -> Tenant:
        """Replace a tenant's registration as a whole; its id and its workflows' ids stay.

        Raises `NotFound`, `Refused` for tenants of files and retired ones, and `RegistrationRefused`.
        """
        before = self._changeable(tenant_id)
        with self._database.write() as tx:
            revision = _next_revision(tx)
            tenant = self._required(document, tenant_id)
            kept, old = _document(tenant), _document(before)
            fields = tuple(name for name in kept if kept[name] != old[name])
            if fields:
                self._store(tx, tenant_id, revision, document=json.dumps(kept))
                event = TenantChanged(revision=revision, fields_changed=fields, document=kept)
                self._record(tx, tenant_id, event, actor)
        return tenant

    def retire(self, tenant_id: str, actor: str) -> None:
        """End a registration: no launch, nothing sent; its id stays taken. Raises `NotFound` and `Refused`."""
        tenant = self._changeable(tenant_id)
        with self._database.write() as tx:
            revision = _next_revision(tx)
            self._store(tx, tenant_id, revision, retired_at=self._clock())
            self._record(tx, tenant_id, TenantRetired(revision=revision), actor)
        self._keys.end_all(tenant, self._clock(), actor)

    def document(self, tenant_id: str) -> dict[str, Any]:
        """The registration as the document that `change` takes, for a form to begin with. Raises `NotFound`."""
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            raise NotFound("There is no such tenant.", "Look at the list of tenants.")
        return _document(tenant)

    def _changeable(self, tenant_id: str) -> Tenant:
        if self._tenants.is_retired(tenant_id):
            raise Refused("This tenant was retired.", "Register the organisation again under another id.")
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            raise NotFound("There is no such tenant.", "Look at the list of tenants.")
        if self._tenants.origin(tenant_id) == "file":
            raise Refused(
                "This tenant is registered in a file.", f"Change smart-config/tenants/{tenant_id}.yaml and restart."
            )
        return tenant

    def _required(self, document: Mapping[str, Any], replacing: str | None) -> Tenant:
        tenant, problems = self._checked(document, replacing)
        if tenant is None or problems:
            raise RegistrationRefused(problems)
        return tenant

    def _checked(self, document: Mapping[str, Any], replacing: str | None) -> tuple[Tenant | None, tuple[Problem, ...]]:
        try:
            tenant = Tenant.model_validate(document)
        except ValidationError as error:
            found = (problem_of(one) for one in error.errors(include_input=False, include_url=False))
            return None, tuple(dict.fromkeys(Problem(*parts) for parts in found))
        return tenant, (*self._of_its_own(tenant), *self._among_others(tenant, replacing))

    def _of_its_own(self, tenant: Tenant) -> list[Problem]:
        problems = []
        for field, urls in (("fhir_base", (tenant.fhir_base,)), ("endpoint_origins", tenant.endpoint_origins)):
            try:
                for url in urls:
                    self._require_reachable(url, tenant)
            except ValueError as error:
                write = "Write an https address"
                write += "; a sandbox may use http to names under localhost." if self._loopback else "."
                problems.append(Problem(field, f"This address cannot be used: {error}.", write))
        if tenant.vendor not in self._profiles:
            known = ", ".join(self.vendors)
            problems.append(Problem("vendor", f"{tenant.vendor!r} has no profile.", f"Write one of {known}."))
        else:
            problems += _of_its_vendor(tenant, self._profiles[tenant.vendor])
        if not may_be_registered(tenant, self._secret_files):
            wrong = "A variable of this server, or a file that is not this tenant's own, may not be its secret."
            write = f"Write sealed:NAME, or file:{own_files(tenant.id, self._secret_files)}/NAME."
            problems.append(Problem("authentication.secret", wrong, write))
        return problems

    def _require_reachable(self, url: str, tenant: Tenant) -> None:
        """Raises `ValueError` for an address that no request of ours may go to (E16)."""
        host = urlsplit(origin_of(url, allow_loopback=self._loopback and tenant.is_sandbox)).hostname or ""
        if is_loopback_name(host) and not self._loopback:
            raise ValueError("is on this machine, which is for a Countersign that is itself reached there only")

    def _among_others(self, tenant: Tenant, replacing: str | None) -> list[Problem]:
        problems, others = [], tuple(one for one in self._tenants if one.id not in (tenant.id, replacing))
        if replacing is None and self._is_taken(tenant.id):
            problems.append(Problem("id", f"{tenant.id} is taken.", "Choose another id; ids never repeat."))
        if replacing is not None and tenant.id != replacing:
            problems.append(Problem("id", "A tenant's id never changes.", f"Write {replacing}."))
        if pair := sharing_a_base((*others, tenant)):
            write = "Give each an expected_context that differs, or write the base of this organisation alone."
            problems.append(Problem("fhir_base", f"{pair[0]} and {pair[1]} share it.", write))
        return problems + self._moved(tenant, replacing) + self._workflows_that_went(tenant, replacing)

    def _moved(self, tenant: Tenant, replacing: str | None) -> list[Problem]:
        """Another host is another EHR: secrets, patients and notes of this one must not meet it."""
        before = self._tenants.get(replacing or "")
        if before is None or before.base_origin == tenant.base_origin:
            return []
        wrong = f"This tenant's EHR is at {before.base_origin}, and a tenant does not move."
        return [Problem("fhir_base", wrong, "Register a new tenant for the new address, and retire this one.")]

    def _workflows_that_went(self, tenant: Tenant, replacing: str | None) -> list[Problem]:
        before = self._tenants.get(replacing or "")
        kept = {workflow.id for workflow in tenant.workflows}
        went = [one.id for one in before.workflows if one.id not in kept] if before else []
        write = "Keep it, and give it another title or the phase read_only: notes belong to it."
        return [Problem("workflows", f"The workflow {one} is missing.", write) for one in went]

    def _is_taken(self, tenant_id: str) -> bool:
        used = self._tenants.get(tenant_id) or self._tenants.is_retired(tenant_id)
        return bool(used) or tenant_id in RESERVED

    def _store(self, tx: Connection, tenant_id: str, revision: int, **values: object) -> None:
        mine = update(table).where(table.c.tenant_id == tenant_id, table.c.retired_at.is_(None))
        changed = tx.execute(mine.values(revision=revision, changed_at=self._clock(), **values))
        if changed.rowcount != 1:
            raise Refused("This tenant was retired a moment ago.", "Look at the list of tenants.")

    def _record(self, tx: Connection, tenant_id: str, event: Event, actor: str) -> None:
        record(tx, tenant_id, event, actor=actor, now=self._clock())


def _of_its_vendor(tenant: Tenant, profile: Profile) -> list[Problem]:
    """A signature that this EHR is not known to take would be refused at the first launch (A56)."""
    proof, taken = tenant.authentication, profile.assertion_algorithms.value
    if proof.method != "private_key_jwt" or proof.algorithm in taken:
        return []
    wrong = f"{profile.title} is not known to take {proof.algorithm}."
    return [Problem("authentication.algorithm", wrong, f"Write {' or '.join(taken)}.")]


def _next_revision(tx: Connection) -> int:
    """One more than the newest revision; whoever else registers now waits until this transaction ends."""
    lock_named(tx, "registrations")
    return (tx.execute(select(func.max(table.c.revision))).scalar() or 0) + 1


def _document(tenant: Tenant) -> dict[str, Any]:
    return tenant.model_dump(mode="json")
