"""Who we work for: one organisation's registration with one EHR, and the files that some of them are read from.

Values in a file may refer to the environment as `${NAME}`. A secret must be a reference, here and in the database: it
stays one and is looked up where it is used (`secrets.py`).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.errors import Misconfigured
from launch.endpoints import canonical_origin

REFERENCE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
# `${NAME}`: the environment, for files only; `file:/path`: below COUNTERSIGN_SECRET_FILES; `sealed:NAME`: kept by us.
SECRET_REFERENCE = r"^(\$\{[A-Z][A-Z0-9_]*\}|file:/[^\s]+|sealed:[a-z0-9][a-z0-9-]{0,62})?$"  # noqa: S105
NAME = r"^[a-z0-9][a-z0-9-]{0,31}$"
DEFAULT_QUEUE = "countersign"


class Phase(StrEnum):
    """How far a workflow may go; later members may do all that earlier ones may."""

    READ_ONLY = "read_only"
    DRAFT_ONLY = "draft_only"
    LOW_RISK = "low_risk"
    FULL = "full"

    def allows(self, needed: "Phase") -> bool:
        """Whether a workflow at this phase may do what needs `needed`."""
        order = list(Phase)
        return order.index(self) >= order.index(needed)


class Registered(BaseModel):
    """A part of a registration: fixed once read, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ClientAuthentication(Registered):
    """How we prove to the EHR's token endpoint who we are (SMART App Launch 2.2, client authentication; A54, A58)."""

    method: Literal["private_key_jwt", "client_secret_basic", "public"]
    algorithm: Literal["RS384", "ES384"] = "ES384"
    audience: Literal["token_endpoint", "issuer"] = "token_endpoint"
    secret: str = Field(default="", pattern=SECRET_REFERENCE, repr=False)

    @model_validator(mode="after")
    def _secret_where_needed(self) -> Self:
        if (self.method == "client_secret_basic") != bool(self.secret):
            raise ValueError("client_secret_basic, and only it, needs a secret: sealed:NAME, file:/path or ${NAME}")
        return self


class BackendReading(Registered):
    """A second client of this organisation's EHR that only reads: what was filed, after its signer has left.

    It proves itself with the tenant's own key (SMART App Launch 2.2, Backend Services).
    """

    client_id: str = Field(min_length=1)


class Callbacks(Registered):
    """What an EHR signs its notices with: a reference to the secret that we share with it."""

    secret: str = Field(pattern=SECRET_REFERENCE, min_length=1, repr=False)


class NotePolicy(Registered):
    """How this organisation files notes."""

    type_code: str = "11506-3"
    type_display: str = "Progress note"
    file_as: Literal["final", "preliminary"] = "final"
    ai_label: bool = True


class VisitMatch(Registered):
    """One coding of a visit, as `system|code`: of its class, its service type or its type."""

    encounter_class: str = Field(default="", pattern=r"^([^\s|]*\|[^\s|]+)?$")
    service_type: str = Field(default="", pattern=r"^([^\s|]*\|[^\s|]+)?$")
    type: str = Field(default="", pattern=r"^([^\s|]*\|[^\s|]+)?$")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.encounter_class or self.service_type or self.type):
            raise ValueError("needs encounter_class, service_type or type, written system|code")
        return self


class Workflow(Registered):
    """A partition inside a tenant: its own queue, template, ruleset and rollout phase."""

    id: str = Field(pattern=NAME)
    title: str = Field(min_length=1)
    template: Literal["visit-note"] = "visit-note"
    ruleset: Literal["standard-1", "standard-2"] = "standard-2"
    queue: str = Field(default=DEFAULT_QUEUE, pattern=NAME)
    phase: Phase | None = None
    matches: tuple[VisitMatch, ...] = ()


class Tenant(Registered):
    """One registration. `fhir_base` is the `iss` that launches carry, compared as the same string."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")
    organization: str = Field(min_length=1)
    vendor: str
    environment: Literal["sandbox", "nonproduction", "production"]
    fhir_base: str
    client_id: str = Field(min_length=1)
    authentication: ClientAuthentication
    expected_context: Mapping[str, str] = {}
    oauth_issuer: str | None = None
    nonce_may_be_missing: bool = False
    sign_in: Literal["in_frame", "top_window"] | None = None  # as the vendor's profile says
    background_access: Literal["offline", "online", "none"] = "offline"
    endpoint_origins: tuple[str, ...] = ()
    frame_origins: tuple[str, ...]
    style_hosts: tuple[str, ...] = ()
    timezone: str = "UTC"
    encounter_required: bool = True
    reconfirm_always: bool = False
    concurrency: int = Field(default=8, ge=1, le=32)
    transcript_type: str = "http://ehr.localhost/fhir/document-kind|visit-transcript"
    contacts: tuple[str, ...] = ()
    note: NotePolicy = NotePolicy()
    reading: BackendReading | None = None
    callbacks: Callbacks | None = None
    workflows: tuple[Workflow, ...] = (Workflow(id="primary-care", title="Primary care"),)

    @field_validator("fhir_base", "oauth_issuer")
    @classmethod
    def _is_absolute(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://none")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be an absolute URL, without user, query or fragment")
        canonical_origin(value or "https://none")
        return value

    @field_validator("frame_origins", "endpoint_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # They stand in headers as they are: a space or a semicolon would write another directive.
        if wrong := [one for one in value if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?", one)]:
            raise ValueError(f"{wrong[0]!r} is not an origin: write https://host, without path or slash at the end")
        return tuple(canonical_origin(one) for one in value)

    @field_validator("contacts")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [one for one in value if not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", one)]:
            raise ValueError(f"{wrong[0]!r} is not an e-mail address")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone of the IANA database, such as America/Chicago")
        return value

    @field_validator("workflows")
    @classmethod
    def _have_ids_of_their_own(cls, value: tuple[Workflow, ...]) -> tuple[Workflow, ...]:
        if not value:
            raise ValueError("there must be at least one workflow")
        if len({workflow.id for workflow in value}) < len(value):
            raise ValueError("two workflows share an id; each needs its own")
        return value

    @model_validator(mode="after")
    def _keeps_its_environment(self) -> Self:
        if self.authentication.method == "public" and not self.is_sandbox:
            # A server that can keep a secret is not a public client (SMART App Launch 2.2; A54).
            raise ValueError("authentication.method public is for environment sandbox only; use private_key_jwt")
        if self.authentication.audience == "issuer" and not self.oauth_issuer:
            # What we sign for must be pinned here, not told by whoever answers discovery (A58).
            raise ValueError("authentication.audience issuer needs oauth_issuer, the issuer to sign for")
        if self.reading and self.authentication.method != "private_key_jwt":
            raise ValueError("reading needs authentication.method private_key_jwt: a backend has no other proof")
        if urlsplit(self.fhir_base).scheme == "http" and not self.is_sandbox:
            raise ValueError("fhir_base must be https; plain http is for environment sandbox only")
        return self

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
        return frozenset({self.base_origin, *self.endpoint_origins})

    @property
    def base_origin(self) -> str:
        """The origin of the FHIR base: host in lower case, no port that goes without saying."""
        return canonical_origin(self.fhir_base)

    @property
    def base_address(self) -> str:
        """The FHIR base for comparing two: without what makes no difference, such as a slash at its end."""
        return f"{self.base_origin}{urlsplit(self.fhir_base).path.rstrip('/')}"

    @property
    def workflow(self) -> Workflow:
        """The workflow of visits that no other one matches: the first listed."""
        return self.workflows[0]

    def workflow_named(self, workflow_id: str) -> Workflow:
        """The workflow with this id; one that was taken out of a file goes by the first one's rules."""
        known = {workflow.id: workflow for workflow in self.workflows}
        return known.get(workflow_id) or self.workflow.model_copy(update={"id": workflow_id, "title": workflow_id})

    def registered_phase(self, workflow_id: str) -> Phase:
        """The phase that the registration gives a workflow: full in a sandbox, else draft_only, unless it says so."""
        return self.workflow_named(workflow_id).phase or (Phase.FULL if self.is_sandbox else Phase.DRAFT_ONLY)


def load_files(folder: Path, environment: Mapping[str, str]) -> tuple[Tenant, ...]:
    """Read every `*.yaml` in `folder`. Raises `Misconfigured` naming the file, the field and what to write."""
    return tuple(_load(path, environment) for path in sorted(folder.glob("*.yaml")))


def _load(path: Path, environment: Mapping[str, str]) -> Tenant:
    try:
        return Tenant.model_validate(filled(yaml.safe_load(path.read_text(encoding="utf-8")), environment, path.name))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(f"{path.name}: {where}: {first['msg']}") from error
    except yaml.YAMLError as error:
        raise Misconfigured(f"{path.name} is not valid YAML.") from error


def filled(value: Any, environment: Mapping[str, str], where: str, field: str = "") -> Any:
    """A document with its references to the environment replaced, except in secrets. Raises `Misconfigured`."""
    if isinstance(value, dict):
        return {name: filled(member, environment, where, name) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(member, environment, where) for member in value]
    if isinstance(value, str) and field != "secret":
        return REFERENCE.sub(lambda found: looked_up(found[1], environment, where), value)
    return value


def looked_up(name: str, environment: Mapping[str, str], where: str) -> str:
    """The value of one environment variable. Raises `Misconfigured` naming it and where it is asked for."""
    if name not in environment:
        raise Misconfigured(f"{where} refers to ${{{name}}}, which is not set. Set it in the environment.")
    return environment[name]
