"""What makes one EHR behave unlike another, as data: `sandbox/personalities/<name>.yaml`."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

DIRECTORY = Path(__file__).parent / "personalities"

Interaction = Literal["read", "vread", "search", "history", "create", "update", "patch", "delete"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Authorization(_Data):
    """How the authorization server of this vendor answers."""

    oauth_path: str
    issuer_path: str
    openid_configuration_at_fhir_base: bool
    scope_source: Literal["app_record", "request"]
    scope_spelling: Literal["v1", "v2", "as_requested"]
    unknown_scopes: Literal["dropped", "refused"]
    wildcards: bool
    app_record_scopes: tuple[str, ...]
    access_token_seconds: int
    id_token_seconds: int
    refresh: Literal["confidential_client", "offline_scope"]
    refresh_rotates: bool
    refresh_repeats_context: bool
    need_patient_banner: bool | str
    token_extras: dict[str, str]
    client_authentication: tuple[str, ...]
    assertion_algorithms: tuple[str, ...]
    assertion_max_seconds: int
    capabilities: tuple[str, ...]
    response_issuer: bool
    sign_in_refuses_frames: bool
    backend_scopes: tuple[str, ...]


class Identifiers(_Data):
    """How this vendor spells the ids of the same people and visits."""

    patient: str
    encounter: str
    other: str


class CreateReply(_Data):
    """What comes back after a create."""

    body: Literal["when_preferred", "unless_minimal"]
    location: Literal["relative", "versioned"]
    etag: bool


class FHIR(_Data):
    """How the FHIR server of this vendor answers."""

    path: str
    software: str
    versioning: bool
    conditional_create: bool
    create_reply: CreateReply
    create_rules: dict[str, tuple[str, ...]]
    attachments: Literal["inline", "binary"]
    page_parameter: str
    page_size: int
    search_needs_one_of: dict[str, tuple[str, ...]]
    unknown_parameters: Literal["ignored", "refused"]
    nothing_found_warning: str | None
    missing_scope_body: bool
    practice: str | None
    resources: dict[str, tuple[Interaction, ...]]
    search: dict[str, tuple[str, ...]]


class Chart(_Data):
    """What the chart page of this vendor looks like."""

    product: str
    tagline: str
    look: str
    open_button: str
    frame_sandbox: str | None


class Personality(_Data):
    """One vendor."""

    name: str
    sources: dict[str, str]
    authorization: Authorization
    identifiers: Identifiers
    fhir: FHIR
    chart: Chart


def load_personality(name: str) -> Personality:
    """Read one vendor's file. Raises `pydantic.ValidationError` naming the line's key if it is not total."""
    text = (DIRECTORY / f"{name}.yaml").read_text(encoding="utf-8")
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    return Personality.model_validate(document)


def personality_names() -> list[str]:
    """The vendors there are files for."""
    return sorted(path.stem for path in DIRECTORY.glob("*.yaml"))
