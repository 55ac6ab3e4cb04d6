"""The one directory of tenants: those in files, read at the start, and those in the database, seen as they change.

Before a look-up the newest revision is compared (one small query), so every web process and worker knows a new tenant
without a restart. When the database cannot be asked, what was known last stands: a page must not lose its tenant.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import local
from typing import Literal

from pydantic import ValidationError
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.db import Database
from app.errors import Misconfigured
from app.tenants.registrations import DEFAULT_QUEUE, Tenant, load_files
from app.tenants.tables import registrations as table

Origin = Literal["file", "database"]
# Made once: asked before every look-up, and before every send.
_NEWEST = select(func.max(table.c.revision))
_RETIRED_AT = select(table.c.retired_at).where(table.c.tenant_id == bindparam("which"))

log = get_logger()


@dataclass(frozen=True)
class Known:
    """The directory at one revision of the database; opaque to whoever holds it."""

    revision: int = 0
    live: Mapping[str, Tenant] = field(default_factory=dict)
    retired: Mapping[str, Tenant] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)


class Tenants:
    """All registrations, found by id or by issuer; iterating gives the live ones, those in files first."""

    def __init__(self, files: tuple[Tenant, ...], database: Database | None = None) -> None:
        """Without a database the files are all there is. Raises `Misconfigured` when files contradict each other."""
        self._files = {tenant.id: tenant for tenant in files}
        if len(self._files) < len(files):
            raise Misconfigured("Two tenant files share an id; each tenant needs its own.")
        if clash := sharing_a_base(files):
            raise Misconfigured(
                f"The tenants {' and '.join(clash)} share a fhir_base. Where one EHR serves several organisations, "
                "give each its own expected_context; else each needs its own fhir_base."
            )
        self._database = database
        self._known = self._with({}, {}, 0)
        self._thread = local()

    def as_now(self) -> Known:
        """The directory as it is now, for `steady`."""
        return self._current()

    @contextmanager
    def steady(self, known: Known | None = None) -> Iterator[None]:
        """Within it this thread has the registrations as they are `known`, or as they are now, without a look-up.

        So one piece of work never mixes two revisions of a registration. Who retires is still seen.
        """
        before = self._steady()
        self._thread.known = known or before or self._current()
        try:
            yield
        finally:
            self._thread.known = before

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self._current().live.values())

    def get(self, tenant_id: str) -> Tenant | None:
        """The live tenant with this id, if there is one."""
        return self._current().live.get(tenant_id) if tenant_id else None

    def require(self, tenant_id: str) -> Tenant:
        """The tenant with this id, retired ones included: work for them may be left.

        Raises `Misconfigured` when it is in neither files nor database.
        """
        tenant = self._any(tenant_id)
        if tenant is None:
            raise Misconfigured(
                f"There is no tenant {tenant_id}. Check its id; if it was registered by a file, put that back."
            )
        return tenant

    def by_issuer(self, issuer: str) -> tuple[Tenant, ...]:
        """The live tenants whose FHIR base is exactly this string: more than one where an EHR serves several (A38)."""
        return tuple(tenant for tenant in self if tenant.fhir_base == issuer)

    def origin(self, tenant_id: str) -> Origin:
        """Where the registration is kept: a file is changed in the file. Raises `Misconfigured` for an unknown id."""
        self.require(tenant_id)
        return self._known.origins[tenant_id]

    def is_retired(self, tenant_id: str) -> bool:
        """Whether this id belonged to a tenant that was retired; it stays taken."""
        return tenant_id in self._current().retired

    def retired(self) -> tuple[Tenant, ...]:
        """The tenants that were retired."""
        return tuple(self._current().retired.values())

    def is_live(self, tx: Connection, tenant_id: str) -> bool:
        """Whether the tenant is live as `tx` sees it; it takes no second connection from whoever has one."""
        if tenant_id in self._files:
            return True
        row = tx.execute(_RETIRED_AT, {"which": tenant_id}).one_or_none()
        return row is not None and row.retired_at is None

    def holds_live(self, tx: Connection, tenant_id: str) -> bool:
        """Whether the tenant is live, and stays so until `tx` ends: whoever retires it waits for that."""
        if tenant_id in self._files:
            return True
        row = tx.execute(_RETIRED_AT.with_for_update(read=True), {"which": tenant_id}).one_or_none()
        return row is not None and row.retired_at is None

    def queue_of(self, tenant_id: str, workflow: str) -> str:
        """The RQ queue of a workflow; the default one for a tenant that is gone."""
        tenant = self._any(tenant_id)
        return tenant.workflow_named(workflow).queue if tenant else DEFAULT_QUEUE

    def concurrency_of(self, tenant_id: str) -> int:
        """How many writes of a tenant may be in flight at once; one for a tenant that is gone."""
        tenant = self._any(tenant_id)
        return tenant.concurrency if tenant else 1

    def queues(self) -> tuple[str, ...]:
        """Every queue that some workflow uses, the default one first."""
        named = sorted({workflow.queue for tenant in self for workflow in tenant.workflows} - {DEFAULT_QUEUE})
        return (DEFAULT_QUEUE, *named)

    def _any(self, tenant_id: str) -> Tenant | None:
        """The tenant with this id, live or retired."""
        known = self._steady() or self._current()
        return known.live.get(tenant_id) or known.retired.get(tenant_id)

    def _steady(self) -> Known | None:
        return getattr(self._thread, "known", None)

    def _current(self) -> Known:
        if self._database is None:
            return self._known
        try:
            with self._database.read() as tx:
                revision = tx.execute(_NEWEST).scalar() or 0
                if revision != self._known.revision:
                    rows = tx.execute(select(table).order_by(table.c.tenant_id)).all()
                    live = {row.tenant_id: row.document for row in rows if row.retired_at is None}
                    retired = {row.tenant_id: row.document for row in rows if row.retired_at is not None}
                    self._known = self._with(live, retired, revision)
        except SQLAlchemyError as error:
            log.warning("registrations_unread", error=type(error).__name__)
        return self._known

    def _with(self, live: Mapping[str, str], retired: Mapping[str, str], revision: int) -> Known:
        # A file wins over a row of the same id: it was put there later, and by whoever runs this server.
        added = {one: tenant for one, tenant in _read(live).items() if one not in self._files}
        gone = {one: tenant for one, tenant in _read(retired).items() if one not in self._files}
        origins: dict[str, Origin] = {
            **dict.fromkeys((*added, *gone), "database"),
            **dict.fromkeys(self._files, "file"),
        }
        return Known(revision, self._files | added, gone, origins)


def load_tenants(folder: Path, environment: Mapping[str, str], database: Database | None = None) -> Tenants:
    """The directory over the files in `folder` and, where given, the database. Raises `Misconfigured`."""
    return Tenants(load_files(folder, environment), database)


def sharing_a_base(tenants: tuple[Tenant, ...]) -> tuple[str, ...]:
    """The ids of tenants that share a FHIR base and cannot be told apart by the context that each expects (A38).

    Bases that differ by a slash or by the spelling of the host are one: launches from either would meet both.
    """
    for tenant in tenants:
        others = [other for other in tenants if other.base_address == tenant.base_address and other.id != tenant.id]
        for other in others:
            names = tenant.expected_context.keys() & other.expected_context.keys()
            if not any(tenant.expected_context[name] != other.expected_context[name] for name in names):
                return tuple(sorted((tenant.id, other.id)))
    return ()


def _read(documents: Mapping[str, str]) -> dict[str, Tenant]:
    """The registrations of rows; one that this release cannot read is left out, and somebody is told."""
    tenants = {}
    for tenant_id, document in documents.items():
        try:
            tenants[tenant_id] = Tenant.model_validate(json.loads(document))
        except ValidationError:
            log.critical("registration_unreadable", tenant=tenant_id)
    return tenants
