"""Where tenants' secrets are: in the environment, in a file, or sealed in our database. Never in a registration.

A sealed secret can be kept and replaced by a page or a command, and used by us; nothing shows it again. Whoever may
register a tenant chooses the address that its secret is sent to. So a sealed secret is bound to the origin of the EHR
that it was kept for, and what pages and commands register may refer to nothing else but files of the tenant's own.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, insert, select

from app.clock import Clock
from app.db import Database
from app.errors import BadInput, Misconfigured
from app.sealing import Keyring, Sealed
from app.tenants.events import TenantSecretKept
from app.tenants.registrations import Tenant, looked_up
from app.tenants.tables import sealed_secrets as table
from app.tenants.tenant_log import record

SEALED_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LONGEST = 4096


@dataclass(frozen=True)
class KeptSecret:
    """A sealed secret as it may be shown: its name and its age."""

    name: str
    created_at: datetime


class Secrets:
    """Keeps sealed secrets, and finds what a registration refers to."""

    def __init__(
        self, database: Database, keyring: Keyring, environment: Mapping[str, str], files: Path, clock: Clock
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._environment = environment
        self._files = files
        self._clock = clock

    def keep(self, tenant: Tenant, name: str, value: str, actor: str) -> None:
        """Seal `value` as this tenant's secret `name`, replacing what was there. Raises `BadInput`.

        It opens for the origin of the tenant's present FHIR base, and for no other.
        """
        if not SEALED_NAME.fullmatch(name):
            raise BadInput("A secret's name is up to 63 lower-case letters, digits and hyphens.", "Choose another.")
        if not value or len(value) > LONGEST or not value.isprintable():
            raise BadInput(f"A secret is 1 to {LONGEST} printable characters on one line.", "Send it again.")
        sealed, now = self._keyring.seal(value.encode(), _context(tenant, name)), self._clock()
        named = {"tenant_id": tenant.id, "name": name, "origin": tenant.base_origin}
        row = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, "key_id": sealed.key_id}
        with self._database.write() as tx:
            record(tx, tenant.id, TenantSecretKept(name=name), actor=actor, now=now)
            tx.execute(delete(table).where(table.c.tenant_id == tenant.id, table.c.name == name))
            tx.execute(insert(table).values(**named, created_at=now, **row))

    def kept(self, tenant_id: str) -> tuple[KeptSecret, ...]:
        """The tenant's sealed secrets, without what they say."""
        query = select(table.c.name, table.c.created_at).where(table.c.tenant_id == tenant_id).order_by(table.c.name)
        with self._database.read() as tx:
            return tuple(KeptSecret(row.name, row.created_at) for row in tx.execute(query))

    def of(self, tenant: Tenant) -> str:
        """The tenant's client secret, for the token endpoint and nothing else. Raises `Misconfigured`."""
        return self._looked_up(tenant, tenant.authentication.secret)

    def of_callbacks(self, tenant: Tenant) -> str | None:
        """What this tenant's EHR signs its notices with; None where it sends none. Raises `Misconfigured`."""
        return self._looked_up(tenant, tenant.callbacks.secret) if tenant.callbacks else None

    def _looked_up(self, tenant: Tenant, reference: str) -> str:
        if reference.startswith("sealed:"):
            return self._opened(tenant, reference.removeprefix("sealed:"))
        return outside(tenant, self._environment, self._files, reference)

    def _opened(self, tenant: Tenant, name: str) -> str:
        with self._database.read() as tx:
            query = select(table).where(table.c.tenant_id == tenant.id, table.c.name == name)
            row = tx.execute(query).one_or_none()
        command = f"countersign tenant secret keep {tenant.id} {name}"
        if row is None:
            raise Misconfigured(f"{tenant.id} refers to sealed:{name}, which is not kept. Run: {command}")
        if row.origin != tenant.base_origin:
            raise Misconfigured(
                f"{tenant.id} refers to sealed:{name}, which was kept for the EHR at {row.origin}. "
                f"Seal it again for the new address: {command}"
            )
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        return self._keyring.open(sealed, _context(tenant, name)).decode()


def outside(tenant: Tenant, environment: Mapping[str, str], files: Path, reference: str = "") -> str:
    """The secret that a registration refers to in the environment or in a file. Raises `Misconfigured`.

    The client secret, unless another `reference` of the registration is given.
    """
    reference = reference or tenant.authentication.secret
    where = f"the tenant {tenant.id}"
    if not reference.startswith("file:"):
        return looked_up(reference[2:-1], environment, where)
    path = Path(reference.removeprefix("file:")).resolve()
    if not path.is_relative_to(files.resolve()):
        raise Misconfigured(f"{where} refers to {reference}, outside of COUNTERSIGN_SECRET_FILES ({files}).")
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{where} refers to {reference}, which cannot be read as text.") from error


def require_secrets(tenants: Iterable[Tenant], environment: Mapping[str, str], files: Path) -> None:
    """Raises `Misconfigured` when a file tenant's secret is not there: better at the start than in a launch."""
    for tenant in tenants:
        for reference in references(tenant):
            if not reference.startswith("sealed:"):
                outside(tenant, environment, files, reference)


def may_be_registered(tenant: Tenant, files: Path) -> bool:
    """Whether a page or a command may register the tenant's references to secrets: only to what is its own."""
    return all(_is_its_own(tenant, reference, files) for reference in references(tenant))


def references(tenant: Tenant) -> tuple[str, ...]:
    """Every reference to a secret in the registration."""
    named = (tenant.authentication.secret, tenant.callbacks.secret if tenant.callbacks else "")
    return tuple(one for one in named if one)


def _is_its_own(tenant: Tenant, reference: str, files: Path) -> bool:
    if not reference.startswith("file:"):
        return not reference.startswith("${")
    path = Path(os.path.normpath(reference.removeprefix("file:")))
    return own_files(tenant.id, files) in path.parents


def own_files(tenant_id: str, files: Path) -> Path:
    """The folder of the secrets that are this tenant's and nobody else's."""
    return files.absolute() / tenant_id


def _context(tenant: Tenant, name: str) -> str:
    return f"sealed-secret/{tenant.id}/{name}/{tenant.base_origin}"
