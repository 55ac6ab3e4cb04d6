"""Who we work for: one organisation's registration with one EHR, read from `smart-config/tenants/*.yaml`.

Values may refer to the environment as `${NAME}`. A secret must: it stays a reference here and is read where it is used.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.errors import Misconfigured

REFERENCE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class ClientAuthentication(BaseModel):
    """How we prove to the EHR's token endpoint who we are (SMART App Launch 2.2, client authentication)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["private_key_jwt", "client_secret_basic"]
    algorithm: Literal["RS384", "ES384"] = "ES384"
    secret: str = Field(default="", pattern=r"^(\$\{[A-Z][A-Z0-9_]*\})?$", repr=False)

    @model_validator(mode="after")
    def _secret_where_needed(self) -> Self:
        if (self.method == "client_secret_basic") != bool(self.secret):
            raise ValueError("client_secret_basic, and only it, needs a secret: ${NAME}")
        return self


class NotePolicy(BaseModel):
    """How this organisation files notes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type_code: str = "11506-3"
    type_display: str = "Progress note"
    file_as: Literal["final", "preliminary"] = "final"
    ai_label: bool = True


class Workflow(BaseModel):
    """A partition inside a tenant: its own queue, template and ruleset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    title: str
    template: str = "visit-note"
    ruleset: str = "standard-1"


class Tenant(BaseModel):
    """One registration. `fhir_base` is the `iss` that launches carry, compared as the same string."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")
    organization: str
    vendor: str
    environment: Literal["sandbox", "nonproduction", "production"]
    fhir_base: str
    client_id: str
    authentication: ClientAuthentication
    endpoint_origins: tuple[str, ...] = ()
    frame_origins: tuple[str, ...]
    timezone: str = "UTC"
    encounter_required: bool = True
    transcript_type: str = "http://ehr.localhost/fhir/document-kind|visit-transcript"
    note: NotePolicy = NotePolicy()
    workflows: tuple[Workflow, ...] = (Workflow(id="primary-care", title="Primary care"),)

    @field_validator("fhir_base")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be the absolute URL of the FHIR base, without user, query or fragment")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone of the IANA database, such as America/Chicago")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which this organisation reads its clocks."""
        return ZoneInfo(self.timezone)

    @property
    def is_sandbox(self) -> bool:
        """Only sandbox tenants may use plain HTTP, and only on loopback."""
        return self.environment == "sandbox"

    @property
    def origins(self) -> frozenset[str]:
        """Origins that requests for this tenant may go to: the FHIR base's own, and those listed."""
        parts = urlsplit(self.fhir_base)
        return frozenset({f"{parts.scheme}://{parts.netloc}", *self.endpoint_origins})

    @property
    def workflow(self) -> Workflow:
        """The workflow that new notes of this tenant belong to: the first listed."""
        return self.workflows[0]


class Tenants:
    """All registrations, found by id or by issuer."""

    def __init__(self, tenants: tuple[Tenant, ...]) -> None:
        self._by_id = {tenant.id: tenant for tenant in tenants}
        self._by_issuer = {tenant.fhir_base: tenant for tenant in tenants}
        if len(self._by_id) < len(tenants) or len(self._by_issuer) < len(tenants):
            raise Misconfigured("Two tenant files share an id or a fhir_base; each tenant needs its own.")

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self._by_id.values())

    def get(self, tenant_id: str) -> Tenant | None:
        """The tenant with this id, if it is registered."""
        return self._by_id.get(tenant_id)

    def require(self, tenant_id: str) -> Tenant:
        """The tenant with this id. Raises `Misconfigured` when its file is gone while work for it is left."""
        if tenant_id not in self._by_id:
            raise Misconfigured(f"The tenant {tenant_id} is not registered any more; put its file back.")
        return self._by_id[tenant_id]

    def by_issuer(self, issuer: str) -> Tenant | None:
        """The tenant whose FHIR base is exactly this string, if it is registered."""
        return self._by_issuer.get(issuer)


def load_tenants(folder: Path, environment: Mapping[str, str]) -> Tenants:
    """Read every `*.yaml` in `folder`. Raises `Misconfigured` naming the file, the field and what to write."""
    return Tenants(tuple(_load(path, environment) for path in sorted(folder.glob("*.yaml"))))


def _load(path: Path, environment: Mapping[str, str]) -> Tenant:
    try:
        return Tenant.model_validate(_filled(path, yaml.safe_load(path.read_text(encoding="utf-8")), environment))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(f"{path.name}: {where}: {first['msg']}") from error
    except yaml.YAMLError as error:
        raise Misconfigured(f"{path.name} is not valid YAML.") from error


def _filled(path: Path, value: Any, environment: Mapping[str, str], field: str = "") -> Any:
    """The document with its references replaced, except in secrets."""
    if isinstance(value, dict):
        return {name: _filled(path, member, environment, name) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(path, member, environment) for member in value]
    if isinstance(value, str) and field != "secret":
        return REFERENCE.sub(lambda found: looked_up(found[1], environment, path.name), value)
    return value


def looked_up(name: str, environment: Mapping[str, str], where: str) -> str:
    """The value of one environment variable. Raises `Misconfigured` naming it and where it is asked for."""
    if name not in environment:
        raise Misconfigured(f"{where} refers to ${{{name}}}, which is not set. Set it in the environment.")
    return environment[name]


def secret_of(tenant: Tenant, environment: Mapping[str, str]) -> str:
    """The tenant's client secret. Raises `Misconfigured` when the variable that holds it is not set."""
    return looked_up(tenant.authentication.secret[2:-1], environment, f"{tenant.id}.yaml")


def require_secrets(tenants: Tenants, environment: Mapping[str, str]) -> None:
    """Raises `Misconfigured` when any tenant's secret is not set: better at the start than in a launch."""
    for tenant in tenants:
        if tenant.authentication.secret:
            secret_of(tenant, environment)
