"""Settings: the one reader of the process environment. Names are `COUNTERSIGN_<FIELD>`; see README, "Settings"."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from vendors.pinning import is_loopback_name

ROOT = Path(__file__).resolve().parent.parent


def _is_rate(value: str) -> str:
    """Raises `ValueError` for what is no rate: better at the start than in a request."""
    parse_many(value)
    return value


Rate = Annotated[str, AfterValidator(_is_rate)]


class Settings(BaseSettings):
    """Everything an operator may set; each field is one environment variable.

    The defaults are the embedded ones: SQLite and a Redis-compatible server in `home`, so that one command
    runs everything on a laptop. Production sets `database_url`, `redis_url`, `public_url` and `sealing_keys`.
    """

    model_config = SettingsConfigDict(env_prefix="COUNTERSIGN_", frozen=True)

    home: Path = Field(default=Path(".countersign"), description="Where the embedded defaults keep their files.")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in the home directory.")
    redis_url: str = Field(default="", description="Redis URL; empty: the embedded server's socket in home.")
    public_url: str = Field(
        default="http://app.localhost:8410", description="Origin under which browsers reach the app."
    )
    sandbox_url: str = Field(
        default="http://ehr.localhost:8411",
        description="Origin of the sandbox EHR; fills ${COUNTERSIGN_SANDBOX_URL}.",
    )
    smart_config: Path = Field(default=ROOT / "smart-config", description="Vendor profiles and tenant registrations.")
    secret_files: Path = Field(
        default=Path("/run/secrets"), description="The directory that tenants' secrets may be in, as file:/path."
    )
    sealing_keys: str = Field(
        default="",
        description="Comma-separated id:base64 AES-256 keys, newest first; empty: a key file in home.",
    )
    lease_seconds: float = Field(default=120, gt=0, description="How long one worker may hold one write-back.")
    sweep_seconds: float = Field(default=2, gt=0, description="Pause between two sweeps of the outbox.")
    checkpoints: str = Field(
        default="", description="Where signed checkpoints of the log go, off this database's disk; empty: nowhere."
    )
    checkpoint_minutes: float = Field(default=5, ge=0, description="Pause between two checkpoints of one tenant's log.")
    admin_idle_minutes: float = Field(
        default=15, gt=0, description="An administrator's session ends after so long without use."
    )
    admin_session_hours: float = Field(
        default=8, gt=0, description="An administrator's session ends so long after it began."
    )
    admin_oidc_issuer: str = Field(
        default="", description="Administrators' identity provider (OpenID Connect); empty: local accounts only."
    )
    admin_oidc_client_id: str = Field(default="", description="Our client id there.")
    admin_oidc_client_secret: str = Field(
        default="", repr=False, description="Our client secret there; empty: a public client, with PKCE alone."
    )
    admin_oidc_origins: str = Field(
        default="", description="Comma-separated origins that its endpoints may be on beside the issuer's own."
    )
    admin_oidc_roles_claim: str = Field(
        default="roles", description="The claim of its id_token that says what somebody is."
    )
    admin_oidc_roles: str = Field(
        default="", description="Comma-separated VALUE=ROLE: which value of that claim gives which role."
    )
    launch_hours: float = Field(default=12, gt=0, description="How long a launch stays usable in the browser.")
    launch_idle_minutes: float = Field(
        default=30, ge=2, description="After so long without use a launch asks whether it is still the same person."
    )
    reconfirm_minutes: float = Field(
        default=15, ge=2, description="After so long without use signing asks for the patient once more."
    )
    trusted_proxies: int = Field(
        default=0, ge=0, description="How many proxies in front of us write X-Forwarded-For; 0: the header is ignored."
    )
    rate_limits: bool = Field(default=True, description="Whether requests are limited; the limits follow.")
    limit_launch: Rate = Field(default="300 per minute", description="Launches and answers from one address.")
    limit_draft: Rate = Field(default="20 per minute", description="Drafts of one clinician.")
    limit_sign: Rate = Field(default="20 per minute", description="Signatures of one clinician.")
    limit_callbacks: Rate = Field(default="1200 per minute", description="Notices of EHRs from one address.")
    limit_admin_sign_in: Rate = Field(
        default="10 per minute", description="An administrator's sign-ins from one address."
    )

    @cached_property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'countersign.db'}"

    @cached_property
    def redis(self) -> str:
        """The Redis URL in force."""
        return self.redis_url or f"unix://{self.home.resolve() / 'redis.sock'}"

    @property
    def checkpoint_directory(self) -> Path | None:
        """Where signed checkpoints go; None: they are not written."""
        return Path(self.checkpoints) if self.checkpoints else None

    @property
    def on_this_machine(self) -> bool:
        """Whether browsers reach us on this machine only: there, and nowhere else, may an EHR be on it too."""
        return is_loopback_name(urlsplit(self.public_url).hostname or "")

    def references(self) -> Mapping[str, str]:
        """What `${NAME}` in a tenant's file may refer to: the environment, and where the sandbox is."""
        return {**os.environ, "COUNTERSIGN_SANDBOX_URL": self.sandbox_url}
